// Reads JSON as somebody types it: the value, where each part of it stands, or the first mistake with its line and column in words
// that do not differ from browser to browser.
//
//   { "outbox": { "max_age": "7d", } }
//                                  ^ line 1, column 32: wants a name in double quotes, found }

import { formatPath, type Json } from "./json.ts";

export interface Place {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

export interface Mistake extends Place {
  readonly code: "value" | "name" | "colon" | "comma" | "end" | "text" | "escape" | "number" | "doubled" | "deep" | "rest";
  /** What stands there, cut short; "": the end. */
  readonly found: string;
}

export type Read =
  | { readonly value: Json; readonly places: ReadonlyMap<string, Place>; readonly mistake?: undefined }
  | { readonly mistake: Mistake };

const DEPTH_MAX = 64;
const FOUND_CHARS_MAX = 20;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const BLANK = /[ \t\r\n]*/y;
/** All but the quote, the backslash and what is below the blank. */
const PLAIN = /[ !#-[\]-\uffff]*/y;
const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\", "/": "/" };

export function readJson(text: string): Read {
  const reader = new Reader(text);
  try {
    const value = reader.document();
    return { value, places: reader.places };
  } catch (error) {
    if (error instanceof Stop)
      return { mistake: { ...placeIn(text, error.at), code: error.code, found: shownAt(text, error.at) } };
    throw error;
  }
}

export function placeIn(text: string, at: number): Place {
  const before = text.slice(0, at);
  return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}

function shownAt(text: string, at: number): string {
  const word = /^(?:[A-Za-z0-9_.+-]+|[^\s])/.exec(text.slice(at, at + FOUND_CHARS_MAX))?.[0];
  return word ?? (at >= text.length ? "" : JSON.stringify(text.charAt(at)));
}

class Stop extends Error {
  readonly code: Mistake["code"];
  readonly at: number;

  constructor(code: Mistake["code"], at: number) {
    super(code);
    this.code = code;
    this.at = at;
  }
}

class Reader {
  readonly places = new Map<string, Place>();
  readonly #text: string;
  readonly #path: (string | number)[] = [];
  #at = 0;
  /** Counted along the way: looking back from every value would be quadratic. */
  #line = 1;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value();
    this.#blank();
    if (this.#at < this.#text.length) throw new Stop("rest", this.#at);
    return value;
  }

  #value(): Json {
    this.#blank();
    this.places.set(formatPath(this.#path), { line: this.#line, column: this.#at - this.#lineStart + 1 });
    if (this.#path.length > DEPTH_MAX) throw new Stop("deep", this.#at);
    switch (this.#text.charAt(this.#at)) {
      case "{":
        return this.#object();
      case "[":
        return this.#list();
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #object(): Json {
    const entries = new Map<string, Json>();
    this.#at += 1;
    if (this.#tryTake("}")) return {};
    do {
      this.#blank();
      const start = this.#at;
      if (this.#text.charAt(start) !== '"') throw new Stop("name", start);
      const key = this.#string();
      if (entries.has(key)) throw new Stop("doubled", start);
      if (!this.#tryTake(":")) throw new Stop("colon", this.#at);
      this.#path.push(key);
      entries.set(key, this.#value());
      this.#path.pop();
    } while (this.#tryTake(","));
    if (!this.#tryTake("}")) throw new Stop(this.#at >= this.#text.length ? "end" : "comma", this.#at);
    return Object.fromEntries(entries);
  }

  #list(): Json {
    const items: Json[] = [];
    this.#at += 1;
    if (this.#tryTake("]")) return items;
    do {
      this.#path.push(items.length);
      items.push(this.#value());
      this.#path.pop();
    } while (this.#tryTake(","));
    if (!this.#tryTake("]")) throw new Stop(this.#at >= this.#text.length ? "end" : "comma", this.#at);
    return items;
  }

  #string(): string {
    let value = "";
    this.#at += 1;
    for (;;) {
      value += this.#match(PLAIN);
      const next = this.#text.charAt(this.#at);
      if (next === '"') break;
      if (next !== "\\") throw new Stop("text", this.#at);
      value += this.#escape();
    }
    this.#at += 1;
    return value;
  }

  #escape(): string {
    const letter = this.#text.charAt(this.#at + 1);
    const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (plain !== undefined) {
      this.#at += 2;
      return plain;
    }
    const digits = this.#text.slice(this.#at + 2, this.#at + 6);
    if (letter !== "u" || !/^[0-9a-fA-F]{4}$/.test(digits)) throw new Stop("escape", this.#at);
    this.#at += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #number(): number {
    const start = this.#at;
    const digits = this.#match(NUMBER);
    if (digits === "") throw new Stop("value", start);
    if (/[A-Za-z0-9_.+-]/.test(this.#text.charAt(this.#at))) throw new Stop("number", start);
    return Number(digits);
  }

  #word<T extends Json>(word: string, value: T): T {
    const end = this.#at + word.length;
    if (this.#text.slice(this.#at, end) !== word || /\w/.test(this.#text.charAt(end))) throw new Stop("value", this.#at);
    this.#at = end;
    return value;
  }

  #tryTake(mark: string): boolean {
    this.#blank();
    if (this.#text.charAt(this.#at) !== mark) return false;
    this.#at += 1;
    return true;
  }

  #blank(): void {
    const start = this.#at;
    const blank = this.#match(BLANK);
    for (let i = blank.indexOf("\n"); i >= 0; i = blank.indexOf("\n", i + 1)) {
      this.#line += 1;
      this.#lineStart = start + i + 1;
    }
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}
