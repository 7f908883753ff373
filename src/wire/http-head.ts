// The head of an HTTP/1.1 answer: status line and headers, as far as an upgrade and a CONNECT need them.
//
//   HTTP/1.1 101 Switching Protocols␍␊ Upgrade: websocket␍␊ … ␍␊ ␍␊ │ bytes of whatever comes next
//   └──────────────────────── head ───────────────────────────────┘
//
// Knows no socket: it is handed all bytes so far. Whoever answers in another language is recognised by the first five.
// Source: RFC 9112 §§2–5. Tests: test/wire/http-head.test.ts

/** Longest head we read, interim answers (1xx) included, in bytes. */
export const HEAD_BYTES_MAX = 16 * 1024;

const HEADERS_MAX = 128;
const SHOWN_BYTES_MAX = 40;
const TLS_ALERT = 0x15;
const TLS_HANDSHAKE = 0x16;

export interface HttpHead {
  readonly status: number;
  /** For people: printable characters only, at most 60 of them, perhaps none. */
  readonly reason: string;
  /** Names in lower case; repeated ones joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** Length of the head; what follows is not HTTP's any more. */
  readonly bytes: number;
}

/** The peer speaks something else. */
export interface ForeignHead {
  readonly is: "foreign";
  readonly speaks: "nats" | "tls" | "unknown";
  readonly found: string;
}

/** It began as HTTP and went on otherwise, or has no end. */
export interface BrokenHead {
  readonly is: "broken";
  readonly found: string;
}

export type HeadParse = { readonly is: "partial" } | { readonly is: "whole"; readonly head: HttpHead } | ForeignHead | BrokenHead;

/** `isLast`: the peer will send no more. */
export function parseHead(bytes: Buffer, isLast = false): HeadParse {
  const begin = bytes.subarray(0, 5).toString("latin1");
  if (begin.length < 5 && !isLast) return { is: "partial" };
  if (begin !== "HTTP/") return { is: "foreign", speaks: languageOf(bytes, begin), found: showBytes(bytes) };
  const end = endOf(bytes);
  if (end < 0 || end > HEAD_BYTES_MAX) {
    if (bytes.length >= HEAD_BYTES_MAX) return { is: "broken", found: `a header of more than ${HEAD_BYTES_MAX} bytes` };
    return isLast ? { is: "broken", found: `an unfinished header, ${showBytes(bytes)}` } : { is: "partial" };
  }
  const [statusLine, ...lines] = bytes.latin1Slice(0, end).split(/\r?\n/).slice(0, -2);
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(statusLine!);
  if (status === null) return { is: "broken", found: `the status line ${showBytes(Buffer.from(statusLine!, "latin1"))}` };
  if (lines.length > HEADERS_MAX) return { is: "broken", found: `${lines.length} header lines` };
  const headers = new Map<string, string>();
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
    if (field === null) return { is: "broken", found: `the header line ${showBytes(Buffer.from(line, "latin1"))}` };
    const name = field[1]!.toLowerCase();
    const value = field[2]!.trimEnd();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return {
    is: "whole",
    head: { status: Number(status[1]), reason: printable(status[2] ?? "").slice(0, 60), headers, bytes: end },
  };
}

/** Does a header with a list of words, such as `Connection: keep-alive, Upgrade`, have this one? In lower case. */
export function hasWord(head: HttpHead, name: string, word: string): boolean {
  const words = head.headers.get(name)?.toLowerCase().split(",") ?? [];
  return words.some((each) => each.trim() === word);
}

/** The position behind the empty line, or -1. A lone LF ends a line as well (RFC 9112 §2.2). */
function endOf(bytes: Buffer): number {
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return -1;
}

function languageOf(bytes: Buffer, begin: string): "nats" | "tls" | "unknown" {
  if (begin === "INFO " || begin.startsWith("-ERR")) return "nats";
  return (bytes[0] === TLS_ALERT || bytes[0] === TLS_HANDSHAKE) && bytes[1] === 3 ? "tls" : "unknown";
}

function showBytes(bytes: Buffer): string {
  const more = bytes.length > SHOWN_BYTES_MAX ? "…" : "";
  return `"${printable(bytes.toString("latin1", 0, SHOWN_BYTES_MAX))}${more}"`;
}

function printable(latin1: string): string {
  return latin1.replaceAll(/[^\x20-\x7e]/g, "·");
}
