import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAF_LINE_BYTES_MAX } from "#wire/leaf-parser.ts";
import { readLeaf } from "../../support/leaf-oracle.ts";

const read = (text: string) => readLeaf(Buffer.from(text, "latin1"));

test("every operation of a hub is read, and what is incomplete is waited for", () => {
  const told: readonly (readonly [bytes: string, ...events: string[]])[] = [
    ["INFO {} \r\n", "info {}"],
    ["LS+ a.>\r\n", "ls+ a.> null 1"],
    ["ls+ b  g\t3\r\n", "ls+ b g 3"],
    ["LS- b g\n", "ls- b g"],
    ["LMSG a r 2\r\nhi\r\n", 'msg ["a","a","r","","","hi"]'],
    ["HMSG q + r g1  g2 12 13\r\nNATS/1.0\r\n\r\n!\r\n", 'msg ["q","q","r","g1 g2","NATS/1.0\\r\\n\\r\\n","!"]'],
    ["LMSG s | g 0\r\n\r\n", 'msg ["s","s","","g","",""]'],
    [`LMSG d $JS.ACK.S.C.1.2.3.4.5@a.b 0\r\n\r\n`, 'msg ["d","a.b","$JS.ACK.S.C.1.2.3.4.5","","",""]'],
    [`LMSG d + $JS.ACK.S.C.1.2.3.4.5@> g 0\r\n\r\n`, 'msg ["d","d","$JS.ACK.S.C.1.2.3.4.5@>","g","",""]'],
    ["PING\r\n", "ping"],
    ["pong\r\n", "pong"],
    ["+OK\r\n"],
    ["-ERR 'No'\r\n", "err No"],
  ];
  const reading = read(`${told.map(([bytes]) => bytes).join("")}LMSG a 5\r\nhel`);
  assert.deepEqual(
    reading.events,
    told.flatMap(([, ...events]) => events),
  );
  let end = 0;
  assert.deepEqual(
    reading.ends,
    told.map(([bytes]) => (end += bytes.length)),
  );
  assert.equal(reading.breach, undefined);
});

for (const [line, breach] of [
  ["SUB a 1\r\n", "unknown operation"],
  ["\r\n", "unknown operation"],
  ["LS\r a\r\n", "unknown operation"],
  ["LS+\r\n", "wrong number of words"],
  ["LS+ a g x\r\n", "weight"],
  ["LMSG a\r\n", "no subject"],
  ["LMSG a 1e3\r\n", "sizes"],
  ["HMSG a 9 8\r\n", "sizes"],
  ["LMSG a 9000000\r\n", "message too large"],
  ["LMSG a 1\r\nxyz", "no CRLF behind the payload"],
  ["LMSG a x g 1\r\ny\r\n", "address"],
  ["LMSG a + r 1\r\ny\r\n", "address"],
  ["x".repeat(LEAF_LINE_BYTES_MAX + 1), "line too long"],
] as const) {
  test(`${JSON.stringify(line.slice(0, 30))} is a breach: ${breach}`, () => {
    const reading = read(`PING\r\n${line}`);
    assert.deepEqual([reading.events, reading.breach], [["ping"], breach]);
  });
}
