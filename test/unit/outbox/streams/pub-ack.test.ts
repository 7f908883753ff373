import assert from "node:assert/strict";
import { test } from "node:test";
import { type PubAck, parsePubAck, tryStored } from "#outbox/streams/pub-ack.ts";

const parse = (text: string, headers = "") => parsePubAck(headers, Buffer.from(text));

/** As nats-server 2.10.27 and 2.15.1 sent it. */
function errorOf(code: number, errCode: number, description: string): string {
  return `{"error":{"code":${code},"err_code":${errCode},"description":"${description}"},"stream":"S","seq":0}`;
}

test("what a stream stored is stored, under either version's spacing and with a domain", () => {
  const stored: PubAck = { is: "stored", stream: "S", seq: 7, isDuplicate: false };
  assert.deepEqual(parse('{"stream":"S", "seq":7}'), stored);
  assert.deepEqual(parse('{"stream":"S","seq":7,"domain":"hub"}'), stored);
  assert.deepEqual(parse('{"stream":"S","seq":7,"duplicate": true}'), { ...stored, isDuplicate: true });
});

test("the quick reading takes what a nats-server says, wherever it lies, and nothing that the thorough one would not", () => {
  const quick = (text: string) => {
    const bytes = Buffer.from(`}${text}}1`, "latin1");
    return tryStored(bytes, 1, bytes.length - 2) !== undefined;
  };
  const plain = [
    '{"stream":"S", "seq":7}',
    '{"stream":"S","seq":7}',
    '{"stream":"S", "domain":"hub", "seq":999999999999999}',
    '{"stream":"S", "domain":"hub", "seq":12,"duplicate": true}',
    '{"stream": "A B", "seq": 1,"duplicate":true}',
  ];
  for (const text of plain) {
    assert.ok(quick(text), text);
    assert.equal(parse(text).is, "stored", text);
    // Cut short, or with one byte changed: what passes here passes there.
    for (let at = 0; at < text.length; at++) {
      for (const each of [
        text.slice(0, at),
        ...['"', "\\", "0", "-", "{", "\n", "é"].map((c) => text.slice(0, at) + c + text.slice(at + 1)),
      ])
        if (quick(each)) assert.equal(parse(each).is, "stored", each);
    }
  }
  const others = [
    "",
    '{"stream":"","seq":1}',
    '{"stream":"S","seq":0}',
    '{"stream":"S","seq":01}',
    '{"stream":"S","seq":9999999999999999}',
    `{"stream":"${"S".repeat(300)}","seq":1}`,
    '{"stream":"S","seq":7,"domain":"hub"}',
    '{"stream":"S","seq":7}}',
    errorOf(503, 10077, "x"),
  ];
  for (const text of others) assert.ok(!quick(text), text.slice(0, 60));
});

test("a full stream is told from one that is not there, and both may change their mind", () => {
  for (const text of ["maximum messages exceeded", "maximum bytes exceeded", "maximum messages per subject exceeded"]) {
    assert.deepEqual(parse(errorOf(503, 10077, text)), refused(503, 10077, text, "no_space"));
  }
  for (const errCode of [10002, 10023, 10028, 10047]) assert.equal(why(errorOf(500, errCode, "x")), "no_space");
  for (const errCode of [10008, 10009, 10039, 10059, 10076, 10109]) assert.equal(why(errorOf(503, errCode, "x")), "no_stream");
  assert.deepEqual(parse("", "NATS/1.0 503\r\n\r\n"), refused(503, 0, "no stream listens to this subject", "no_stream"));
});

test("what the stream can never take is final", () => {
  const size = "message size exceeds maximum allowed";
  assert.deepEqual(parse(errorOf(400, 10054, size)), refused(400, 10054, size, "too_large", true));
  assert.deepEqual([why(errorOf(400, 10097, "x")), isFinal(errorOf(400, 10097, "x"))], ["too_large", true]);
  for (const errCode of [10060, 10070, 10071, 10111, 10165, 10166, 10168, 10174, 10188]) {
    assert.deepEqual([why(errorOf(400, errCode, "x")), isFinal(errorOf(400, errCode, "x"))], ["other", true]);
  }
});

test("a refusal nobody knows yet is tried again, not given up", () => {
  for (const errCode of [0, 1, 10158, 19999]) {
    assert.deepEqual([why(errorOf(400, errCode, "x")), isFinal(errorOf(400, errCode, "x"))], ["other", false]);
  }
  assert.deepEqual(parse('{"error":{"code":500}}'), refused(500, 0, "", "other"));
});

test("whatever a stream would not say is garbage", () => {
  const hostile = [
    "",
    " ",
    "+ACK",
    "null",
    "7",
    '"stored"',
    "[]",
    "{}",
    '{"stream":"S"}',
    '{"seq":1}',
    '{"stream":"","seq":1}',
    '{"stream":7,"seq":1}',
    '{"stream":"S","seq":"1"}',
    '{"stream":"S","seq":0}',
    '{"stream":"S","seq":-1}',
    '{"stream":"S","seq":1.5}',
    '{"stream":"S","seq":1e300}',
    `{"stream":"${"S".repeat(300)}","seq":1}`,
    '{"error":"no"}',
    '{"error":{}}',
    '{"error":{"code":"400"}}',
    '{"error":null,"stream":"S"}',
    '{"stream":"S","seq":1',
    "[".repeat(1_000_000),
    `{"stream":"S","seq":1,"x":"${"y".repeat(1024 * 1024)}"}`,
    `{"a":${'{"a":'.repeat(2000)}1${"}".repeat(2000)}}`,
  ];
  for (const text of hostile) assert.deepEqual(parse(text), { is: "garbage" }, text.slice(0, 40));
  assert.deepEqual(parsePubAck("", Buffer.from([0xff, 0xfe, 0x00])), { is: "garbage" });
  assert.deepEqual(parse("", "NATS/1.0 5033\r\n\r\n"), { is: "garbage" });
  assert.deepEqual(parse("", "NATS/1.0\r\nStatus: 503\r\n\r\n"), { is: "garbage" });
});

test("the hub's words go to the log short and in one line", () => {
  const answer = parse(errorOf(503, 10077, `full\\r\\n\\u0000${"x".repeat(5000)}`));
  assert.ok(answer.is === "refused");
  assert.equal(answer.text, `full   ${"x".repeat(193)}`);
});

function refused(code: number, errCode: number, text: string, why: Reason, isFinal = false): PubAck {
  return { is: "refused", code, errCode, text, isFinal, why };
}

type Reason = Extract<PubAck, { is: "refused" }>["why"];

function why(text: string): Reason | undefined {
  const answer = parse(text);
  return answer.is === "refused" ? answer.why : undefined;
}

function isFinal(text: string): boolean {
  const answer = parse(text);
  return answer.is === "refused" && answer.isFinal;
}
