// Bytes and texts from outside, made safe to show: nothing of them may move a cursor, colour a screen or turn a line around.

import { isUtf8 } from "node:buffer";

/** Control characters, what turns the direction of writing, and what takes no room. */
const DANGEROUS = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu;

/** On one line: what is dangerous stands as `\n`, `\x1b` or `\u202e`. */
export function printable(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll(DANGEROUS, (c) => {
    if (c === "\n") return "\\n";
    if (c === "\r") return "\\r";
    if (c === "\t") return "\\t";
    const code = c.codePointAt(0)!;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** The beginning of a payload: as text if all of it is text, else as hexadecimal digits. */
export function preview(payload: Buffer, charsMax: number): string {
  if (payload.length === 0) return "(empty)";
  const isText = isUtf8(payload);
  const shown = isText ? printable(payload.toString("utf8", 0, charsMax * 4)) : payload.toString("hex", 0, charsMax / 2);
  const isCut = shown.length > charsMax || (!isText && payload.length > charsMax / 2);
  return `${isText ? "" : "hex "}${shown.slice(0, charsMax)}${isCut ? "…" : ""}`;
}
