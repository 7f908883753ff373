// Log, users, trail, backup, restart and reset, about: each for who may.
//
//   #/system/logs   #/system/users   …   #/system/about

import type { ComponentType } from "preact";
import { goInstead, useRoute } from "../shell/route.tsx";
import { hasRole, type Role, useSession } from "../shell/session.tsx";
import { useMedia } from "../ui/media.ts";
import { Select } from "../ui/select.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { AboutTab } from "./about-tab.tsx";
import { AuditTab } from "./audit-tab.tsx";
import { BackupTab } from "./backup-tab.tsx";
import { DeviceTab } from "./device-tab.tsx";
import { LogsTab } from "./logs-tab.tsx";
import { secretWords } from "./secret-words.ts";
import { SecretsTab } from "./secrets-tab.tsx";
import { UsersTab } from "./users-tab.tsx";
import { words } from "./words.ts";

type TabId = "logs" | "keys" | "users" | "audit" | "backup" | "device" | "about";

const TABS: readonly { readonly id: TabId; readonly least: Role; readonly Shown: ComponentType }[] = [
  { id: "logs", least: "technician", Shown: LogsTab },
  { id: "device", least: "technician", Shown: DeviceTab },
  { id: "keys", least: "technician", Shown: SecretsTab },
  { id: "users", least: "owner", Shown: UsersTab },
  { id: "backup", least: "owner", Shown: BackupTab },
  { id: "audit", least: "owner", Shown: AuditTab },
  { id: "about", least: "viewer", Shown: AboutTab },
];

/** On a phone more than these would be a row to scroll, and nobody looks for a tab beside the screen: a list to choose from instead. */
const NARROW_TABS_MAX = 3;

export function SystemView() {
  const text = useText(words);
  const keyText = useText(secretWords);
  const { role } = useSession();
  const { rest } = useRoute();
  const allowed = TABS.filter(({ least }) => hasRole(role, least));
  const { id, Shown } = allowed.find((tab) => tab.id === rest[0]) ?? allowed[0]!;
  const isNarrow = useMedia("(max-width: 44rem)");
  const tabs = allowed.map((tab) => ({ id: tab.id, label: tab.id === "keys" ? keyText("tab") : text(`tab_${tab.id}`) }));
  const select = (next: TabId) => goInstead(`system/${next}`);
  const shown = (
    <div class="sys-tab">
      <Shown key={id} />
    </div>
  );
  return (
    <View title={text("title")}>
      <div class="sys">
        {isNarrow && tabs.length > NARROW_TABS_MAX ? (
          <>
            <div class="sys-choice">
              <Select
                label={text("part")}
                value={id}
                options={tabs.map((tab) => ({ value: tab.id, label: tab.label }))}
                onChange={select}
              />
            </div>
            {shown}
          </>
        ) : (
          <Tabs label={text("title")} tabs={tabs} current={id} onSelect={select}>
            {shown}
          </Tabs>
        )}
      </div>
    </View>
  );
}
