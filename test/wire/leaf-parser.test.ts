import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "#base/errors.ts";
import { LEAF_LINE_BYTES_MAX, LEAF_MESSAGE_BYTES_MAX } from "#wire/leaf-parser.ts";
import { hearCut, recordingLeaf } from "../support/recording-leaf.ts";

const SESSION = Buffer.from(
  [
    'INFO {"server_id":"N1","max_payload":1048576} \r\n',
    "LS+ plant.7.cmd.>\r\nLS+ jobs workers 3\r\nls+\tx\r\nLS- jobs workers\r\nLS- x\r\n",
    "LMSG a.b 5\r\nhello\r\nLMSG a.b 0\r\n\r\n",
    "LMSG a.b _INBOX.1 2\r\nhi\r\nLMSG q | g1 g2 1\r\nx\r\nLMSG q + _INBOX.2 g1 1\r\ny\r\nLMSG s | 1\r\nz\r\n",
    "HMSG h 12 14\r\nNATS/1.0\r\n\r\nok\r\nHMSG h r 12 12\r\nNATS/1.0\r\n\r\n\r\n",
    "HMSG h |  g1 \t g2 12 13\r\nNATS/1.0\r\n\r\n!\r\nHMSG h + r g1 12 13\r\nNATS/1.0\r\n\r\n?\r\n",
    "LMSG push.d $JS.ACK.ORD.p.1.1.1.17.0@orders.1 2\r\nhi\r\n",
    "LMSG push.q + $JS.ACK.ORD.q.1.1.1.17.0@orders.2 grp 2\r\nhi\r\nLMSG push.q | grp 2\r\nhi\r\n",
    "HMSG push.h $JS.ACK._.xNZj6HOx.ORD.p.1.1.1.17.0.r@orders.3 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
    "PING\r\nPONG\r\n-ERR 'Authorization Violation'\r\n+OK\r\nlmsg low 4\r\n\r\n\r\n\r\n",
  ].join(""),
);

const HEARD = [
  'info {"server_id":"N1","max_payload":1048576}',
  "ls+ plant.7.cmd.> null 1",
  "ls+ jobs workers 3",
  "ls+ x null 1",
  "ls- jobs workers",
  "ls- x null",
  'msg ["a.b","","","","hello"]',
  'msg ["a.b","","","",""]',
  'msg ["a.b","_INBOX.1","","","hi"]',
  'msg ["q","","g1 g2","","x"]',
  'msg ["q","_INBOX.2","g1","","y"]',
  'msg ["s","|","","","z"]',
  'msg ["h","","","NATS/1.0\\r\\n\\r\\n","ok"]',
  'msg ["h","r","","NATS/1.0\\r\\n\\r\\n",""]',
  'msg ["h","","g1 g2","NATS/1.0\\r\\n\\r\\n","!"]',
  'msg ["h","r","g1","NATS/1.0\\r\\n\\r\\n","?"]',
  'via push.d msg ["orders.1","$JS.ACK.ORD.p.1.1.1.17.0","","","hi"]',
  'via push.q msg ["orders.2","$JS.ACK.ORD.q.1.1.1.17.0","grp","","hi"]',
  'msg ["push.q","","grp","","hi"]',
  'via push.h msg ["orders.3","$JS.ACK._.xNZj6HOx.ORD.p.1.1.1.17.0.r","","NATS/1.0\\r\\n\\r\\n","hi"]',
  "ping",
  "pong",
  "err Authorization Violation",
  'msg ["low","","","","\\r\\n\\r\\n"]',
];

test("a session is understood whole", () => {
  assert.deepEqual(hearCut(SESSION, []), HEARD);
});

test("a session is understood byte by byte", () => {
  assert.deepEqual(
    hearCut(
      SESSION,
      Array.from({ length: SESSION.length - 1 }, (_, i) => i + 1),
    ),
    HEARD,
  );
});

test("a session is understood when it is split at any one place", () => {
  for (let cut = 0; cut <= SESSION.length; cut++) assert.deepEqual(hearCut(SESSION, [cut]), HEARD, `split at ${cut}`);
});

test("a session is understood in any three pieces", () => {
  const place = fc.nat(SESSION.length);
  fc.assert(fc.property(place, place, (a, b) => assert.deepEqual(hearCut(SESSION, [Math.min(a, b), Math.max(a, b)]), HEARD)));
});

