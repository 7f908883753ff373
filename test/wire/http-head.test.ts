import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HEAD_BYTES_MAX, hasWord, parseHead } from "#wire/http-head.ts";

const ANSWER =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nX-Twice: a\r\nx-twice:b \r\n\r\n";

function headOf(text: string) {
  const parse = parseHead(Buffer.from(text, "latin1"));
  assert.ok(parse.is === "whole", JSON.stringify(parse));
  return parse.head;
}

function foundIn(text: string | Buffer, isLast = false): string {
  const parse = parseHead(Buffer.from(text), isLast);
  assert.ok(parse.is === "broken" || parse.is === "foreign", JSON.stringify(parse));
  return `${parse.is}: ${parse.found}`;
}

test("a head is read to its empty line and no further", () => {
  const head = headOf(`${ANSWER}INFO {}`);
  assert.deepEqual([head.status, head.reason, head.bytes], [101, "Switching Protocols", ANSWER.length]);
  assert.equal(head.headers.get("upgrade"), "websocket");
  assert.equal(head.headers.get("x-twice"), "a, b");
  assert.ok(hasWord(head, "connection", "upgrade") && !hasWord(head, "connection", "up") && !hasWord(head, "absent", "x"));
});

test("until the empty line is there, however it is cut, the head is partial", () => {
  for (let cut = 0; cut < ANSWER.length; cut++) {
    assert.deepEqual(parseHead(Buffer.from(ANSWER.slice(0, cut))), { is: "partial" }, `cut at ${cut}`);
    assert.equal(headOf(ANSWER.slice(0, cut) + ANSWER.slice(cut)).status, 101);
  }
});

test("a lone LF ends a line, a status may come without words, and HTTP/1.0 is understood", () => {
  assert.deepEqual(headOf("HTTP/1.0 200\nA: b\n\nrest").bytes, "HTTP/1.0 200\nA: b\n\n".length);
  assert.equal(headOf("HTTP/1.1 407 \r\n\r\n").reason, "");
});

test("who speaks another language is recognised", () => {
  const speaks = (bytes: Buffer) => {
    const parse = parseHead(bytes, true);
    return parse.is === "foreign" ? parse.speaks : parse.is;
  };
  assert.equal(speaks(Buffer.from('INFO {"server_id":"N"}\r\n')), "nats");
  assert.equal(speaks(Buffer.from("-ERR 'Unknown Protocol Operation'\r\n")), "nats");
  assert.equal(speaks(Buffer.from("15030300020228", "hex")), "tls");
  assert.equal(speaks(Buffer.from("160303007a02", "hex")), "tls");
  assert.equal(speaks(Buffer.from("SSH-2.0-x\r\n")), "unknown");
  assert.equal(speaks(Buffer.from([0, 0, 0, 0, 0])), "unknown");
  assert.equal(speaks(Buffer.from("HT")), "unknown");
  assert.deepEqual(parseHead(Buffer.from("INFO")), { is: "partial" });
});

test("what is shown of a foreign answer is short and printable", () => {
  const shown = foundIn(Buffer.concat([Buffer.from("\x1b[31m"), Buffer.alloc(9000, 0xff)]));
  assert.equal(shown, `foreign: "·[31m${"·".repeat(35)}…"`);
});

test("lies in the status line are broken heads", () => {
  for (const line of [
    "HTTP/1.1 99 Low",
    "HTTP/1.1 600 High",
    "HTTP/1.1 2000 Long",
    "HTTP/1.1 20x Bad",
    "HTTP/1.1200 OK",
    "HTTP/1.1  200 OK",
    "HTTP/2 200 OK",
    "HTTP/9.9 101 x",
    "HTTP/1.1 200 a\0b",
    "HTTP/",
  ]) {
    assert.match(foundIn(`${line}\r\n\r\n`), /^broken: the status line/, line);
  }
});

test("header lines that are none are broken heads", () => {
  for (const line of ["no colon", ": no name", "na me: x", "A: x\0y", " folded: x", "A\t: x", "A: x\ry"]) {
    assert.match(foundIn(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n`), /^broken: the header line/, line);
  }
});

test("a header without an end is given up at its limit, and one that just fits is read", () => {
  const begin = "HTTP/1.1 200 OK\r\nA: ";
  const fitting = `${begin}${"x".repeat(HEAD_BYTES_MAX - begin.length - 4)}\r\n\r\n`;
  assert.equal(headOf(fitting).bytes, HEAD_BYTES_MAX);
  assert.match(foundIn(fitting.replace("xx", "xxx")), /more than 16384 bytes/);
  assert.match(foundIn(`${begin}${"x".repeat(HEAD_BYTES_MAX)}`), /more than 16384 bytes/);
  assert.match(foundIn(`HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(200)}\r\n`), /200 header lines/);
  assert.match(foundIn("HTTP/1.1 200 OK\r\nA: b", true), /unfinished header/);
});

test("no bytes make it throw", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 "),
      fc.uint8Array({ maxLength: 200 }),
      fc.boolean(),
      (begin, rest, isLast) =>
        ["partial", "whole", "foreign", "broken"].includes(parseHead(Buffer.concat([Buffer.from(begin), rest]), isLast).is),
    ),
  );
});
