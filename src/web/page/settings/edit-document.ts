// Changes to a settings document, each giving a new one. What nobody wrote stays unwritten, so that a later version's better default
// comes through; what somebody sets is written, with the default list around it where an item of a default list is changed.

import { isList, isObject, isSame, type Json, type JsonObject, type Path, valueAt } from "./json.ts";
import { type Field, formOf, type Shape } from "./shape.ts";

/** As the device reads it: what is written, else the default. */
export function effectiveAt(root: Shape, document: Json, path: Path): Json | undefined {
  let shape: Shape | undefined = root;
  let value: Json | undefined = document;
  for (const step of path) {
    const field = fieldAt(shape, value, step);
    const written = valueAt(value, [step]);
    value = written === undefined ? field?.fallback : written;
    shape = childShape(shape, value, step, field);
  }
  return value;
}

export function setAt(root: Shape, document: Json, path: Path, value: Json): Json {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const shape = bare(root, document);
  const field = fieldAt(shape, document, step);
  const current = isWritten(document, step) ? valueAt(document, [step]) : startOf(field);
  const inner = childShape(shape, document, step, field) ?? { kind: "other" };
  const child = rest.length === 0 ? value : setAt(inner, current ?? (typeof rest[0] === "number" ? [] : {}), rest, value);
  if (typeof step === "number") return isList(document) ? document.with(step, child) : [child];
  return withKey(isObject(document) ? document : {}, step, child);
}

/** Takes what was written out, so that the default is in force; an object that then says nothing goes too, where that is its default. */
export function resetAt(root: Shape, document: Json, path: Path): Json {
  const [step, ...rest] = path;
  if (step === undefined || !isWritten(document, step)) return document;
  const shape = bare(root, document);
  const field = fieldAt(shape, document, step);
  if (rest.length === 0) return isObject(document) ? withoutKey(document, String(step)) : document;
  const inner = childShape(shape, document, step, field) ?? { kind: "other" };
  const child = resetAt(inner, valueAt(document, [step])!, rest);
  if (isList(document)) return document.with(Number(step), child);
  const says = isObject(child) && Object.keys(child).length === 0 && isSame(field?.fallback, {}) && !field?.isRequired;
  return says ? withoutKey(document as JsonObject, String(step)) : withKey(document as JsonObject, String(step), child);
}

export function moveItem(list: readonly Json[], from: number, to: number): readonly Json[] {
  if (to < 0 || to >= list.length) return list;
  const item = list[from]!;
  return list.toSpliced(from, 1).toSpliced(to, 0, item);
}

/** Something to start from: what must be there, and no more. */
export function blankOf(shape: Shape): Json {
  switch (shape.kind) {
    case "object":
      return Object.fromEntries(
        shape.fields.filter(({ isRequired }) => isRequired).map(({ key, shape: inner }) => [key, blankOf(inner)]),
      );
    case "list":
      return Array.from({ length: Math.min(shape.min, 1) }, () => blankOf(shape.item));
    case "choice":
      return shape.values[0] ?? "";
    case "number":
      return Math.max(shape.min ?? 0, Math.min(shape.max ?? 0, 0));
    case "flag":
      return false;
    case "nullable":
      return blankOf(shape.inner);
    case "union":
      return blankOf(shape.forms[0] ?? { kind: "other" });
    case "quantity":
    case "text":
      return "";
    case "other":
      return null;
  }
}

/** What a value becomes when it takes another form of its union, keeping what fits. */
export function reshaped(value: Json | undefined, form: Shape): Json {
  if (form.kind === "object") {
    const list = form.fields.find(({ key }) => key === "allow");
    if (isList(value) && list !== undefined) return { allow: value };
    const name = form.fields.find(({ isRequired }) => isRequired);
    const fits = name !== undefined && (typeof value === "string" || name.shape.kind === "list");
    if (fits && typeof value === "string" && (name.shape.kind === "text" || name.shape.kind === "choice"))
      return { ...(blankOf(form) as JsonObject), [name.key]: value };
  }
  if (isObject(value)) {
    if (form.kind === "list" && isList(value["allow"])) return value["allow"];
    const inside = value["name"] ?? value["mode"];
    if ((form.kind === "text" || form.kind === "choice") && typeof inside === "string") return inside;
  }
  return form.kind === "flag" ? true : blankOf(form);
}

/** Without "nullable" and "union" around it. */
export function bare(shape: Shape, value: Json | undefined): Shape {
  if (shape.kind === "nullable") return bare(shape.inner, value);
  if (shape.kind !== "union") return shape;
  const place = formOf(shape.forms, value);
  return shape.forms[place] ?? shape;
}

export function fieldAt(shape: Shape | undefined, value: Json | undefined, step: string | number): Field | undefined {
  const inner = shape === undefined ? undefined : bare(shape, value ?? {});
  return inner?.kind === "object" ? inner.fields.find(({ key }) => key === step) : undefined;
}

function childShape(shape: Shape | undefined, value: Json | undefined, step: string | number, field?: Field): Shape | undefined {
  if (field !== undefined) return field.shape;
  const inner = shape === undefined ? undefined : bare(shape, value ?? (typeof step === "number" ? [] : {}));
  return inner?.kind === "list" && typeof step === "number" ? inner.item : undefined;
}

/** Where an unwritten part begins when something in it is set: lists bring their default along, objects have it by themselves. */
function startOf(field: Field | undefined): Json | undefined {
  return isList(field?.fallback) ? field.fallback : undefined;
}

function isWritten(value: Json | undefined, step: string | number): boolean {
  return valueAt(value, [step]) !== undefined;
}

function withKey(object: JsonObject, key: string, value: Json): JsonObject {
  return { ...object, [key]: value };
}

function withoutKey(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([each]) => each !== key));
}
