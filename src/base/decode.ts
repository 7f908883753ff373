// JSON → frozen, typed value, by a schema; gathers every fault instead of stopping at the first, and never throws.
//
//   leafnodes.remotes[0].urls[1]: wants a URL such as "tls://hub.example.com:7422", found "hub:7422": write a scheme …
//
// Faults show what was found, but never a secret: not the value of a secret key, nor the user information of a URL,
// nor anything but the type where an object or a list stands.

import { type Fault, formatPath, type Path, type Report } from "./fault.ts";
import { nearest } from "./nearest.ts";
import { formatDuration, formatSize, tryDuration, trySize } from "./quantity.ts";
import { camelCase, type FieldNode, type Node, type Schema, type TextNode } from "./schema.ts";
import { hideUserInfo } from "./secret.ts";

export type Decoded<T> = { readonly value: T; readonly faults: readonly [] } | { readonly faults: readonly Fault[] };

interface Context {
  readonly faults: Fault[];
  readonly directory: string;
}

/** Faults listed at most, so that a hostile document cannot fill the log. */
const FAULTS_MAX = 100;

/** `directory`: where relative file paths start. */
export function decode<T>(schema: Schema<T>, json: unknown, directory = "/data"): Decoded<T> {
  const context: Context = { faults: [], directory };
  const value = decodeNode(schema.node, json, [], context) as T;
  return context.faults.length === 0 ? { value, faults: [] } : { faults: context.faults.slice(0, FAULTS_MAX) };
}

/** Returns undefined where the value is at fault; a container comes back with the parts that decoded. */
function decodeNode(node: Node, json: unknown, path: Path, context: Context): unknown {
  switch (node.kind) {
    case "fields":
      return decodeFields(node, json, path, context);
    case "list":
      return decodeList(node, json, path, context);
    case "nullable":
      return json === null ? null : decodeNode(node.inner, json, path, context);
    case "either":
      return decodeEither(node, json, path, context);
    case "mapped": {
      const before = context.faults.length;
      const value = decodeNode(node.inner, json, path, context);
      if (context.faults.length > before) return undefined;
      return freeze((node.map as (value: unknown) => unknown)(value));
    }
    case "choice": {
      if (node.values.some((each) => each === json)) return json;
      const isLater = node.later.some((each) => each === json);
      return refuse(node, json, path, context, isLater ? { kind: "unsupported", remedy: `use ${wantsOf(node)} for now` } : {});
    }
    case "number": {
      const isFine = typeof json === "number" && (node.isWhole ? Number.isSafeInteger(json) : Number.isFinite(json));
      return isFine && json >= node.min && json <= node.max ? json : refuse(node, json, path, context, {});
    }
    case "quantity":
      return decodeQuantity(node, json, path, context);
    case "flag":
      return typeof json === "boolean" ? json : refuse(node, json, path, context, {});
    case "nothing":
      return json === null ? null : refuse(node, json, path, context, {});
    case "text":
      return decodeText(node, json, path, context);
  }
}

function decodeFields(node: Node & { kind: "fields" }, json: unknown, path: Path, context: Context): unknown {
  if (!isObject(json)) return refuse(node, json, path, context, {});
  const value: Record<string, unknown> = {};
  for (const key of Object.keys(json)) {
    if (Object.hasOwn(node.fields, key)) continue;
    const guess = nearest(key, Object.keys(node.fields));
    const remedy = guess === undefined ? `known here are ${Object.keys(node.fields).join(", ")}` : `did you mean "${guess}"?`;
    refuse(node, undefined, [...path, shown(key).slice(1, -1)], context, { kind: "unknown", found: "an unknown key", remedy });
    if (context.faults.length >= FAULTS_MAX) break; // nobody reads more, and a wrong file may have thousands
  }
  for (const [key, field] of Object.entries(node.fields)) {
    value[camelCase(key)] = decodeField(field, Object.hasOwn(json, key) ? json[key] : undefined, [...path, key], context);
  }
  node.check?.(value as never, reporter(path, context));
  return Object.freeze(value);
}

function decodeField(field: FieldNode, json: unknown, path: Path, context: Context): unknown {
  if (json !== undefined) {
    if (!field.isLater) return decodeNode(field.schema, json, path, context);
    if (!isSameValue(field, json, context)) {
      const off = JSON.stringify(field.fallback);
      const found = typeof json === "object" && json !== null ? "setting this" : describe(field.schema, json);
      context.faults.push({
        path: formatPath(path),
        kind: "unsupported",
        wanted: off,
        found,
        remedy: `leave it out or write ${off}`,
      });
      return undefined;
    }
  }
  if (field.isRequired) return refuse(field.schema, undefined, path, context, { kind: "missing", found: "nothing" });
  return decodeNode(field.schema, field.fallback, path, context);
}

/** Does `json` mean what the field's fallback means (`"0s"` for `"0ms"`)? */
function isSameValue(field: FieldNode, json: unknown, context: Context): boolean {
  const trial: Context = { faults: [], directory: context.directory };
  const value = decodeNode(field.schema, json, [], trial);
  if (trial.faults.length > 0) return false;
  return JSON.stringify(value) === JSON.stringify(decodeNode(field.schema, field.fallback, [], trial));
}

function decodeList(node: Node & { kind: "list" }, json: unknown, path: Path, context: Context): unknown {
  if (!Array.isArray(json) || json.length < node.min || json.length > node.max) {
    const found = Array.isArray(json) ? `a list of ${json.length}` : undefined;
    return refuse(node, json, path, context, found === undefined ? {} : { found });
  }
  const items = json.map((item, i) => decodeNode(node.item, item, [...path, i], context));
  node.check?.(items as never, reporter(path, context));
  return Object.freeze(items);
}

