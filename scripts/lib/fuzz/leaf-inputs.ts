// What the leaf fuzzer feeds: elements of real sessions and of the grammar, strung together and then spoilt.

import * as fs from "node:fs";
import * as path from "node:path";
import { readLeaf } from "../../../test/support/leaf-oracle.ts";
import { ROOT } from "../suites.ts";

/** Uniform in [0, 1). */
export type Random = () => number;

const TRANSCRIPTS = path.join(ROOT, "test/fixtures/transcripts");
/** Once in so many inputs, one that goes to a limit: long lines, many words, large messages, lying sizes. */
const LARGE_EVERY = 1000;

const WORDS = [
  "a",
  "a.b.c",
  "*",
  ">",
  "_INBOX.x.1",
  "$JS.ACK.S.C.1@x",
  "|",
  "+",
  "g1",
  "0",
  "1",
  "7",
  "12",
  "13",
  "065",
  "-1",
  "1x",
  "",
];
const NUMBERS = [
  "0",
  "1",
  "2",
  "9",
  "12",
  "255",
  "4096",
  "65536",
  "8388608",
  "8388609",
  "999999999",
  "1000000000",
  "99999999999",
];
const OPERATIONS = [
  "LMSG",
  "HMSG",
  "LS+",
  "LS-",
  "PING",
  "PONG",
  "INFO",
  "-ERR",
  "+OK",
  "lmsg",
  "Hmsg",
  "CONNECT",
  "SUB",
  "LMS",
  "",
];
const BLANKS = [" ", "\t", "  ", " \t ", ""];
const ENDS = ["\r\n", "\n", "\r", "\r\r\n", ""];
/** Bytes that mean something to somebody. */
const TELLING = Buffer.from("\r\n \t+-|0189.@$*>LlHhSsPpIi'\"{\0\x0b\x0d\x2b\x2d\x7f\x80\xff", "latin1");

/** Whole elements of what hubs said, from the transcripts. */
export function hubElements(): readonly Buffer[] {
  const elements = new Map<string, Buffer>();
  for (const name of fs.readdirSync(TRANSCRIPTS).filter((each) => each.endsWith(".txt"))) {
    const said = fs.readFileSync(path.join(TRANSCRIPTS, name), "utf8").split("\n");
    const lines = said.filter((line) => line.startsWith("S: ")).map((line) => line.slice(3));
    const text = lines.map((line) => (line.endsWith("<no-CRLF>") ? line.slice(0, -"<no-CRLF>".length) : `${line}\r\n`));
    const bytes = Buffer.from(text.join(""), "utf8");
    let from = 0;
    for (const to of readLeaf(bytes).ends) {
      elements.set(bytes.toString("latin1", from, to), bytes.subarray(from, to));
      from = to;
    }
  }
  return [...elements.values()].filter(({ length }) => length <= 2048);
}

/** The next input: mostly short, so that many fit into a second. */
export function nextInput(random: Random, elements: readonly Buffer[]): Buffer {
  if (chance(random, 1 / LARGE_EVERY)) return largeInput(random);
  const parts = Array.from({ length: 1 + below(random, 4) }, () =>
    chance(random, 0.4) ? pick(random, elements) : Buffer.from(grammarElement(random), "latin1"),
  );
  let input: Buffer = Buffer.concat(parts);
  for (let spoils = below(random, 4); spoils > 0 && input.length > 0; spoils--) input = spoilt(random, input, elements);
  return input;
}

/** Where to cut an input of this length: nowhere, anywhere, or everywhere. */
export function nextCuts(random: Random, length: number): readonly number[] {
  if (length <= 300 && chance(random, 0.05)) return Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
  return Array.from({ length: 1 + below(random, 5) }, () => below(random, length + 1)).sort((a, b) => a - b);
}

