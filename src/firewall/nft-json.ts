// A ruleset in nft's own JSON (libnftables-json(5)): one transaction that puts our table in place of the one before it.
//
//   add table ─ delete table ─ add table ─ sets ─ chain ─ rules        all of it or nothing; nobody else's table is named
//
// The first line is there so that the second always finds something to delete. Every expression is written in the form in which
// nft lists it again (tried with 1.0.6 and 1.1.3), so that `compare.ts` can put both side by side.

import type { Json } from "#base/schema.ts";
import type { BlockedAddress } from "./blocked.ts";
import type { Limit, Match, Rule, Ruleset } from "./ruleset.ts";

export const TABLE = { family: "inet", name: "petiole" } as const;
const CHAIN = "input";

type Expression = Readonly<Record<string, Json>>;

/** The whole transaction. */
export function transactionOf(ruleset: Ruleset): Json {
  return { nftables: [{ add: { table: TABLE } }, { delete: { table: TABLE } }, ...objectsOf(ruleset).map((add) => ({ add }))] };
}

/** What removes the table, whether it is there or not. */
export function removal(): Json {
  return { nftables: [{ add: { table: TABLE } }, { delete: { table: TABLE } }] };
}

/** Makes these the ones that are in the set of their family: adding one that is there would leave its time as it was. */
export function blocking(family: 4 | 6, blocked: readonly Omit<BlockedAddress, "family">[]): Json {
  const set = { family: TABLE.family, table: TABLE.name, name: `blocked${family}` };
  const elem = blocked.map(({ address, prefixBits, seconds }) => {
    const val = family === 4 ? address : { prefix: { addr: address, len: prefixBits } };
    return { elem: { val, timeout: seconds } };
  });
  return { nftables: [{ flush: { set } }, ...(elem.length === 0 ? [] : [{ add: { element: { ...set, elem } } }])] };
}

/** Table, sets, chain and rules, in the order in which they must be added. */
export function objectsOf({ rules, blockedMax }: Ruleset): readonly Record<string, Json>[] {
  const inTable = { family: TABLE.family, table: TABLE.name };
  const set = (family: 4 | 6) => ({
    set: { ...inTable, name: `blocked${family}`, type: `ipv${family}_addr`, size: blockedMax, flags: ["interval", "timeout"] },
  });
  return [
    { table: TABLE },
    set(4),
    set(6),
    { chain: { ...inTable, name: CHAIN, type: "filter", hook: "input", prio: 0, policy: "accept" } },
    ...rules.map((rule) => ({ rule: { ...inTable, chain: CHAIN, comment: rule.key, expr: expressionsOf(rule) } })),
  ];
}

function expressionsOf(rule: Rule): readonly Expression[] {
  const expressions = matchesOf(rule.match);
  if (rule.limit !== undefined) expressions.push({ limit: limitOf(rule.limit) });
  if (rule.beyond !== undefined) {
    const key = payload(rule.beyond.family === 4 ? "ip" : "ip6", "saddr");
    const name = rule.key.replaceAll(/[^a-z0-9]/gi, "_");
    expressions.push({ meter: { name, key, stmt: { limit: { ...limitOf(rule.beyond), inv: true } } } });
  }
  return [...expressions, { counter: null }, { [rule.verdict]: null }];
}

function matchesOf(match: Match): Expression[] {
  const found: Expression[] = [];
  const add = (left: Json, right: Json, op = "==") => found.push({ match: { op, left, right } });
  if (match.interfaces !== undefined) add({ meta: { key: "iifname" } }, anyOf(match.interfaces));
  if (match.cast !== undefined) add({ meta: { key: "pkttype" } }, anyOf(match.cast));
  if (match.state !== undefined) add({ ct: { key: "state" } }, match.state.length === 1 ? match.state[0]! : match.state, "in");
  if (match.fromSet !== undefined) add(payload(match.fromSet === "blocked4" ? "ip" : "ip6", "saddr"), `@${match.fromSet}`);
  if (match.from !== undefined) {
    const { family, address, prefixBits } = match.from;
    const isWhole = prefixBits === (family === 4 ? 32 : 128);
    add(payload(family === 4 ? "ip" : "ip6", "saddr"), isWhole ? address : { prefix: { addr: address, len: prefixBits } });
  }
  if (match.icmp !== undefined) add(payload("icmp", "type"), anyOf(match.icmp));
  if (match.icmp6 !== undefined) add(payload("icmpv6", "type"), anyOf(match.icmp6));
  const protocol = match.protocol ?? "tcp";
  if (match.sourcePort !== undefined) add(payload(protocol, "sport"), match.sourcePort);
  if (match.port !== undefined) {
    add(payload(protocol, "dport"), typeof match.port === "number" ? match.port : anyOf(match.port));
  }
  return found;
}

function payload(protocol: string, field: string): Json {
  return { payload: { protocol, field } };
}

function limitOf({ perSecond, burst }: Limit): Record<string, Json> {
  return { rate: perSecond, burst, per: "second" };
}

function anyOf(values: readonly (string | number)[]): Json {
  return values.length === 1 ? values[0]! : { set: values };
}
