// Where the members of a JSON object lie in its bytes, so that a value can be passed on as the device wrote it:
// 21.40 stays 21.40, and a 20-digit counter keeps its digits, which no detour over a JavaScript number would allow.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** `key…keyEnd`: between the quotes, still with its escapes. `value…valueEnd`: the value's own bytes, no white space around. */
export type MemberVisitor = (key: number, keyEnd: number, value: number, valueEnd: number) => void;

/** Visits the members in their order, doubles included. The bytes must be a valid JSON object: run `JSON.parse` first. */
export function eachMember(bytes: Buffer, start: number, end: number, visit: MemberVisitor): void {
  let at = skipSpace(bytes, skipSpace(bytes, start) + 1);
  while (at < end && bytes[at] === QUOTE) {
    const keyEnd = stringEnd(bytes, at) - 1;
    const value = skipSpace(bytes, skipSpace(bytes, keyEnd + 1) + 1); // over the closing quote, the space, the colon, the space
    const after = valueEnd(bytes, value);
    visit(at + 1, keyEnd, value, after);
    at = skipSpace(bytes, after);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
}

/** The first byte that is not JSON white space. */
export function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at++;
  return at;
}

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

/** Just behind the string that opens at `quote`. */
function stringEnd(bytes: Buffer, quote: number): number {
  let at = quote + 1;
  while (bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function valueEnd(bytes: Buffer, value: number): number {
  const first = bytes[value];
  if (first === QUOTE) return stringEnd(bytes, value);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return nestEnd(bytes, value);
  let at = value;
  while (bytes[at] !== COMMA && bytes[at] !== CLOSE_BRACE && !isSpace(bytes[at])) at++;
  return at;
}

/** Just behind the object or array that opens at `from`. Counts instead of calling itself: depth costs no stack. */
function nestEnd(bytes: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  for (;;) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = stringEnd(bytes, at);
      continue;
    }
    at++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return at;
  }
}
