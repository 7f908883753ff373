// A payload made readable: JSON with its lines and indents, text, or bytes in hex beside their characters.
//
// JSON is set in lines without being read and written anew: numbers keep every digit, doubled keys stay doubled, as they were sent.

export type ShowAs = "auto" | "json" | "text" | "hex";

export interface Readable {
  readonly kind: "json" | "text" | "hex" | "none";
  readonly text: string;
}

const HEX_BYTES_A_LINE = 8;
const INDENT = "  ";

/** `text` null: the bytes are no text. `kind: "none"`: it is not what was asked for. */
export function readable(bytes: Uint8Array, text: string | null, showAs: ShowAs): Readable {
  if (showAs === "hex") return { kind: "hex", text: hexLines(bytes) };
  if (showAs === "text") return text === null ? { kind: "none", text: "" } : { kind: "text", text };
  const json = text === null ? undefined : tryIndentJson(text);
  if (json !== undefined && (showAs === "json" || /^\s*[[{]/.test(text!))) return { kind: "json", text: json };
  if (showAs === "json") return { kind: "none", text: "" };
  return text === null ? { kind: "hex", text: hexLines(bytes) } : { kind: "text", text };
}

/** undefined: it is no JSON. */
export function tryIndentJson(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  let out = "";
  let depth = 0;
  let isEmpty = false; // just behind an opening bracket
  const line = () => `\n${INDENT.repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "}" || token === "]") {
      depth -= 1;
      out += isEmpty ? token : line() + token;
      isEmpty = false;
      continue;
    }
    if (isEmpty) out += line();
    isEmpty = token === "{" || token === "[";
    if (isEmpty) depth += 1;
    out += token === "," ? `,${line()}` : token === ":" ? ": " : token;
  }
  return out;
}

/** `00000000  7b 22 61 22 3a 31 7d     {"a":1}` */
export function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += HEX_BYTES_A_LINE) {
    const part = bytes.subarray(at, at + HEX_BYTES_A_LINE);
    const characters = Array.from(part, (byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hexOf(part).padEnd(HEX_BYTES_A_LINE * 3 - 1)}  ${characters}`);
  }
  return lines.join("\n");
}

/** `7b 22 61` */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Pairs of hex digits, with or without spaces between; undefined: they are not. */
export function tryHexBytes(text: string): Uint8Array | undefined {
  const digits = text.replace(/0x|[\s,:]/gi, "");
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return undefined;
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}

export function bytesOfBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export function base64OfBytes(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
