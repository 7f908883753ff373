// MQTT clients, those that are away with a session among them. A page of them at a time: a thousand rows are nobody's reading.

import { useMemo, useState } from "preact/hooks";
import { Raw } from "../messages/raw.tsx";
import { visible } from "../messages/visible.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { ClientTools } from "./client-tools.tsx";
import { listMqtt, MQTT_ORDERS, type MqttClient, type Order } from "./clients.ts";
import { MqttDialog } from "./mqtt-dialog.tsx";
import { words } from "./words.ts";

const PAGE = 50;

interface MqttClientsProps {
  readonly clients: readonly MqttClient[];
  readonly leftOut: number;
  /** Where they connect to. */
  readonly listen: string;
  readonly onChange: () => void;
}

export function MqttClients({ clients, leftOut, listen, onChange }: MqttClientsProps) {
  const text = useText(words);
  const format = useFormat();
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState<Order>("name");
  const [count, setCount] = useState(PAGE);
  const [chosen, setChosen] = useState<string>();
  const found = useMemo(() => listMqtt(clients, search, order), [clients, search, order]);
  const shown = found.slice(0, count);
  const open = chosen === undefined ? undefined : clients.find((client) => client.client_id === chosen);
  if (clients.length === 0) return <Empty icon="mqtt" title={text("none")} hint={text("none_hint", { address: listen })} />;
  const columns: readonly Column<MqttClient>[] = [
    {
      key: "client",
      head: text("client"),
      cell: (client) => (
        <>
          <b>
            <Raw text={client.client_id} isMono />
          </b>
          <br />
          <span class="dev-soft">{visible([client.user, client.address ?? ""].filter((part) => part !== "").join(" · "))}</span>
        </>
      ),
    },
    {
      key: "state",
      head: text("state"),
      cell: ({ connected }) => <Badge tone={connected ? "good" : "idle"}>{text(connected ? "connected" : "away")}</Badge>,
    },
    {
      key: "seen",
      head: text("last_seen"),
      align: "end",
      cell: ({ last_seen: seen }) => (seen === null ? "–" : text("ago", { time: format.since(seen) })),
    },
    {
      key: "rate",
      head: text("rate"),
      align: "end",
      cell: ({ rate_in: rate }) => (rate === null ? "–" : format.rate(rate)),
    },
    {
      key: "queue",
      head: text("queue"),
      align: "end",
      cell: ({ queue, queue_bytes: bytes }) => (queue === 0 ? "0" : `${format.count(queue)} (${format.bytes(bytes)})`),
    },
    {
      key: "more",
      head: <span class="visually-hidden">{text("details")}</span>,
      align: "end",
      cell: ({ client_id: id }) => (
        <Button icon="show" label={text("details_of", { name: visible(id) })} onClick={() => setChosen(id)}>
          {text("details")}
        </Button>
      ),
    },
  ];
  return (
    <div class="dev-pane">
      <ClientTools
        search={search}
        onSearch={setSearch}
        order={order}
        onOrder={setOrder}
        orders={MQTT_ORDERS}
        shown={shown.length}
        all={clients.length}
        leftOut={leftOut}
      />
      <Table
        caption={text("mqtt")}
        columns={columns}
        rows={shown}
        keyOf={({ client_id: id }) => id}
        empty={<Empty icon="search" title={text("none_match")} />}
      />
      {found.length > count && (
        <Button onClick={() => setCount(count + PAGE)}>{text("more", { n: Math.min(PAGE, found.length - count) })}</Button>
      )}
      {open !== undefined && <MqttDialog client={open} onClose={() => setChosen(undefined)} onChange={onChange} />}
    </div>
  );
}
