// What a settings document is made of, and the ways in it.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };
export type Path = readonly (string | number)[];

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Array.isArray leaves `readonly` lists in the other branch. */
export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

export function isSame(a: unknown, b: unknown): boolean {
  if (isList(a) && isList(b)) return a.length === b.length && a.every((each, i) => isSame(each, b[i]));
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]));
}

/** As the device writes it: `leafnodes.remotes[0].urls[1]`; "" is the document. */
export function formatPath(path: Path): string {
  return path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`)).join("");
}

export function parsePath(text: string): Path {
  return [...text.matchAll(/\[(\d+)\]|([^.[]+)/g)].map(([, index, key]) => (index === undefined ? key! : Number(index)));
}

/** undefined: nothing is written there. */
export function valueAt(document: Json | undefined, path: Path): Json | undefined {
  let value = document;
  for (const step of path) {
    if (isList(value) && typeof step === "number") value = value[step];
    else if (isObject(value) && typeof step === "string" && Object.hasOwn(value, step)) value = value[step];
    else return undefined;
  }
  return value;
}

/** Is `path` the place `above`, or beneath it? Both as text. */
export function isWithin(path: string, above: string): boolean {
  return above === "" || path === above || path.startsWith(`${above}.`) || path.startsWith(`${above}[`);
}
