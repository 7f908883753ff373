// GET /accstatz: what went through each account.

import type { AccountReport, ServerReport, ServerSource, Traffic } from "#status/server-report.ts";
import type { Query } from "./query.ts";

/** Routes and gateways join servers of one cluster and clusters: there are none here. */
const NOTHING = { msgs: 0, bytes: 0 };

export function accstatz(source: ServerSource, server: ServerReport, query: Query): Record<string, unknown> {
  const wantsUnused = query.flag("unused");
  const accounts = source.accounts().filter(({ clients, leafs }) => wantsUnused || clients + leafs > 0);
  return { server_id: server.id, now: server.now, account_statz: accounts.map(statOf) };
}

function statOf(account: AccountReport): Record<string, unknown> {
  const { name, clients, leafs, client_traffic: local, leaf_traffic: links } = account;
  const flow = (messages: (of: Traffic) => number, bytes: (of: Traffic) => number) => ({
    msgs: messages(local) + messages(links),
    bytes: bytes(local) + bytes(links),
    gateways: NOTHING,
    routes: NOTHING,
    leafs: { msgs: messages(links), bytes: bytes(links) },
  });
  return {
    acc: name,
    name,
    conns: clients,
    leafnodes: leafs,
    total_conns: clients + leafs,
    num_subscriptions: account.subscriptions,
    sent: flow(
      (of) => of.out_messages,
      (of) => of.out_bytes,
    ),
    received: flow(
      (of) => of.in_messages,
      (of) => of.in_bytes,
    ),
    slow_consumers: account.slow,
  };
}