test("a chunk with more messages than a batch holds makes several batches", () => {
  const { parser, heard } = recordingLeaf();
  parser.parse(Buffer.from("LMSG a 1\r\nx\r\n".repeat(10_000)));
  assert.equal(heard.length, 10_000);
});

for (const [line, wanted] of [
  ["LMSG a\r\n", "a subject and sizes"],
  ["LMSG a -1\r\n", "decimal digits"],
  ["LMSG a 1x\r\n", "decimal digits"],
  ["LMSG a 9999999999\r\n", "decimal digits"],
  ["LMSG a x g 1\r\ny\r\n", "| or +"],
  ["LMSG a + r 1\r\ny\r\n", "at least one queue group"],
  ["HMSG a 5\r\n", "a subject and sizes"],
  ["HMSG a 13 12\r\n", "headers within the total"],
  ["LS+\r\n", "LS+ <subject>"],
  ["LS+ a g\r\n", "LS+ <subject>"],
  ["LS+ a g x\r\n", "a weight"],
  ["LS- a b c\r\n", "LS- <subject>"],
  ["SUB a 1\r\n", "unknown operation"],
  ["LMSGa 1\r\n", "unknown operation"],
  ["HTTP/1.1 400 Bad Request\r\n", "unknown operation"],
  ["\r\n", "unknown operation"],
  [`LMSG a ${LEAF_MESSAGE_BYTES_MAX + 1}\r\n`, "limit is"],
  ["LMSG a 1\r\nxyz", "no CRLF"],
] as const) {
  test(`${JSON.stringify(line.slice(0, 40))} ends the link, naming ${wanted}`, () => {
    for (const cuts of [[], Array.from({ length: line.length - 1 }, (_, i) => i + 1)]) {
      assert.throws(
        () => hearCut(Buffer.from(line), cuts),
        (error) => error instanceof ProtocolError && error.message.includes(wanted) && error.offset !== undefined,
      );
    }
  });
}

test("a line without an end is cut off at the limit, not buffered for ever", () => {
  const { parser } = recordingLeaf();
  const piece = Buffer.alloc(8192, "x");
  assert.throws(() => {
    for (let i = 0; i <= LEAF_LINE_BYTES_MAX / piece.length + 1; i++) parser.parse(piece);
  }, /limit is 65536/);
});

test("a large payload in small chunks is taken whole", () => {
  const payload = Buffer.alloc(3 * 1024 * 1024, "p");
  const bytes = Buffer.concat([Buffer.from(`LMSG big ${payload.length}\r\n`), payload, Buffer.from("\r\nPING\r\n")]);
  const cuts = Array.from({ length: Math.floor(bytes.length / 1400) }, (_, i) => (i + 1) * 1400);
  const heard = hearCut(bytes, cuts);
  assert.equal(heard.length, 2);
  assert.ok(heard[0]!.length > payload.length);
  assert.equal(heard[1], "ping");
});

test("arbitrary bytes never break the parser in another way than a protocol error", () => {
  const word = fc.constantFrom(
    "LMSG ",
    "HMSG ",
    "LS+ ",
    "LS- ",
    "PING",
    "INFO {}",
    "\r\n",
    " ",
    "\t",
    "a.b",
    "| ",
    "+ ",
    "5",
    "12",
    "\n",
    "\u0000",
    "-ERR 'x'",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 4 })), { maxLength: 30 }), fc.nat(60), (words, cut) => {
      const bytes = Buffer.from(words.join(""), "latin1");
      const outcome = (cuts: readonly number[]) => {
        try {
          return hearCut(bytes, cuts);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
          return error.code;
        }
      };
      const whole = outcome([]);
      const split = outcome([Math.min(cut, bytes.length)]);
      assert.deepEqual(split, whole);
    }),
    { numRuns: 3000 },
  );
});

test("case is folded for letters alone: what only looks like an operation when a bit is set is none", () => {
  for (const line of ["LS\r a", "LS\v a", "-\u0005RR x", "PIN\u0007"]) {
    assert.throws(
      () => hearCut(Buffer.from(`${line}\r\n`, "latin1"), []),
      { code: "WIRE_UNKNOWN_OPERATION" },
      JSON.stringify(line),
    );
  }
  assert.deepEqual(hearCut(Buffer.from("pInG\r\nls+ a\r\n", "latin1"), []), ["ping", "ls+ a null 1"]);
});