/** Something close to what the grammar allows. */
function grammarElement(random: Random): string {
  const operation = pick(random, OPERATIONS);
  const blank = () => (chance(random, 0.9) ? " " : pick(random, BLANKS));
  const end = chance(random, 0.95) ? "\r\n" : pick(random, ENDS);
  if (!/^[lh]msg$/i.test(operation)) {
    const words = Array.from({ length: below(random, 4) }, () => blank() + pick(random, WORDS));
    return `${operation}${words.join("")}${end}`;
  }
  const headers = operation.toLowerCase() === "hmsg" ? `NATS/1.0\r\n${"k: v\r\n".repeat(below(random, 3))}\r\n` : "";
  const payload = pick(random, ["", "x", "hello", "\r\n", "PING\r\n", "\n\n\n"]);
  const reply = pick(random, ["", "", "_INBOX.1", "$JS.ACK.S.C.1.2.3.4.5@a.b"]);
  const groups = Array.from({ length: below(random, 3) }, () => blank() + pick(random, ["g1", "g2", "workers"])).join("");
  const address = groups === "" ? reply && blank() + reply : `${blank()}${reply ? `+ ${reply}` : "|"}${groups}`;
  const sizes = [...(headers ? [headers.length] : []), headers.length + payload.length];
  const told = sizes.map((size) => blank() + (chance(random, 0.97) ? String(size) : pick(random, NUMBERS)));
  return `${operation}${blank()}${pick(random, ["a", "a.b", "plant.7.temp"])}${address}${told.join("")}${end}${headers}${payload}\r\n`;
}

function spoilt(random: Random, input: Buffer, elements: readonly Buffer[]): Buffer {
  const at = below(random, input.length);
  const to = Math.min(input.length, at + 1 + below(random, 8));
  switch (below(random, 9)) {
    case 0: // a bit
      return replaced(input, at, at + 1, Buffer.of(input[at]! ^ (1 << below(random, 8))));
    case 1: // any byte
      return replaced(input, at, at + 1, Buffer.of(below(random, 256)));
    case 2:
      return replaced(input, at, at + 1, Buffer.of(pick(random, TELLING)));
    case 3:
      return replaced(input, at, at, Buffer.of(pick(random, TELLING)));
    case 4: // taken out
      return replaced(input, at, to, Buffer.alloc(0));
    case 5: // twice
      return replaced(input, at, at, input.subarray(at, to));
    case 6: // cut off
      return input.subarray(0, at);
    case 7: // another element in the middle of this one
      return replaced(input, at, chance(random, 0.5) ? at : to, pick(random, elements));
    default: {
      // a number lies
      const digits = /[0-9]+/.exec(input.toString("latin1", at, Math.min(input.length, at + 200)));
      if (digits === null) return input;
      const from = at + digits.index;
      return replaced(input, from, from + digits[0].length, Buffer.from(pick(random, NUMBERS)));
    }
  }
}

function largeInput(random: Random): Buffer {
  const near = (limit: number) => limit - 3 + below(random, 7);
  switch (below(random, 5)) {
    case 0: // a line at its limit, ended or not
      if (chance(random, 0.5)) return Buffer.from("INFO ".padEnd(near(65_536), "x"), "latin1");
      return Buffer.from(`${"INFO ".padEnd(near(65_536) - 2, "x")}${pick(random, ENDS)}PING\r\n`, "latin1");
    case 1: // words at their limit
      return Buffer.from(`LMSG a | ${"g ".repeat(near(1024) - 3)}1\r\nx\r\n`, "latin1");
    case 2: // a message at its limit, and what it announces never comes
      return Buffer.from(`LMSG a ${near(8 * 1024 * 1024)}\r\n${"x".repeat(below(random, 100))}`, "latin1");
    case 3: // more messages than a batch holds
      return Buffer.from("LMSG a 1\r\nx\r\n".repeat(4090 + below(random, 20)), "latin1");
    default: {
      const payload = "y".repeat(below(random, 100_000));
      return Buffer.from(`LMSG big r ${payload.length}\r\n${payload}\r\nPING\r\n`, "latin1");
    }
  }
}

function replaced(input: Buffer, from: number, to: number, by: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, from), by, input.subarray(to)]);
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function chance(random: Random, share: number): boolean {
  return random() < share;
}

function pick<T>(random: Random, from: { readonly length: number; readonly [index: number]: T }): T {
  return from[below(random, from.length)]!;
}
