// The client parser: whole, byte by byte, at every split, paused anywhere, and everything that is malformed.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "#base/errors.ts";
import { headersOf, payloadOf, replyOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { CLIENT_LINE_BYTES_MAX, type ClientHandler, ClientParser } from "#wire/client-parser.ts";

const PAYLOAD_MAX = 1024;

/** Writes down what it hears; pauses the parser before every operation if asked to. */
class Recorder implements ClientHandler {
  readonly heard: string[] = [];
  readonly batches: number[] = [];
  onSomething: () => void = () => undefined;

  onBatch(batch: BatchBuilder, hasHeaders: boolean): void {
    this.batches.push(batch.count);
    let found = false;
    for (let i = 0; i < batch.count; i++) {
      const headers = headersOf(batch, i).toString();
      if (headers !== "") found = true;
      this.heard.push(`msg ${JSON.stringify([subjectOf(batch, i), replyOf(batch, i), headers, payloadOf(batch, i).toString()])}`);
    }
    assert.equal(hasHeaders, found);
    this.onSomething();
  }

  onInvalidSubject(subject: string): void {
    this.#note(`invalid ${subject}`);
  }

  onSubscribe(filter: string, queue: string | null, sid: string): void {
    this.#note(`sub ${filter} ${queue} ${sid}`);
  }

  onUnsubscribe(sid: string, max: number): void {
    this.#note(`unsub ${sid} ${max}`);
  }

  onConnect(json: string): void {
    this.#note(`connect ${json}`);
  }

  onTooEarly(firstByte: number): void {
    this.#note(`early ${String.fromCharCode(firstByte)}`);
  }

  onPing(): void {
    this.#note("ping");
  }

  onPong(): void {
    this.#note("pong");
  }

  #note(words: string): void {
    this.heard.push(words);
    this.onSomething();
  }
}

function parserFor(recorder: ClientHandler, isAdmitted = true): ClientParser {
  const parser = new ClientParser(recorder, new BatchBuilder(), PAYLOAD_MAX);
  if (isAdmitted) parser.admit();
  return parser;
}

/** What is heard when the bytes come cut at these places. Each chunk is memory of its own, overwritten when it was read. */
function hearCut(bytes: Buffer, cuts: readonly number[]): readonly string[] {
  const recorder = new Recorder();
  const parser = parserFor(recorder);
  const places = [0, ...cuts, bytes.length];
  for (let i = 1; i < places.length; i++) {
    const chunk = Buffer.from(bytes.subarray(places[i - 1], places[i]));
    if (chunk.length > 0) parser.parse(chunk);
    chunk.fill(0x21);
  }
  return recorder.heard;
}

/** The code of the breach, or "none". */
function breachOf(input: string | Buffer, isAdmitted = true): string {
  try {
    parserFor(new Recorder(), isAdmitted).parse(Buffer.from(input as string));
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
    return error.code;
  }
  return "none";
}

const HEADERS = "NATS/1.0\r\nK: v\r\n\r\n";
const SESSION = Buffer.from(
  [
    'CONNECT {"verbose":false,"name":"sensor ü"} \r\n',
    "PUB a.b 5\r\nhello\r\nPUB a.b 0\r\n\r\npub\ta._INBOX.x \t r.1  2 \r\nhi\r\n",
    "SUB cmd.> 1\r\nSUB jobs workers 22\r\nsub\tx\tabc\r\nUNSUB 1\r\nUNSUB 22 5\r\nunsub 22 0\r\n",
    "PUB a.* 2\r\nno\r\nPUB a..b 1\r\nn\r\nPUB > 0\r\n\r\nPUB a >.b 0\r\n\r\nPUB a.*b>.c 2\r\nok\r\nPUB api.*.> r 2\r\nyo\r\nPUB a..> r 0\r\n\r\n",
    `HPUB h 18 20\r\n${HEADERS}ok\r\nHPUB h r.2 12 12\r\nNATS/1.0\r\n\r\n\r\nHPUB h 0 2\r\nno\r\n`,
    "PING\r\nPONG\r\nping \r\nPUB crlf 4\r\n\r\n\r\n\r\nPUB lf 1\nx\r\nPING\n",
  ].join(""),
);
const HEARD = [
  'connect {"verbose":false,"name":"sensor ü"}',
  'msg ["a.b","","","hello"]',
  'msg ["a.b","","",""]',
  'msg ["a._INBOX.x","r.1","","hi"]',
  "sub cmd.> null 1",
  "sub jobs workers 22",
  "sub x null abc",
  "unsub 1 0",
  "unsub 22 5",
  "unsub 22 0",
  "invalid a.*",
  "invalid a..b",
  "invalid >",
  "invalid >.b",
  'msg ["a.*b>.c","","","ok"]',
  'msg ["api.*.>","r","","yo"]',
  "invalid a..>",
  `msg ["h","",${JSON.stringify(HEADERS)},"ok"]`,
  'msg ["h","r.2","NATS/1.0\\r\\n\\r\\n",""]',
  'msg ["h","","","no"]',
  "ping",
  "pong",
  "ping",
  'msg ["crlf","","","\\r\\n\\r\\n"]',
  'msg ["lf","","","x"]',
  "ping",
];

