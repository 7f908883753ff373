// Who did what on this page, and who was refused.

import { useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { Badge } from "../ui/badge.tsx";
import { Empty } from "../ui/empty.tsx";
import { Switch } from "../ui/switch.tsx";
import { Table } from "../ui/table.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { Loading } from "./loading.tsx";
import { useLoaded } from "./use-loaded.ts";
import { words } from "./words.ts";

interface Entry {
  readonly at: string;
  readonly action: string;
  readonly outcome: "done" | "refused";
  readonly user: string | null;
  readonly address: string;
  readonly detail?: string;
  readonly left_out?: number;
}

const LINES_MAX = 500;

export function AuditTab() {
  const text = useText(words);
  const format = useFormat();
  const loaded = useLoaded(async () => {
    const { lines } = await api.get<{ readonly lines: readonly Entry[] }>(`/api/audit?count=${LINES_MAX}`);
    return lines.map((line, i) => ({ ...line, id: `${lines.length - i}` }));
  });
  const [isRefusedOnly, setRefusedOnly] = useState(false);
  if (loaded.value === undefined) return <Loading loaded={loaded} />;
  const rows = loaded.value.filter(({ outcome }) => !isRefusedOnly || outcome === "refused");
  return (
    <>
      <p class="sys-hint">{text("audit_lead")}</p>
      <Switch checked={isRefusedOnly} onChange={setRefusedOnly} label={text("only_refused")} />
      <Table
        caption={text("tab_audit")}
        rows={rows}
        keyOf={({ id }) => id}
        empty={<Empty icon="users" title={text("audit_none")} />}
        columns={[
          { key: "at", head: text("at"), cell: ({ at }) => format.date(at) },
          { key: "who", head: text("who"), cell: ({ user }) => user ?? text("nobody") },
          {
            key: "what",
            head: text("what"),
            cell: ({ action, detail, left_out: leftOut }) => (
              <>
                {action}
                {detail !== undefined && <span class="sys-detail">{detail}</span>}
                {leftOut !== undefined && <span class="sys-detail">{text("left_out", { n: leftOut })}</span>}
              </>
            ),
          },
          {
            key: "outcome",
            head: text("outcome"),
            cell: ({ outcome }) => <Badge tone={outcome === "done" ? "good" : "look"}>{text(outcome)}</Badge>,
          },
          { key: "from", head: text("from"), cell: ({ address }) => <span class="mono">{address}</span> },
        ]}
      />
    </>
  );
}
