// What a leaf parser must make of some bytes, told slowly and plainly: by whole lines, patterns and lists. The parser in
// src/wire/ shares not a line with it, so a mistake must be made twice to stay hidden (scripts/fuzz).
//
// Grammar: spec/leafnode-protocol.md §9; composed replies: §15.3.

import { isValidSubject } from "#core/subject.ts";
import { LEAF_LINE_BYTES_MAX, LEAF_MESSAGE_BYTES_MAX } from "#wire/leaf-parser.ts";

const ARGUMENTS_MAX = 1024;

export interface Reading {
  /** One line per event, up to the breach where there is one. A message is `msg [routed by, subject, reply, groups, headers, payload]`. */
  readonly events: readonly string[];
  /** Where each understood element ends. */
  readonly ends: readonly number[];
  /** Why the connection must end; undefined while all is well. */
  readonly breach: string | undefined;
}

/** Reads all of it. What is not complete at the end is neither an event nor a breach. */
export function readLeaf(bytes: Buffer): Reading {
  const events: string[] = [];
  const ends: number[] = [];
  const text = bytes.toString("latin1"); // one character a byte
  for (let at = 0; at < text.length; ) {
    const element = readElement(text, at);
    if (element === "incomplete") break;
    if ("breach" in element) return { events, ends, breach: element.breach };
    if (element.event !== undefined) events.push(element.event);
    ends.push(element.end);
    at = element.end;
  }
  return { events, ends, breach: undefined };
}

type Element = { readonly event: string | undefined; readonly end: number } | { readonly breach: string } | "incomplete";

function readElement(text: string, at: number): Element {
  const lineFeed = text.indexOf("\n", at);
  const lineBytes = (lineFeed < 0 ? text.length : lineFeed + 1) - at;
  if (lineBytes > LEAF_LINE_BYTES_MAX) return { breach: "line too long" };
  if (lineFeed < 0) return "incomplete";
  const line = text.slice(at, lineFeed).replace(/\r$/, "");
  const [, operation, blank, rest = ""] = /^(LMSG|HMSG|LS\+|LS-|PING|PONG|INFO|-ERR|\+OK)(?:([ \t])(.*))?$/is.exec(line) ?? [];
  const end = lineFeed + 1;
  switch (operation?.toUpperCase()) {
    case "PING":
    case "PONG":
      return { event: operation!.toLowerCase(), end };
    case "+OK":
      return { event: undefined, end };
    case "INFO":
      return { event: `info ${utf8((blank ?? "") + rest).trim()}`, end };
    case "-ERR":
      return {
        event: `err ${utf8((blank ?? "") + rest)
          .trim()
          .replace(/^'/, "")
          .replace(/'$/, "")}`,
        end,
      };
    case "LS+":
    case "LS-":
      return readInterest(operation!.toLowerCase(), wordsOf(rest), end);
    case "LMSG":
    case "HMSG":
      return readMessage(text, wordsOf(rest), end, /^h/i.test(operation!));
    default:
      return { breach: "unknown operation" };
  }
}

function readInterest(operation: string, words: readonly string[], end: number): Element {
  const [filter, queue = null, weight = "1"] = words;
  const counts = operation === "ls+" ? [1, 3] : [1, 2];
  if (!counts.includes(words.length)) return { breach: "wrong number of words" };
  if (operation === "ls-") return { event: `ls- ${filter} ${queue}`, end };
  const count = numberOf(weight);
  return count === undefined ? { breach: "weight" } : { event: `ls+ ${filter} ${queue} ${count}`, end };
}

function readMessage(text: string, words: readonly string[], body: number, hasHeaders: boolean): Element {
  if (words.length > ARGUMENTS_MAX) return { breach: "too many words" };
  const address = words.slice(0, hasHeaders ? -2 : -1);
  const total = numberOf(words.at(-1) ?? "");
  const headers = hasHeaders ? numberOf(words.at(-2) ?? "") : 0;
  if (address.length === 0) return { breach: "no subject" };
  if (total === undefined || headers === undefined || headers > total) return { breach: "sizes" };
  if (total > LEAF_MESSAGE_BYTES_MAX) return { breach: "message too large" };
  const end = body + total + 2;
  if (end > text.length) return "incomplete";
  if (text.slice(end - 2, end) !== "\r\n") return { breach: "no CRLF behind the payload" };
  const to = readAddress(address);
  if (to === undefined) return { breach: "address" };
  const parts = [
    to.routed,
    to.subject,
    to.reply,
    to.groups,
    text.slice(body, body + headers),
    text.slice(body + headers, end - 2),
  ];
  return { event: `msg ${JSON.stringify(parts)}`, end };
}

interface Address {
  /** The subject on the wire; interest is looked up by it. */
  readonly routed: string;
  /** The subject that receivers are shown. */
  readonly subject: string;
  readonly reply: string;
  readonly groups: string;
}

/** `<subject>`, `<subject> <reply>`, `<subject> | <group>…` or `<subject> + <reply> <group>…`. */
function readAddress(words: readonly string[]): Address | undefined {
  const [subject = "", second = "", third = "", ...more] = words;
  if (words.length <= 2) return addressed(subject, second, []);
  if (second === "|") return addressed(subject, "", [third, ...more]);
  if (second === "+" && more.length > 0) return addressed(subject, third, more);
  return undefined;
}

/** Where a stream delivers, the reply is `<ack subject>@<stored subject>`: cut at the first @ behind eight dots, if a subject follows. */
function addressed(routed: string, reply: string, groups: readonly string[]): Address {
  const whole = { routed, subject: routed, reply, groups: groups.join(" ") };
  if (!reply.startsWith("$JS.ACK.")) return whole;
  const [, ack, stored] = /^((?:[^.]*\.){8}[^@]*)@(.*)$/s.exec(reply) ?? [];
  if (ack === undefined || stored === undefined || !isValidSubject(stored)) return whole;
  return { ...whole, subject: stored, reply: ack };
}

function wordsOf(text: string): string[] {
  return text.split(/[ \t]+/).filter((word) => word !== "");
}

function numberOf(word: string): number | undefined {
  return /^[0-9]{1,9}$/.test(word) ? Number(word) : undefined;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
