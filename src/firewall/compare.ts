// Is what the kernel has what we want? Both in one form: without handles and counts, keys and set members in order.

import type { Json } from "#base/schema.ts";
import { objectsOf } from "./nft-json.ts";
import type { Ruleset } from "./ruleset.ts";

export interface Drift {
  /** Keys of rules, or names of other objects, that are wanted and not there. */
  readonly missing: readonly string[];
  /** There and not wanted, or not as wanted. */
  readonly foreign: readonly string[];
  readonly isReordered: boolean;
}

export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

type Row = { readonly name: string; readonly form: string };

/** undefined: nothing differs. `listed`: what `Nft.list` gave; undefined when there is no table. */
export function driftOf(wanted: Ruleset, listed: readonly Json[] | undefined): Drift | undefined {
  const want = objectsOf(wanted).map(rowOf);
  const have = (listed ?? []).filter((object) => !isAside(object)).map(rowOf);
  const haveForms = new Set(have.map(({ form }) => form));
  const wantForms = new Set(want.map(({ form }) => form));
  const missing = want.filter(({ form }) => !haveForms.has(form)).map(({ name }) => name);
  const foreign = have.filter(({ form }) => !wantForms.has(form)).map(({ name }) => name);
  const order = (rows: readonly Row[]) => rows.filter(({ form }) => form.startsWith('{"rule"')).map(({ form }) => form);
  if (missing.length + foreign.length > 0) return { missing, foreign, isReordered: false };
  if (have.length !== want.length) return { missing, foreign: ["a rule that is there twice"], isReordered: false };
  return order(want).join() === order(have).join() ? undefined : { missing, foreign, isReordered: true };
}

export function driftWords({ missing, foreign, isReordered }: Drift): string {
  const parts = [
    missing.length === 0 ? "" : `missing: ${missing.join(", ")}`,
    foreign.length === 0 ? "" : `not ours: ${foreign.join(", ")}`,
    isReordered ? "the order of the rules" : "",
  ];
  return parts.filter((part) => part !== "").join("; ");
}

/** Packets and bytes that each rule of ours has seen, by its key. */
export function countsOf(listed: readonly Json[]): ReadonlyMap<string, Count> {
  const counts = new Map<string, Count>();
  for (const object of listed) {
    const rule = member(object, "rule");
    const key = member(rule, "comment");
    const expressions = member(rule, "expr");
    if (typeof key !== "string" || !Array.isArray(expressions)) continue;
    for (const expression of expressions) {
      const packets = member(member(expression, "counter"), "packets");
      const bytes = member(member(expression, "counter"), "bytes");
      if (typeof packets === "number" && typeof bytes === "number") counts.set(key, { packets, bytes });
    }
  }
  return counts;
}

/** What nft says of itself, and the senders that are blocked: neither belongs to the ruleset. */
function isAside(object: Json): boolean {
  return member(object, "metainfo") !== undefined || member(object, "element") !== undefined || isMeterSet(object);
}

/** nft 1.1 lists the memory of a meter as a set of its own. */
function isMeterSet(object: Json): boolean {
  const flags = member(member(object, "set"), "flags");
  return Array.isArray(flags) && flags.includes("dynamic");
}

function rowOf(object: Json): Row {
  const [kind = "object"] = Object.keys(object as object);
  const body = member(object, kind);
  const name = member(body, "comment") ?? member(body, "name") ?? kind;
  return { name: typeof name === "string" ? name : kind, form: JSON.stringify(normal(object)) };
}

/** nft 1.1 lists a meter as what it is inside: a statement that adds to a set of its own. */
function asMeter(value: Json): Json | undefined {
  const set = member(value, "set");
  const name = member(set, "set");
  const statements = member(set, "stmt");
  if (typeof name !== "string" || !Array.isArray(statements) || statements.length !== 1) return undefined;
  return { meter: { key: member(set, "elem") ?? null, name: name.slice(1), stmt: statements[0]! } };
}

const PASSED_OVER: ReadonlySet<string> = new Set(["handle", "elem", "size"]);

function normal(value: Json): Json {
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== "object" || value === null) return value;
  const meter = asMeter(value);
  if (meter !== undefined) return normal(meter);
  const sorted: Record<string, Json> = {};
  for (const [key, each] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (PASSED_OVER.has(key)) continue;
    if (key === "counter") sorted[key] = null;
    else if ((key === "set" || key === "flags") && Array.isArray(each))
      sorted[key] = [...each].sort((a, b) => (String(a) < String(b) ? -1 : 1));
    else sorted[key] = normal(each);
  }
  return sorted;
}

function member(value: Json | undefined, key: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return (value as Readonly<Record<string, Json>>)[key];
}
