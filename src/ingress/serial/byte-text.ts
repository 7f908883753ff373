// Bytes written in the settings: `"\r\n"`, `"\x02"`, `"END"`, or in hex with a mark in front: `"hex:0d0a"`, `"hex: AA 55"`.
// Decoded to bytes-in-a-string (latin1), which can be compared, frozen and shown, unlike a Buffer.

import type { Parsed, Schema } from "#base/schema.ts";
import { parsedText } from "#base/schema-text.ts";

const REMEDY = 'write plain characters with \\r, \\n, \\t, \\0, \\\\ or \\xNN, or hex such as "hex:0d0a"';
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|([rnt0\\]))/g;
const NAMED: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", "0": "\0", "\\": "\\" };

/** `wants` completes "wants …". */
export function byteText(wants: string, bytesMax: number): Schema<string> {
  return parsedText(`${wants}, such as "\\r\\n" or "hex:0d0a"`, { bytesMax: 8 + bytesMax * 5 }, (text) => {
    const parsed = parse(text);
    if (!("value" in parsed) || parsed.value.length <= bytesMax) return parsed;
    return { fault: { found: `${parsed.value.length} bytes`, remedy: `the limit is ${bytesMax}` } };
  });
}

function parse(text: string): Parsed<string> {
  if (text.startsWith("hex:")) {
    const digits = text.slice(4).replaceAll(" ", "");
    if (!/^(?:[0-9a-fA-F]{2})+$/.test(digits)) return { fault: { remedy: REMEDY } };
    return { value: Buffer.from(digits, "hex").toString("latin1") };
  }
  if (/\\/.test(text.replaceAll(ESCAPE, ""))) return { fault: { remedy: REMEDY } };
  const bytes = Buffer.from(text.replaceAll(ESCAPE, "\0"), "utf8").toString("latin1");
  const escapes = [...text.matchAll(ESCAPE)].map((found) =>
    found[1] === undefined ? NAMED[found[2]!]! : String.fromCharCode(Number.parseInt(found[1], 16)),
  );
  let next = 0;
  return { value: bytes.replaceAll("\0", () => escapes[next++]!) }; // no NUL but ours: settings hold no control characters
}
