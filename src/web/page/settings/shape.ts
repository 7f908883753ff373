// What a form needs to know of a setting, read out of the device's JSON Schema.
//
//   anyOf [X, null]          ─▶ nullable X: a part that can be off, or a value that can be left to the device
//   anyOf [X, Y, …]          ─▶ union: the user chooses which form the value has
//   string with our patterns ─▶ quantity: a number and a unit
//   const                    ─▶ not supported yet: not shown
//
// A keyword that is not known here makes an `other` setting, which is edited as JSON: a newer device loses nothing by an older form.

import { isList, isObject, type Json, type JsonObject } from "./json.ts";

export type Shape =
  | { readonly kind: "object"; readonly fields: readonly Field[] }
  | { readonly kind: "list"; readonly item: Shape; readonly min: number; readonly max: number }
  | { readonly kind: "choice"; readonly values: readonly (string | number | boolean)[] }
  | { readonly kind: "number"; readonly isWhole: boolean; readonly min?: number; readonly max?: number }
  | { readonly kind: "quantity"; readonly of: "duration" | "size"; readonly hint: string }
  | { readonly kind: "text"; readonly hint: string; readonly charsMax: number; readonly isSecret: boolean }
  | { readonly kind: "flag" }
  | { readonly kind: "nullable"; readonly inner: Shape }
  | { readonly kind: "union"; readonly forms: readonly Shape[] }
  | { readonly kind: "other" };

export interface Field {
  readonly key: string;
  readonly shape: Shape;
  /** In English: it comes from the device's schema. */
  readonly help: string;
  readonly isRequired: boolean;
  /** undefined: there is none. */
  readonly fallback: Json | undefined;
}

export type ObjectShape = Extract<Shape, { kind: "object" }>;

export function shapeOf(schema: unknown): Shape {
  if (!isObject(schema)) return { kind: "other" };
  if (isList(schema["anyOf"])) return shapeOfAny(schema["anyOf"]);
  if (isList(schema["enum"])) return { kind: "choice", values: schema["enum"] as readonly (string | number | boolean)[] };
  switch (schema["type"]) {
    case "object":
      return { kind: "object", fields: fieldsOf(schema) };
    case "array":
      return {
        kind: "list",
        item: shapeOf(schema["items"]),
        min: numberOr(schema["minItems"], 0),
        max: numberOr(schema["maxItems"], 1000),
      };
    case "boolean":
      return { kind: "flag" };
    case "integer":
    case "number":
      return {
        kind: "number",
        isWhole: schema["type"] === "integer",
        ...(typeof schema["minimum"] === "number" ? { min: schema["minimum"] } : {}),
        ...(typeof schema["maximum"] === "number" ? { max: schema["maximum"] } : {}),
      };
    case "string":
      return shapeOfText(schema);
    default:
      return { kind: "other" };
  }
}

function shapeOfAny(forms: readonly Json[]): Shape {
  const others = forms.filter((form) => !(isObject(form) && form["type"] === "null"));
  const shapes = others.map(shapeOf).flatMap((shape) => (shape.kind === "union" ? shape.forms : [shape]));
  const inner: Shape = shapes.length === 1 ? shapes[0]! : { kind: "union", forms: shapes };
  return others.length < forms.length && inner.kind !== "nullable" ? { kind: "nullable", inner } : inner;
}

function shapeOfText(schema: JsonObject): Shape {
  const hint = textOr(schema["description"], "");
  const pattern = textOr(schema["pattern"], "");
  if (pattern.includes("(ms|s|m|h|d)")) return { kind: "quantity", of: "duration", hint };
  if (pattern.includes("(B|KiB|MiB|GiB|TiB)")) return { kind: "quantity", of: "size", hint };
  return { kind: "text", hint, charsMax: numberOr(schema["maxLength"], 4096), isSecret: schema["writeOnly"] === true };
}

function fieldsOf(schema: JsonObject): readonly Field[] {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const required = isList(schema["required"]) ? schema["required"] : [];
  return Object.entries(properties).flatMap(([key, each]) => {
    if (key === "$schema" || !isObject(each) || Object.hasOwn(each, "const")) return [];
    const help = textOr(each["description"], "");
    return [{ key, shape: shapeOf(each), help, isRequired: required.includes(key), fallback: each["default"] }];
  });
}

function textOr(value: Json | undefined, fallback: string): string {
  return typeof value === "string" ? value : fallback;
}

function numberOr(value: Json | undefined, fallback: number): number {
  return typeof value === "number" ? value : fallback;
}

/** The shape of a value that is there: which of a union's forms it has. -1: none of them. */
export function formOf(forms: readonly Shape[], value: Json | undefined): number {
  const kindsOf = (each: Json | undefined): readonly Shape["kind"][] => {
    if (isList(each)) return ["list"];
    if (isObject(each)) return ["object"];
    if (typeof each === "boolean") return ["flag"];
    if (typeof each === "number") return ["number"];
    return typeof each === "string" ? ["text", "quantity"] : [];
  };
  const kinds = kindsOf(value);
  const chosen = forms.findIndex(
    (form) => form.kind === "choice" && value !== undefined && form.values.some((each) => each === value),
  );
  if (chosen >= 0) return chosen;
  const fit = forms.findIndex((form) => kinds.includes(form.kind));
  return fit >= 0 ? fit : forms.findIndex((form) => form.kind === "choice" && typeof value === "string");
}

/** One control is enough. */
export function isPlain(shape: Shape): boolean {
  return shape.kind !== "object" && shape.kind !== "list" && shape.kind !== "union" && shape.kind !== "nullable";
}
