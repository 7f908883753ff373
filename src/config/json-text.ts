// JSON text → value, or the line and column of the first thing that is wrong.
//
// Why not JSON.parse: its messages quote the text (and so its secrets), do not always tell the place, and a key that stands
// twice is silently the last one. This reader takes exactly what JSON.parse takes (RFC 8259), but for doubled keys and nesting
// beyond DEPTH_MAX. Tests compare the two.

import type { Json } from "#base/schema.ts";

export interface JsonFault {
  readonly line: number;
  readonly column: number;
  readonly wanted: string;
  readonly found: string;
}

export type JsonRead = { readonly value: Json } | { readonly fault: JsonFault };

const DEPTH_MAX = 64;

export function readJson(text: string): JsonRead {
  const reader = new Reader(text);
  try {
    return { value: reader.document() };
  } catch (error) {
    if (error instanceof Unexpected) return { fault: locate(text, error) };
    throw error;
  }
}

/** Never leaves this file. */
class Unexpected extends Error {
  readonly offset: number;
  readonly wanted: string;
  readonly found: string | undefined;

  constructor(offset: number, wanted: string, found?: string) {
    super(wanted);
    this.offset = offset;
    this.wanted = wanted;
    this.found = found;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = { true: true, false: false, null: null } as const;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value(0);
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw new Unexpected(this.#at, "the end of the file after the document");
    return value;
  }

  #value(depth: number): Json {
    this.#skipBlanks();
    if (depth > DEPTH_MAX) throw new Unexpected(this.#at, `at most ${DEPTH_MAX} levels of nesting`);
    const char = this.#text[this.#at];
    if (char === "{") return this.#object(depth);
    if (char === "[") return this.#list(depth);
    if (char === '"') return this.#string();
    for (const [word, value] of Object.entries(WORDS)) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    NUMBER.lastIndex = this.#at;
    const digits = NUMBER.exec(this.#text)?.[0];
    if (digits === undefined) throw new Unexpected(this.#at, "a value");
    this.#at += digits.length;
    return Number(digits);
  }

  #object(depth: number): Json {
    const object: Record<string, Json> = {};
    this.#at += 1;
    if (this.#takes("}")) return object;
    do {
      this.#skipBlanks();
      if (this.#text[this.#at] !== '"') throw new Unexpected(this.#at, "a key in double quotes");
      const keyAt = this.#at;
      const key = this.#string();
      if (Object.hasOwn(object, key)) throw new Unexpected(keyAt, "each key once", "a key that this object has already");
      if (!this.#takes(":")) throw new Unexpected(this.#at, 'a ":" after the key');
      // Not by assignment: "__proto__" is a key like any other here.
      Object.defineProperty(object, key, { value: this.#value(depth + 1), enumerable: true, writable: true, configurable: true });
    } while (this.#takes(","));
    if (!this.#takes("}")) throw new Unexpected(this.#at, 'a "," or a "}"');
    return object;
  }

  #list(depth: number): Json {
    const list: Json[] = [];
    this.#at += 1;
    if (this.#takes("]")) return list;
    do list.push(this.#value(depth + 1));
    while (this.#takes(","));
    if (!this.#takes("]")) throw new Unexpected(this.#at, 'a "," or a "]"');
    return list;
  }

  #string(): string {
    const start = this.#at;
    for (let i = start + 1; i < this.#text.length; i++) {
      const char = this.#text[i]!;
      if (char === '"') {
        this.#at = i + 1;
        return JSON.parse(this.#text.slice(start, this.#at)); // checked below: escapes are whole, no control characters
      }
      if (char < " ") throw new Unexpected(i, "a closing quote before the end of the line");
      if (char !== "\\") continue;
      const escaped = /^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(this.#text.slice(i + 1, i + 6))?.[0];
      if (escaped === undefined) throw new Unexpected(i, "a whole escape such as \\n or \\u00e9 (a backslash itself is \\\\)");
      i += escaped.length;
    }
    throw new Unexpected(start, "a closing quote for the text that begins here", "none up to the end of the file");
  }

  #takes(char: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  #skipBlanks(): void {
    while (this.#at < this.#text.length && " \t\n\r".includes(this.#text[this.#at]!)) this.#at += 1;
  }
}

function locate(text: string, { offset, wanted, found }: Unexpected): JsonFault {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  const column = offset - before.lastIndexOf("\n");
  return { line, column, wanted, found: found ?? foundAt(text, offset) };
}

/** At most one sign of the text, and no letter or digit, so that no secret gets out. */
function foundAt(text: string, offset: number): string {
  if (offset >= text.length) return "the end of the file";
  if (text.startsWith("//", offset) || text.startsWith("/*", offset) || text[offset] === "#") return "a comment (JSON has none)";
  const isTrailing = "]}".includes(text[offset]!) && text.slice(0, offset).trimEnd().endsWith(",");
  if (isTrailing) return `a "${text[offset]}" after a "," (take the comma out)`;
  const char = String.fromCodePoint(text.codePointAt(offset)!);
  if (/[\p{L}\p{N}]/u.test(char)) return "something without quotes";
  return char <= " " ? "a control character" : JSON.stringify(char);
}
