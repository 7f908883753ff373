// Environment variables that stand in for keys of the settings, for fleets.
//
//   PETIOLE_LEAFNODES__REMOTES__0__URLS='["tls://hub:7422"]'   two underscores = one level down; the value is JSON,
//   PETIOLE_SERVER_NAME=gw-0042                                or else a plain text
//   HUB_URLS=tls://a:7422,tls://b:7422   HUB_CREDENTIALS=…   DEVICE_NAME=gw-0042        short forms
//
// An empty variable counts as not set: that is what the dashboards leave behind when somebody clears a field.

import { type Fault, formatPath, type Path } from "#base/fault.ts";
import { nearest } from "#base/nearest.ts";
import type { Json, Node } from "#base/schema.ts";
import { readJson } from "./json-text.ts";
import { findPlace, keysAt } from "./schema-path.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Override {
  readonly path: Path;
  readonly value: Json;
  readonly variable: string;
}

export interface Overrides {
  /** In the order in which they apply: short forms first, so that the long one wins. */
  readonly list: readonly Override[];
  readonly faults: readonly Fault[];
}

const PREFIX = "PETIOLE_";
const SHORT_FORMS: Readonly<Record<string, Path>> = {
  HUB_URLS: ["leafnodes", "remotes", 0, "urls"],
  HUB_CREDENTIALS: ["leafnodes", "remotes", 0, "credentials"],
  DEVICE_NAME: ["server_name"],
};

export function readOverrides(env: Environment, root: Node): Overrides {
  const list: Override[] = [];
  const faults: Fault[] = [];
  for (const [variable, path] of Object.entries(SHORT_FORMS)) {
    const text = env[variable];
    if (text === undefined || text === "") continue;
    list.push({ path, variable, value: variable === "HUB_URLS" ? urlList(text) : text });
  }
  for (const [variable, text] of Object.entries(env).sort(byListOrder)) {
    if (!variable.startsWith(PREFIX) || text === undefined || text === "") continue;
    const path = pathOf(variable);
    const place = findPlace(root, path);
    if (place === undefined) faults.push(unknownVariable(variable, path, root));
    else list.push({ path, variable, value: settingOf(text, place.node) });
  }
  return { list, faults };
}

/** Whole values before parts of them, list entries in number order: `…REMOTES` before `…REMOTES__0`, `…__2` before `…__10`. */
function byListOrder([a]: [string, unknown], [b]: [string, unknown]): number {
  const left = pathOf(a);
  const right = pathOf(b);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [left[i]!, right[i]!];
    if (x === y) continue;
    return typeof x === "number" && typeof y === "number" ? x - y : String(x) < String(y) ? -1 : 1;
  }
  return left.length - right.length;
}

function pathOf(variable: string): Path {
  const steps = variable.slice(PREFIX.length).toLowerCase().split("__");
  return steps.map((step) => (/^\d{1,6}$/.test(step) ? Number(step) : step));
}

/** `a,b` or a JSON list. */
function urlList(text: string): Json {
  const read = text.trimStart().startsWith("[") ? readJson(text) : undefined;
  if (read !== undefined && "value" in read) return read.value;
  return text
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
}

/** JSON where it is JSON; but where a text is wanted, `0042`, `42` and `true` are that text. */
function settingOf(text: string, node: Node): Json {
  const read = readJson(text);
  if (!("value" in read)) return text;
  const isScalar = typeof read.value === "number" || typeof read.value === "boolean";
  return isScalar && takesText(node) ? text : read.value;
}

function takesText(node: Node): boolean {
  switch (node.kind) {
    case "text":
    case "quantity":
      return true;
    case "choice":
      return node.values.every((value) => typeof value === "string");
    case "nullable":
    case "mapped":
      return takesText(node.inner);
    case "either":
      return node.text !== null && takesText(node.text);
    default:
      return false;
  }
}

/** The value is not shown: a mistyped name may well stand for a password. */
function unknownVariable(variable: string, path: Path, root: Node): Fault {
  const depth = path.findIndex((_, i) => findPlace(root, path.slice(0, i + 1)) === undefined);
  const known = keysAt(root, path.slice(0, depth));
  const guess = nearest(String(path[depth]), known);
  const step = (text: string) => PREFIX + [...path.slice(0, depth), text].map((each) => String(each).toUpperCase()).join("__");
  const remedy =
    guess !== undefined
      ? `did you mean ${step(guess)}…?`
      : `known there are ${known.length === 0 ? "no keys" : known.join(", ")}; two underscores mean one level down`;
  const place = formatPath(path.slice(0, depth));
  return {
    path: `$${variable}`,
    kind: "unknown",
    wanted: "a variable named after a setting",
    found: `nothing of that name under "${place}"`,
    remedy,
  };
}

/** balenaOS tells its containers so. */
export function isBalena(environment: Environment): boolean {
  return environment["BALENA"] === "1";
}
