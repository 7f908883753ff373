// Devices by the door they come in by: MQTT, serial, NATS; and which serial device is which.
//
//   #/devices/mqtt   #/devices/serial   #/devices/serial/weather   #/devices/nats   #/devices/plugged

import { useEffect } from "preact/hooks";
import { usePolled } from "../dashboard/use-polled.ts";
import { useStatus } from "../shell/live.tsx";
import { go, useRoute } from "../shell/route.tsx";
import { hasRole, useSession } from "../shell/session.tsx";
import { Empty } from "../ui/empty.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import type { Clients } from "./clients.ts";
import { MqttClients } from "./mqtt-clients.tsx";
import { NatsClients } from "./nats-clients.tsx";
import { Plugged } from "./plugged.tsx";
import { PortPage } from "./port-page.tsx";
import { SerialPorts } from "./serial-ports.tsx";
import { words } from "./words.ts";

const PANES = ["mqtt", "serial", "nats"] as const;
const PERIOD_MS = 5_000;
/** A list of many is heavy for a phone's radio. */
const MANY = 200;
const MANY_PERIOD_MS = 15_000;

export function DevicesView() {
  const text = useText(words);
  const format = useFormat();
  const status = useStatus();
  const { rest } = useRoute();
  const mayWatch = hasRole(useSession().role, "technician");
  const isPlugged = rest[0] === "plugged" && mayWatch;
  const pane = isPlugged ? "serial" : (PANES.find((each) => each === rest[0]) ?? "mqtt");
  const hasClients = pane === "mqtt" || pane === "nats";
  const count = (status.mqtt?.clients ?? 0) + (status.nats?.clients ?? 0);
  const {
    value: clients,
    error,
    refresh,
  } = usePolled<Clients>(hasClients ? "/api/clients" : null, count > MANY ? MANY_PERIOD_MS : PERIOD_MS);
  const present = `${status.mqtt?.clients} ${status.nats?.clients}`;
  // Somebody came or went: the live data said so before the list is due.
  useEffect(() => {
    if (count <= MANY) refresh();
  }, [present]);
  const counts = { mqtt: status.mqtt?.clients, serial: status.serial.length, nats: status.nats?.clients };
  const label = (id: (typeof PANES)[number]) =>
    counts[id] === undefined ? text(id) : `${text(id)} (${format.count(counts[id])})`;
  return (
    <View title={text("title")}>
      <Tabs
        label={text("title")}
        tabs={PANES.map((id) => ({ id, label: label(id) }))}
        current={pane}
        onSelect={(id) => go(`devices/${id}`)}
      >
        {hasClients && error !== undefined && <Notice tone="look">{text("failed", { why: error.message })}</Notice>}
        {hasClients && clients === undefined && error === undefined && <Spinner label={text("asking")} />}
        {pane === "mqtt" &&
          clients !== undefined &&
          (status.mqtt === null ? (
            <Empty icon="mqtt" title={text("off")} hint={text("off_hint")} />
          ) : (
            <MqttClients clients={clients.mqtt} leftOut={clients.more.mqtt} listen={status.mqtt.listen} onChange={refresh} />
          ))}
        {pane === "nats" &&
          clients !== undefined &&
          (status.nats === null ? (
            <Empty icon="hub" title={text("off")} hint={text("off_hint")} />
          ) : (
            <NatsClients clients={clients.nats} leftOut={clients.more.nats} listen={status.nats.listen} />
          ))}
        {isPlugged && <Plugged />}
        {pane === "serial" &&
          !isPlugged &&
          (rest[1] === undefined ? (
            <SerialPorts ports={status.serial} />
          ) : (
            <PortPage name={rest[1]} port={status.serial.find(({ name }) => name === rest[1])} />
          ))}
      </Tabs>
    </View>
  );
}
