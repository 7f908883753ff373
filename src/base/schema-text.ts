// The text forms of settings: plain words, secrets, file paths, listen addresses. Forms with a domain (subjects, hub URLs)
// are made with `parsedText` in the folder that knows the domain.

import * as path from "node:path";
import type { Endpoint } from "./net.ts";
import type { Parsed, Schema, TextNode } from "./schema.ts";
import { Secret } from "./secret.ts";

const TEXT_BYTES_MAX = 1024;

export interface TextRules {
  /** Regular expression, anchored. */
  readonly pattern?: string;
  readonly bytesMax?: number;
}

/** A text of at least one character, without control characters. `wants` completes "wants …". */
export function text(wants: string, rules: TextRules = {}): Schema<string> {
  return parsedText(wants, rules, (value) => ({ value }));
}

/** A text that is never shown. `check` gives what is wrong with it (without quoting it), or undefined. */
export function secretText(wants: string, check: (text: string) => string | undefined = () => undefined): Schema<Secret> {
  const parse = (text: string): Parsed<Secret> => {
    const remedy = check(text);
    return remedy === undefined ? { value: new Secret(text) } : { fault: { remedy } };
  };
  return { node: textNode(wants, {}, "whole", parse) };
}

/** A word fit for a subject token, a file name and a label. */
export function token(wants: string): Schema<string> {
  return text(`${wants}: 1 to 64 letters, digits, "-" or "_"`, { pattern: "^[A-Za-z0-9_-]{1,64}$" });
}

/** A file's path; a relative one starts at the data directory. The value is absolute. */
export function filePath(): Schema<string> {
  return parsedText("the path of a file", {}, (value, directory) => ({ value: path.resolve(directory, value) }));
}

/** `host:port`. Port 0 lets the system choose. */
export function listenAddress(): Schema<Endpoint> {
  return parsedText('an address such as "127.0.0.1:1883" or "[::1]:1883"', {}, (value) => {
    const found = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(value);
    const port = Number(found?.[3]);
    if (found !== null && port <= 65_535) return { value: Object.freeze({ host: found[1] ?? found[2]!, port }) };
    return {
      fault: { remedy: "write the address to listen on, a colon and a port from 0 to 65535; 0.0.0.0 means every network" },
    };
  });
}

export interface ParsedTextRules extends TextRules {
  /** The text is a URL whose user information must not be shown. */
  readonly hidesUserInfo?: boolean;
}

export function parsedText<T>(
  wants: string,
  rules: ParsedTextRules,
  parse: (text: string, directory: string) => Parsed<T>,
): Schema<T> {
  return { node: textNode(wants, rules, rules.hidesUserInfo === true ? "user-info" : "no", parse) };
}

function textNode(wants: string, rules: TextRules, secret: TextNode["secret"], parse: TextNode["parse"]): TextNode {
  return { kind: "text", wants, pattern: rules.pattern, bytesMax: rules.bytesMax ?? TEXT_BYTES_MAX, secret, parse };
}
