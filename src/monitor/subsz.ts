// GET /subsz: what local clients listen to.

import type { AccountReport, ServerReport, ServerSource } from "#status/server-report.ts";
import { subscriptionDetail } from "./connz.ts";
import { type Query, QueryError, quote } from "./query.ts";

export function subsz(source: ServerSource, server: ServerReport, query: Query): Record<string, unknown> {
  const wantsList = query.flag("subs");
  const subject = query.text("test");
  const account = query.text("acc");
  const limit = query.limit();
  const offset = query.offset();
  if (subject !== undefined && !source.isSubject(subject))
    throw new QueryError(`invalid test subject, must be valid publish subject: ${quote(subject)}`);
  const wantsAny = wantsList || subject !== undefined;
  const list: unknown[] = [];
  let total = 0;
  for (const one of wantsAny ? source.subscriptions({ account, subject }) : []) {
    if (total >= offset && list.length < limit)
      list.push({ account: one.account, account_tag: one.account, ...subscriptionDetail(one) });
    total += 1;
  }
  return {
    server_id: server.id,
    now: server.now,
    ...sublistStats(source.accounts().filter(({ name }) => account === undefined || name === account)),
    total,
    offset,
    limit,
    ...(list.length > 0 ? { subscriptions_list: list } : {}),
  };
}

/** The interest of some accounts together, as nats-server counts it; its cache is our table of routes. */
export function sublistStats(accounts: readonly AccountReport[]): Record<string, number> {
  const sum = (of: (account: AccountReport) => number) => accounts.reduce((total, account) => total + of(account), 0);
  const routes = sum((account) => account.routes);
  return {
    num_subscriptions: sum((account) => account.subscriptions),
    num_cache: routes,
    num_inserts: sum((account) => account.inserts),
    num_removes: sum((account) => account.removes),
    max_fanout: Math.max(0, ...accounts.map((account) => account.receivers_max)),
    avg_fanout: routes === 0 ? 0 : sum((account) => account.receivers) / routes,
  };
}