test("a session is understood whole", () => {
  assert.deepEqual(hearCut(SESSION, []), HEARD);
});

test("a session is understood byte by byte", () => {
  const cuts = Array.from({ length: SESSION.length - 1 }, (_, i) => i + 1);
  assert.deepEqual(hearCut(SESSION, cuts), HEARD);
});

test("a session is understood when it is split at any one place", () => {
  for (let cut = 0; cut <= SESSION.length; cut++) assert.deepEqual(hearCut(SESSION, [cut]), HEARD, `split at ${cut}`);
});

test("a session is understood when it is split at any two places", () => {
  const part = SESSION.subarray(0, 300);
  const wanted = hearCut(part, []);
  for (let a = 0; a <= part.length; a++) {
    for (let b = a; b <= part.length; b++) assert.deepEqual(hearCut(part, [a, b]), wanted, `split at ${a} and ${b}`);
  }
});

test("a parser that is paused at every operation and every batch says the same, in order", () => {
  for (const step of [1, 7, 64, SESSION.length]) {
    const recorder = new Recorder();
    const parser = parserFor(recorder);
    recorder.onSomething = () => parser.pause();
    for (let at = 0; at < SESSION.length; at += step) {
      const before = recorder.heard.length;
      parser.parse(Buffer.from(SESSION.subarray(at, at + step)));
      assert.ok(recorder.heard.length <= before + 4, "it went on after a pause");
      for (let seen = -1; seen !== recorder.heard.length; ) {
        seen = recorder.heard.length;
        parser.resume();
      }
    }
    assert.deepEqual(recorder.heard, HEARD, `chunks of ${step}`);
  }
});

test("the messages of one chunk are one batch, and an operation between them ends it", () => {
  const recorder = new Recorder();
  const parser = parserFor(recorder);
  const pub = "PUB a 1\r\nx\r\n";
  parser.parse(Buffer.from(`${pub.repeat(5)}PING\r\n${pub.repeat(3)}PUB a 1\r\n`));
  parser.parse(Buffer.from(`y\r\n${pub.repeat(2)}`));
  assert.deepEqual(recorder.batches, [5, 3, 1, 2]);
  parser.batchMax = 1;
  parser.parse(Buffer.from(pub.repeat(3)));
  assert.deepEqual(recorder.batches.slice(4), [1, 1, 1]);
});

test("before it is admitted, a client may say CONNECT and nothing else", () => {
  const recorder = new Recorder();
  const parser = parserFor(recorder, false);
  recorder.onSomething = () => parser.pause();
  parser.parse(Buffer.from("PUB a 1\r\nx\r\n"));
  assert.deepEqual(recorder.heard, ["early P"]);
  recorder.onSomething = () => undefined;
  parser.admit();
  parser.resume();
  assert.deepEqual(recorder.heard, ["early P", 'msg ["a","","","x"]']);
});

test("what came before a breach is handed over", () => {
  const recorder = new Recorder();
  const parser = parserFor(recorder);
  assert.throws(() => parser.parse(Buffer.from("PUB a 1\r\nx\r\nPUB b 1\r\ny\r\nHELLO\r\n")), {
    code: "WIRE_UNKNOWN_OPERATION",
    offset: 24,
  });
  assert.deepEqual(recorder.heard, ['msg ["a","","","x"]', 'msg ["b","","","y"]']);
});

test("after close nothing is heard and nothing is kept", () => {
  const recorder = new Recorder();
  const parser = parserFor(recorder);
  recorder.onSomething = () => parser.close();
  parser.parse(Buffer.from("PING\r\nPING\r\nPI"));
  parser.parse(Buffer.from("NG\r\n"));
  parser.resume();
  assert.deepEqual(recorder.heard, ["ping"]);
});

