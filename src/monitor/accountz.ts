// GET /accountz: which accounts there are, and one of them in detail.

import type { ServerReport, ServerSource } from "#status/server-report.ts";
import { type Query, QueryError, quote } from "./query.ts";
import { sublistStats } from "./subsz.ts";

export function accountz(source: ServerSource, server: ServerReport, query: Query): Record<string, unknown> {
  const name = query.text("acc");
  const accounts = source.accounts();
  const head = { server_id: server.id, now: server.now };
  if (name === undefined) return { ...head, accounts: accounts.map((account) => account.name).sort() };
  const account = accounts.find((each) => each.name === name);
  if (account === undefined) throw new QueryError(`Account ${quote(name)} does not exist`);
  return {
    ...head,
    account_detail: {
      account_name: account.name,
      update_time: server.start,
      expired: false,
      complete: true,
      jetstream_enabled: false,
      leafnode_connections: account.leafs,
      client_connections: account.clients,
      subscriptions: account.subscriptions,
      name_tag: account.name,
      sublist_stats: sublistStats([account]),
    },
  };
}
