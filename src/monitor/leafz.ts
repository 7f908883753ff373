// GET /leafz: the links that are ready, each the leaf of a hub.

import type { ServerReport, ServerSource } from "#status/server-report.ts";
import { goDuration } from "./go-text.ts";
import { LIMIT_MAX, type Query } from "./query.ts";

export function leafz(source: ServerSource, server: ServerReport, query: Query): Record<string, unknown> {
  const wantsFilters = query.flag("subs");
  const account = query.text("acc");
  const leafs = source.leafs().filter((leaf) => account === undefined || leaf.account === account);
  return {
    server_id: server.id,
    now: server.now,
    leafnodes: leafs.length,
    leafs: leafs.map((leaf) => ({
      id: leaf.number,
      name: leaf.hub_name,
      is_spoke: true,
      account: leaf.account,
      ip: leaf.host,
      port: leaf.port,
      rtt: goDuration(leaf.rtt_ms ?? 0),
      in_msgs: leaf.in_messages,
      out_msgs: leaf.out_messages,
      in_bytes: leaf.in_bytes,
      out_bytes: leaf.out_bytes,
      subscriptions: leaf.hub_filters,
      ...(wantsFilters ? { subscriptions_list: firstOf(source.leafFilters(leaf.number)) } : {}),
      compression: leaf.compression,
      petiole: { remote: leaf.remote, is_isolated: leaf.is_isolated },
    })),
  };
}

function firstOf(filters: Iterable<string>): string[] {
  const first: string[] = [];
  for (const filter of filters) {
    if (first.length === LIMIT_MAX) break;
    first.push(filter);
  }
  return first;
}
