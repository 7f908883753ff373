// From the payload of a command to the bytes for the device.
//
//   type   payload                                bytes
//   raw    anything                               itself
//   text   UTF-8 without control characters       itself
//   hex    `01 0a FF`, `010aff`, `01:0a:ff`       as they say
//   json   {"channel":3,"value":true}             the template, "SET {channel} {value}" → `SET 3 true`
//   and `append` behind each.
//
// Values for a template are texts, numbers and flags. A text with a control character is refused: it could end the command and
// begin another that nobody meant.

import { isUtf8 } from "node:buffer";
import type { WritePayloadOptions } from "./write-options.ts";

const PLACEHOLDER = /\{(\w+)\}/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is being refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const NOTHING = Buffer.alloc(0);

/** The bytes, or what is wrong with the payload, in words that complete "the command is …". */
export function encodePayload(options: WritePayloadOptions, payload: Buffer): Buffer | string {
  const body = encodeBody(options, payload);
  if (typeof body === "string") return body;
  const append = options.append === null ? NOTHING : Buffer.from(options.append, "latin1");
  if (body.length + append.length === 0) return "empty";
  return append.length === 0 ? body : Buffer.concat([body, append]);
}

function encodeBody(options: WritePayloadOptions, payload: Buffer): Buffer | string {
  switch (options.type) {
    case "raw":
      return payload;
    case "text":
      if (!isUtf8(payload)) return "not UTF-8 text";
      return CONTROL.test(payload.toString("utf8")) ? "text with a control character in it" : payload;
    case "hex": {
      const digits = payload.toString("latin1").replaceAll(/[\s:,-]|0x/gi, "");
      return /^([0-9a-f]{2})*$/i.test(digits) ? Buffer.from(digits, "hex") : "not an even number of hex digits such as 01 0A";
    }
    case "json":
      return fillTemplate(options.template ?? "", payload);
  }
}

function fillTemplate(template: string, payload: Buffer): Buffer | string {
  const members = tryObject(payload);
  if (members === undefined) return "not a JSON object";
  let fault: string | undefined;
  const filled = template.replaceAll(PLACEHOLDER, (_, name: string) => {
    const value = Object.hasOwn(members, name) ? members[name] : undefined;
    if (typeof value === "string" && !CONTROL.test(value)) return value;
    if (typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))) return String(value);
    fault ??=
      value === undefined
        ? `without the member "${name}"`
        : `with a member "${name}" that is no text without control characters, no number and no flag`;
    return "";
  });
  return fault ?? Buffer.from(filled, "utf8");
}

function tryObject(payload: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(payload.toString("utf8"));
    return typeof json === "object" && json !== null && !Array.isArray(json) ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
