// Settings described once: type, default, range, unit, help, secrecy and "not supported yet" stand in one declaration.
//
//   const hubOptions = fields({
//     url:   required(remoteUrl(),                    "where the hub's leafnode port listens"),
//     pause: optional(duration("1s", "10m"), "30s",   "silence before we ask whether the hub is there"),
//   });
//   type HubOptions = ValueOf<typeof hubOptions>;     // { readonly url: RemoteUrl; readonly pause: Millis }
//
// A schema is data; who reads it: decode.ts (JSON → frozen value, every fault at once), and in config/ the JSON Schema,
// the README's table and the redaction. Keys are snake_case in the file and camelCase in the value.

import type { Fault, Report } from "./fault.ts";
import type { Secret } from "./secret.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

declare const TYPE: unique symbol;

/** A description of JSON that decodes to a `T`. */
export interface Schema<T> {
  readonly node: Node;
  readonly [TYPE]?: T;
}

/** The value a schema decodes to. */
export type ValueOf<S> = S extends Schema<infer T> ? T : never;

/** What checks see while other faults may be about: whatever did not decode is undefined. */
export type Loose<T> =
  | undefined
  | (T extends Secret | null | string | number | boolean
      ? T
      : T extends readonly (infer U)[]
        ? readonly Loose<U>[]
        : { readonly [K in keyof T]: Loose<T[K]> });

type Check = (value: never, report: Report) => void;

export interface FieldNode {
  readonly schema: Node;
  readonly help: string;
  readonly isRequired: boolean;
  /** In file form; absent when required. */
  readonly fallback?: Json;
  /** Its part does not exist yet: only the default is accepted. */
  readonly isLater: boolean;
}

export type Node =
  | { readonly kind: "fields"; readonly fields: Readonly<Record<string, FieldNode>>; readonly check: Check | undefined }
  | { readonly kind: "list"; readonly item: Node; readonly min: number; readonly max: number; readonly check: Check | undefined }
  | { readonly kind: "nullable"; readonly inner: Node }
  | {
      readonly kind: "either";
      readonly text: Node | null;
      readonly list: Node | null;
      readonly object: Node | null;
      readonly flag: Node | null;
    }
  | { readonly kind: "mapped"; readonly inner: Node; readonly map: (value: never) => unknown }
  | { readonly kind: "choice"; readonly values: readonly (string | number)[]; readonly later: readonly (string | number)[] }
  | { readonly kind: "number"; readonly isWhole: boolean; readonly min: number; readonly max: number; readonly unit: string }
  | { readonly kind: "quantity"; readonly of: "duration" | "size"; readonly min: string; readonly max: string }
  | { readonly kind: "flag" }
  | { readonly kind: "nothing" }
  | TextNode;

export interface TextNode {
  readonly kind: "text";
  /** In words, completing "wants …". */
  readonly wants: string;
  readonly pattern: string | undefined;
  readonly bytesMax: number;
  readonly secret: "no" | "whole" | "user-info";
  /** The decoded value, or what is wrong with the text. `directory`: where relative paths start. */
  readonly parse: (text: string, directory: string) => Parsed<unknown>;
}

export type Parsed<T> = { readonly value: T } | { readonly fault: Partial<Omit<Fault, "path">> };

/** One key of an object: what it holds, and what it falls back to. */
export interface Field<T> {
  readonly field: FieldNode;
  readonly [TYPE]?: T;
}

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type Fields = Readonly<Record<string, Field<unknown>>>;
/** The value of an object with these keys. */
export type FieldsValue<F extends Fields> = {
  readonly [K in keyof F & string as Camel<K>]: F[K] extends Field<infer T> ? T : never;
};

export function required<T>(schema: Schema<T>, help: string): Field<T> {
  return { field: { schema: schema.node, help, isRequired: true, isLater: false } };
}

/** `fallback` is written as in the file (`"30s"`, not 30000). */
export function optional<T>(schema: Schema<T>, fallback: Json, help: string): Field<T> {
  return { field: { schema: schema.node, help, isRequired: false, fallback, isLater: false } };
}

/** A key whose part does not exist yet: anything but `off` is refused in so many words. */
export function later<T>(schema: Schema<T>, off: Json, help: string): Field<T> {
  return { field: { schema: schema.node, help, isRequired: false, fallback: off, isLater: true } };
}

/** An object with exactly these keys. `check` sees what decoded, even while other keys are at fault. */
export function fields<F extends Fields>(
  keys: F,
  check?: (value: NonNullable<Loose<FieldsValue<F>>>, report: Report) => void,
): Schema<FieldsValue<F>> {
  const nodes = Object.fromEntries(Object.entries(keys).map(([key, { field }]) => [key, field]));
  return { node: { kind: "fields", fields: nodes, check: check as Check | undefined } };
}

export interface ListRules<T> {
  readonly min?: number;
  readonly max?: number;
  readonly check?: (items: readonly Loose<T>[], report: Report) => void;
}

const LIST_MAX = 1000;

export function list<T>(item: Schema<T>, rules: ListRules<T> = {}): Schema<readonly T[]> {
  const check = rules.check as Check | undefined;
  return { node: { kind: "list", item: item.node, min: rules.min ?? 0, max: rules.max ?? LIST_MAX, check } };
}

export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  return { node: { kind: "nullable", inner: inner.node } };
}

/** One of several forms, told apart by the JSON type. */
export function either<A = never, B = never, C = never, D = never>(forms: {
  readonly text?: Schema<A>;
  readonly list?: Schema<B>;
  readonly object?: Schema<C>;
  readonly flag?: Schema<D>;
}): Schema<A | B | C | D> {
  const nodeOf = (form: Schema<unknown> | undefined) => form?.node ?? null;
  const { text, list, object, flag } = forms;
  return { node: { kind: "either", text: nodeOf(text), list: nodeOf(list), object: nodeOf(object), flag: nodeOf(flag) } };
}

/** Another shape of the same value; `map` is total and pure. */
export function mapped<A, B>(inner: Schema<A>, map: (value: A) => B): Schema<B> {
  return { node: { kind: "mapped", inner: inner.node, map } };
}

/** One of a few words or numbers. `later`: those we know of and do not support yet. */
export function oneOf<const T extends string | number>(
  values: readonly T[],
  rules: { readonly later?: readonly (string | number)[] } = {},
): Schema<T> {
  return { node: { kind: "choice", values, later: rules.later ?? [] } };
}

export function integer(min: number, max: number, unit = ""): Schema<number> {
  return { node: { kind: "number", isWhole: true, min, max, unit } };
}

export function number(min: number, max: number, unit = ""): Schema<number> {
  return { node: { kind: "number", isWhole: false, min, max, unit } };
}

export function flag(): Schema<boolean> {
  return { node: { kind: "flag" } };
}

/** Only `null`: for keys whose other values have no shape yet. */
export function nothing(): Schema<null> {
  return { node: { kind: "nothing" } };
}

/** Milliseconds; written `"250ms"`, `"30s"`, `"5m"`, `"2h"`, `"14d"`. */
export function duration(min: string, max: string): Schema<number> {
  return { node: { kind: "quantity", of: "duration", min, max } };
}

/** Bytes; written `"512B"`, `"64KiB"`, `"1GiB"`. */
export function size(min: string, max: string): Schema<number> {
  return { node: { kind: "quantity", of: "size", min, max } };
}

/** The key as the decoded value has it: `max_packet` → `maxPacket`. */
export function camelCase(key: string): string {
  return key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