function decodeEither(node: Node & { kind: "either" }, json: unknown, path: Path, context: Context): unknown {
  const form = formOf(node, json);
  return form === null ? refuse(node, json, path, context, {}) : decodeNode(form, json, path, context);
}

function formOf(node: Node & { kind: "either" }, json: unknown): Node | null {
  if (Array.isArray(json)) return node.list;
  if (isObject(json)) return node.object;
  return typeof json === "string" ? node.text : typeof json === "boolean" ? node.flag : null;
}

function decodeQuantity(node: Node & { kind: "quantity" }, json: unknown, path: Path, context: Context): unknown {
  const parse = node.of === "duration" ? tryDuration : trySize;
  const value = typeof json === "string" ? parse(json) : undefined;
  if (value !== undefined && value >= parse(node.min)! && value <= parse(node.max)!) return value;
  return refuse(node, json, path, context, { remedy: quantityRemedy(node.of, json) });
}

function quantityRemedy(of: "duration" | "size", json: unknown): string {
  if (typeof json === "number" && Number.isSafeInteger(json) && json >= 0) {
    return of === "size"
      ? `write a unit, as in "${formatSize(json)}"`
      : `write a unit, as in "${json}s" or "${formatDuration(json)}"`;
  }
  const decimal = of === "size" && typeof json === "string" ? /^(\d+) ?([kKmMgGtT])[bB]?$/.exec(json) : null;
  if (decimal !== null) return `units are powers of 1024 here: write "${decimal[1]}${decimal[2]!.toUpperCase()}iB"`;
  return "";
}

function decodeText(node: TextNode, json: unknown, path: Path, context: Context): unknown {
  if (typeof json !== "string") return refuse(node, json, path, context, {});
  if (json === "") return refuse(node, json, path, context, { found: "an empty text" });
  const bytes = Buffer.byteLength(json);
  if (bytes > node.bytesMax) {
    return refuse(node, json, path, context, { found: `${bytes} bytes of text`, remedy: `the limit is ${node.bytesMax}` });
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is being refused
  if (/[\u0000-\u001f\u007f]/.test(json)) return refuse(node, json, path, context, { remedy: "take out the control characters" });
  if (node.pattern !== undefined && !new RegExp(node.pattern).test(json)) return refuse(node, json, path, context, {});
  const parsed = node.parse(json, context.directory);
  return "value" in parsed ? parsed.value : refuse(node, json, path, context, parsed.fault);
}

function refuse(node: Node, json: unknown, path: Path, context: Context, fault: Partial<Omit<Fault, "path">>): undefined {
  const { kind = "invalid", wanted = wantsOf(node), found = describe(node, json), remedy = "" } = fault;
  context.faults.push({ path: formatPath(path), kind, wanted, found, remedy });
}

function reporter(path: Path, context: Context): Report {
  return {
    fault: (at, { wanted, found, remedy }) => {
      context.faults.push({ path: formatPath([...path, ...at]), kind: "invalid", wanted, found, remedy });
    },
  };
}

/** What a node accepts, in words that complete "wants …". */
export function wantsOf(node: Node): string {
  switch (node.kind) {
    case "fields":
      return "an object";
    case "list":
      return node.min === 0 ? `a list of at most ${node.max}` : `a list of ${node.min} to ${node.max}`;
    case "nullable":
      return node.inner.kind === "nothing" ? "null" : `${wantsOf(node.inner)}, or null`;
    case "either":
      return [node.flag, node.text, node.list, node.object]
        .filter((form) => form !== null)
        .map(wantsOf)
        .join(", or ");
    case "mapped":
      return wantsOf(node.inner);
    case "choice":
      return node.values.map((value) => JSON.stringify(value)).join(" or ");
    case "number":
      return `a ${node.isWhole ? "whole number" : "number"} from ${node.min} to ${node.max}${node.unit === "" ? "" : ` ${node.unit}`}`;
    case "quantity":
      return `a ${node.of} from "${node.min}" to "${node.max}"`;
    case "flag":
      return "true or false";
    case "nothing":
      return "null";
    case "text":
      return node.wants;
  }
}

/** Is there a secret anywhere in what this node accepts? Then only the type of a misplaced value is shown. */
export function holdsSecret(node: Node): boolean {
  switch (node.kind) {
    case "fields":
      return Object.values(node.fields).some((field) => holdsSecret(field.schema));
    case "list":
      return holdsSecret(node.item);
    case "nullable":
    case "mapped":
      return holdsSecret(node.inner);
    case "either":
      return [node.flag, node.text, node.list, node.object].some((form) => form !== null && holdsSecret(form));
    case "text":
      return node.secret === "whole";
    default:
      return false;
  }
}

function describe(node: Node, json: unknown): string {
  if (json === undefined) return "nothing";
  if (Array.isArray(json)) return "a list";
  if (isObject(json)) return "an object";
  if (!holdsSecret(node) || json === null) return shown(json);
  return typeof json === "string" ? "a text" : `a ${typeof json}`;
}

const SHOWN_CHARS_MAX = 80;

function shown(json: unknown): string {
  const text = typeof json === "string" ? JSON.stringify(hideUserInfo(json)) : String(json);
  return text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}…`;
}

export function isObject(json: unknown): json is { readonly [key: string]: unknown } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** Values made by a map are frozen one level deep; what they hold was frozen before. */
function freeze(value: unknown): unknown {
  return typeof value === "object" && value !== null ? Object.freeze(value) : value;
}