const MALFORMED: readonly (readonly [string, string])[] = [
  ["\r\n", "WIRE_UNKNOWN_OPERATION"],
  [" PING\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["PINGX\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["PUBLISH a 1\r\nx\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["PUB\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a b c 1\r\nx\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a b c d e f 1\r\nx\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a -1\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a 0x1\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a 1.0\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a 99999999999999999999\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a 1025\r\n", "WIRE_TOO_LARGE"],
  ["PUB a 2\r\nabc\r\n", "WIRE_BAD_ENDING"],
  ["PUB a 2\r\nab\n\r", "WIRE_BAD_ENDING"],
  ["PUB a\0b 1\r\nx\r\n", "WIRE_BAD_ARGUMENTS"],
  ["PUB a\rb 1\r\nx\r\n", "WIRE_BAD_ARGUMENTS"],
  ["HPUB a 1\r\n", "WIRE_BAD_ARGUMENTS"],
  ["HPUB a 5 4\r\n", "WIRE_BAD_ARGUMENTS"],
  ["HPUB a 11 11\r\n", "WIRE_BAD_ARGUMENTS"],
  ["HPUB a 0 5\r\nhello\r\n", "none"],
  ["HPUB a 12 1025\r\n", "WIRE_TOO_LARGE"],
  ["HPUB a 12 12\r\nHTTP/1.0\r\n\r\n\r\n", "WIRE_BAD_ARGUMENTS"],
  ["HPUB a 14 14\r\nNATS/1.0\r\nK:v\n\r\n", "WIRE_BAD_ARGUMENTS"],
  ["HMSG a 12 12\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["SUB\r\n", "WIRE_BAD_ARGUMENTS"],
  ["SUB a\r\n", "WIRE_BAD_ARGUMENTS"],
  ["SUB a b c d\r\n", "WIRE_BAD_ARGUMENTS"],
  ["SUBSCRIBE a 1\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["UNSUB\r\n", "WIRE_BAD_ARGUMENTS"],
  ["UNSUB 1 x\r\n", "WIRE_BAD_ARGUMENTS"],
  ["UNSUB 1 2 3\r\n", "WIRE_BAD_ARGUMENTS"],
  ["CONNECT\r\n", "none"],
  ["INFO {}\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["MSG a 1 0\r\n\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["LMSG a 0\r\n\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["+OK\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["-ERR 'x'\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["GET / HTTP/1.1\r\n", "WIRE_UNKNOWN_OPERATION"],
  ["\x16\x03\x01\x02\0\x01\0\x01\xfc\r\n", "WIRE_BAD_ARGUMENTS"],
];

for (const [line, code] of MALFORMED) {
  test(`${JSON.stringify(line)}: ${code}`, () => {
    assert.equal(breachOf(line), code);
    const recorder = new Recorder();
    const parser = parserFor(recorder);
    const byByte = () => {
      for (const byte of Buffer.from(line, "latin1")) parser.parse(Buffer.from([byte]));
    };
    if (code === "none") byByte();
    else assert.throws(byByte, { code });
    const bytes = Buffer.from(line, "latin1");
    for (let cut = 1; cut < bytes.length; cut++) {
      const split = parserFor(new Recorder());
      const inTwo = () => {
        split.parse(Buffer.from(bytes.subarray(0, cut)));
        split.parse(Buffer.from(bytes.subarray(cut)));
      };
      if (code === "none") inTwo();
      else assert.throws(inTwo, { code }, `split at ${cut}`);
    }
  });
}

test("a control line may have 4,096 bytes and no more, whether it ends or not", () => {
  const longest = `SUB ${"a".repeat(CLIENT_LINE_BYTES_MAX - 6)} 1\r\n`;
  assert.equal(longest.length, CLIENT_LINE_BYTES_MAX + 2);
  assert.equal(breachOf(longest), "none");
  assert.equal(breachOf(longest.replace("a", "aa")), "WIRE_LINE_TOO_LONG");
  assert.equal(breachOf("P".repeat(CLIENT_LINE_BYTES_MAX + 2)), "WIRE_LINE_TOO_LONG");
  const parser = parserFor(new Recorder());
  let sent = 0;
  assert.throws(
    () => {
      for (; sent < 10_000; sent++) parser.parse(Buffer.from("a"));
    },
    { code: "WIRE_LINE_TOO_LONG" },
  );
  assert.ok(sent <= CLIENT_LINE_BYTES_MAX + 2, `${sent} bytes were taken`);
});

test("a message too large is refused at its line, before its payload comes", () => {
  assert.equal(breachOf(`PUB a ${PAYLOAD_MAX}\r\n`), "none");
  assert.equal(breachOf(`PUB a ${PAYLOAD_MAX + 1}\r\n`), "WIRE_TOO_LARGE");
});

test("a line that begins with C is never quoted: it may hold a password", () => {
  assert.throws(
    () => parserFor(new Recorder(), false).parse(Buffer.from('CONNECT{"pass":"hunter2"}\r\n')),
    (error: Error) => !error.message.includes("hunter2"),
  );
});

test("arbitrary bytes end in a ProtocolError or in nothing, and never in more than was sent", () => {
  const words = fc.constantFrom(
    "PUB ",
    "HPUB ",
    "SUB ",
    "UNSUB ",
    "PING",
    "CONNECT {}",
    " ",
    "\r\n",
    "\n",
    "a.b",
    "1",
    "12",
    "NATS/1.0",
    "\0",
    ">",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 4 })), { maxLength: 30 }), fc.nat(50), (parts, cut) => {
      const bytes = Buffer.from(parts.join(""));
      const recorder = new Recorder();
      const parser = parserFor(recorder);
      try {
        parser.parse(Buffer.from(bytes.subarray(0, cut)));
        parser.parse(Buffer.from(bytes.subarray(cut)));
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
      assert.ok(recorder.heard.join("").length <= bytes.length * 12 + 100);
    }),
    { numRuns: 2000 },
  );
});
