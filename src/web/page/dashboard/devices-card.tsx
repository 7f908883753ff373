// How many devices there are by each door, each a way to the view that shows them.

import type { StatusReport } from "#status/report.ts";
import { Link } from "../shell/route.tsx";
import { Card } from "../ui/card.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { words } from "./words.ts";

interface DevicesCardProps {
  readonly status: StatusReport;
}

export function DevicesCard({ status: { mqtt, nats, serial } }: DevicesCardProps) {
  const text = useText(words);
  const format = useFormat();
  const working = serial.filter((port) => port.state === "open" && !port.is_silent && port.degraded === null).length;
  const doors: readonly { readonly icon: IconName; readonly to: string; readonly name: string; readonly what: string }[] = [
    {
      icon: "mqtt",
      to: "devices/mqtt",
      name: text("mqtt"),
      what: mqtt === null ? text("off") : text("connected", { n: mqtt.clients }),
    },
    {
      icon: "serial",
      to: "devices/serial",
      name: text("serial"),
      what: serial.length === 0 ? text("none_set") : text("ports_open", { open: format.count(working), n: serial.length }),
    },
    {
      icon: "hub",
      to: "devices/nats",
      name: text("nats"),
      what: nats === null ? text("off") : text("connected", { n: nats.clients }),
    },
  ];
  return (
    <Card class="dash-right" title={text("devices")}>
      <ul class="dash-doors">
        {doors.map(({ icon, to, name, what }) => (
          <li key={to}>
            <Link to={to} class="dash-door">
              <Icon name={icon} />
              <span>
                <b>{name}</b>
                <span>{what}</span>
              </span>
              <Icon name="next" />
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
