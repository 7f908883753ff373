// Local NATS clients.

import { useMemo, useState } from "preact/hooks";
import { Raw } from "../messages/raw.tsx";
import { visible } from "../messages/visible.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Empty } from "../ui/empty.tsx";
import { Facts } from "../ui/facts.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { ClientTools } from "./client-tools.tsx";
import { listNats, NATS_ORDERS, type NatsClient, type Order } from "./clients.ts";
import { words } from "./words.ts";

const PAGE = 50;

interface NatsClientsProps {
  readonly clients: readonly NatsClient[];
  readonly leftOut: number;
  readonly listen: string;
}

export function NatsClients({ clients, leftOut, listen }: NatsClientsProps) {
  const text = useText(words);
  const format = useFormat();
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState<Order>("name");
  const [count, setCount] = useState(PAGE);
  const [chosen, setChosen] = useState<number>();
  const found = useMemo(() => listNats(clients, search, order), [clients, search, order]);
  const shown = found.slice(0, count);
  const open = clients.find(({ cid }) => cid === chosen);
  if (clients.length === 0) return <Empty icon="hub" title={text("none")} hint={text("none_hint", { address: listen })} />;
  const columns: readonly Column<NatsClient>[] = [
    {
      key: "client",
      head: text("client"),
      cell: (client) => (
        <>
          <b>
            <Raw text={nameOf(client)} isMono />
          </b>
          <br />
          <span class="dev-soft">{visible([client.user, client.address].filter((part) => part !== "").join(" · "))}</span>
        </>
      ),
    },
    {
      key: "seen",
      head: text("last_seen"),
      align: "end",
      cell: ({ last_seen: seen }) => text("ago", { time: format.since(seen) }),
    },
    { key: "in", head: text("messages_in"), align: "end", cell: (client) => format.count(client.messages_in) },
    { key: "out", head: text("messages_out"), align: "end", cell: (client) => format.count(client.messages_out) },
    { key: "subs", head: text("subscriptions"), align: "end", cell: (client) => format.count(client.subscriptions) },
    {
      key: "more",
      head: <span class="visually-hidden">{text("details")}</span>,
      align: "end",
      cell: (client) => (
        <Button icon="show" label={text("details_of", { name: visible(nameOf(client)) })} onClick={() => setChosen(client.cid)}>
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
        orders={NATS_ORDERS}
        shown={shown.length}
        all={clients.length}
        leftOut={leftOut}
      />
      <Table
        caption={text("nats")}
        columns={columns}
        rows={shown}
        keyOf={({ cid }) => String(cid)}
        empty={<Empty icon="search" title={text("none_match")} />}
      />
      {found.length > count && (
        <Button onClick={() => setCount(count + PAGE)}>{text("more", { n: Math.min(PAGE, found.length - count) })}</Button>
      )}
      {open !== undefined && (
        <Dialog title={visible(nameOf(open))} onClose={() => setChosen(undefined)}>
          <Facts
            items={[
              [text("user"), open.user === "" ? text("no_user") : <Raw key="user" text={open.user} />],
              [text("account"), visible(open.account)],
              [text("address"), <Raw key="address" text={open.address} isMono />],
              [text("library"), <Raw key="library" text={`${open.lang} ${open.version}`.trim() || "–"} />],
              [text("encryption"), text(open.tls ? "yes_tls" : "no_tls")],
              [text("since"), format.since(open.since)],
              [text("last_seen"), text("ago", { time: format.since(open.last_seen) })],
              [text("answer_time"), open.rtt_ms === null ? "–" : format.milliseconds(Math.max(1, Math.round(open.rtt_ms)))],
              [text("messages_in"), format.count(open.messages_in)],
              [text("messages_out"), format.count(open.messages_out)],
              [text("subscriptions"), format.count(open.subscriptions)],
              [text("pending"), format.bytes(open.pending_bytes)],
            ]}
          />
        </Dialog>
      )}
    </div>
  );
}

/** Most clients give themselves no name. */
function nameOf({ name, cid }: NatsClient): string {
  return name === "" ? `#${cid}` : name;
}
