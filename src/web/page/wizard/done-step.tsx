// One sheet of paper that says how this gateway was set up. Passwords are on it only if they were made in this very sitting.

import { useStatus } from "../shell/live.tsx";
import { go } from "../shell/route.tsx";
import { useSession } from "../shell/session.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Facts } from "../ui/facts.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { answersOf, listOf, mqttPlace, objectOf } from "./answers.ts";
import { MqttLogin } from "./mqtt-login.tsx";
import type { StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

export function DoneStep({ settings, answers }: StepProps) {
  const text = useText(wizardWords);
  const format = useFormat();
  const status = useStatus();
  const { user } = useSession();
  const { document } = settings;
  const now = answersOf(document);
  const users = listOf(document["accounts"])
    .flatMap((account) => listOf(objectOf(account)["users"]))
    .map((each) => String(objectOf(each)["user"] ?? ""));
  const ports = listOf(document["serial"]).map((port) => String(objectOf(port)["name"]));
  const made = answers.mqttUsers.filter((each) => users.includes(each.user));
  const others = users.filter((name) => !made.some((each) => each.user === name));
  const some = (items: readonly string[]) => (items.length === 0 ? text("none") : items.join(", "));
  return (
    <>
      <p class="view-lead no-print">{text("doneLead")}</p>
      <Card
        title={status.server_name}
        class="wizard-sheet"
        actions={
          <div class="actions no-print">
            <Button icon="print" onClick={() => print()}>
              {text("print")}
            </Button>
            <Button kind="primary" onClick={() => go("dashboard")}>
              {text("toOverview")}
            </Button>
          </div>
        }
      >
        <Facts
          items={[
            [text("deviceId"), <code key="d">{status.device_id}</code>],
            [text("page"), <code key="p">{location.origin}</code>],
            [text("step_hub"), <code key="h">{some(now.hub.urls.split("\n").filter((url) => url !== ""))}</code>],
            [text("mqttAt"), now.isMqttOpen ? <code key="m">{mqttPlace(document)}</code> : text("none")],
            [
              text("logins"),
              some(others.map((name) => `${name} (${text("passwordNoted")})`).concat(made.map((each) => each.user))),
            ],
            [text("ports"), some(ports)],
            [text("rules"), text(`preset_${now.preset ?? "own"}`)],
            [text("date"), format.date(Date.now())],
            [text("by"), user],
            [text("version"), status.version],
          ]}
        />
        {made.map((each) => (
          <MqttLogin key={each.user} {...each} place={mqttPlace(document)} />
        ))}
      </Card>
    </>
  );
}
