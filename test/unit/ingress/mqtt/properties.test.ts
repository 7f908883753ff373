// Properties ↔ NATS headers: what a device says comes out as it went in, and nothing it says becomes a header of its own making.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expiryOf, headerPropertiesBytesMax, writeHeaderProperties } from "#ingress/mqtt/headers-to-properties.ts";
import { HeaderWriter } from "#ingress/mqtt/properties-to-headers.ts";
import { PublishProperties, readPublishProperties } from "#ingress/mqtt/publish-properties.ts";
import { property } from "../../../support/mqtt-bytes.ts";

function read(...properties: readonly Buffer[]): PublishProperties {
  const bytes = Buffer.concat(properties);
  const into = new PublishProperties();
  readPublishProperties(bytes, 0, bytes.length, into);
  return into;
}

/** Header block, lines without their ends, and the reply. */
function headersOf(...properties: readonly Buffer[]): { readonly lines: readonly string[]; readonly reply: string } {
  const writer = new HeaderWriter();
  writer.write(read(...properties));
  const block = writer.block.toString("utf8");
  if (block !== "") assert.match(block, /^NATS\/1\.0\r\n[\s\S]*\r\n\r\n$/);
  return { lines: block.split("\r\n").slice(1, -2), reply: writer.reply };
}

/** The property section made of a header block, with room enough and no more. */
function propertiesOf(headers: Buffer, reply = "", expirySeconds = -1): Buffer {
  const most = headerPropertiesBytesMax(headers.length, reply.length) + (expirySeconds < 0 ? 0 : 5);
  const target = Buffer.alloc(most + 8, 0xee);
  const end = writeHeaderProperties(target, 4, headers, 0, headers.length, reply, expirySeconds);
  assert.ok(end <= 4 + most, `${end - 4} bytes, ${most} promised`);
  assert.equal(target.readUInt32BE(most + 4), 0xeeeeeeee, "nothing is written beyond what was promised");
  return target.subarray(4, end);
}

function block(...lines: readonly string[]): Buffer {
  return Buffer.from(`NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`);
}

/** There and back again. */
function roundTrip(...properties: readonly Buffer[]): Buffer {
  const writer = new HeaderWriter();
  writer.write(read(...properties));
  return propertiesOf(writer.block, writer.reply);
}

test("the properties of a PUBLISH are told by the table", () => {
  const { lines, reply } = headersOf(
    property.user("unit", "°C"),
    property.byte(1, 1),
    property.long(2, 60),
    property.text(3, "text/plain"),
    property.text(8, "answers/7"),
    property.text(9, Buffer.from([0, 255, 13, 10])),
    property.user("unit", "K"),
  );
  assert.equal(reply, "answers.7");
  assert.deepEqual(lines, [
    "Content-Type: text/plain",
    "Nmqtt-Correlation-Data: AP8NCg==",
    "Nmqtt-Expiry: 60",
    "Nmqtt-Payload-Format: 1",
    "unit: °C",
    "unit: K",
  ]);
});

test("without properties there is no header block; a response topic or an alias alone make none", () => {
  assert.deepEqual(headersOf(), { lines: [], reply: "" });
  assert.deepEqual(headersOf(property.text(8, "a/b"), property.word(35, 3)), { lines: [], reply: "a.b" });
});

test("a response topic without a subject travels as a header, and names nothing of the system's", () => {
  for (const topic of ["$JS/API/x", "$SYS/x", "a\x01b", "a".repeat(3000), "a".repeat(1025)]) {
    const { lines, reply } = headersOf(property.text(8, topic));
    assert.equal(reply, "");
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^Nmqtt-Response-Topic: [!-~]+$/);
    assert.deepEqual(roundTrip(property.text(8, topic)), property.text(8, topic));
  }
});

test("a reply subject leaves room for the subject in a control line", () => {
  const longest = "a".repeat(1024);
  assert.deepEqual(headersOf(property.text(8, longest)), { lines: [], reply: longest });
});

test("no device sets a header that means something to NATS or to us", () => {
  for (const name of [
    "Nats-Msg-Id",
    "nats-ttl",
    "NATS-ROLLUP",
    "Nmqtt-Pub",
    "nmqtt-expiry",
    "Status",
    "status",
    "Description",
    "Content-Type",
    "content-type",
    "Petiole-Ack",
  ]) {
    const { lines } = headersOf(property.user(name, "v"));
    assert.deepEqual(lines, [`Nmqtt-User-Property: ${name}=v`]);
    assert.deepEqual(roundTrip(property.user(name, "v")), property.user(name, "v"));
  }
});

test("names that only begin like those are ordinary", () => {
  for (const name of ["nats", "natsx", "state", "statuses", "nm", "n", "content", "Petiole"]) {
    assert.deepEqual(headersOf(property.user(name, "v")).lines, [`${name}: v`]);
  }
});

test("no name and no value begins a line of its own", () => {
  const evil = ["a\r\nNats-Msg-Id: 1", "\r\n\r\nPUB x 1", "a: b", "", " a", "a b", "a\n", "ü", "%0d%0a", "=", "a=b"];
  for (const name of evil) {
    for (const value of [...evil, " ", " x", "x ", "\t", "\x7f", "\r", "a\x01b"]) {
      const { lines } = headersOf(property.user("first", "1"), property.user(name, value), property.user("last", "2"));
      assert.equal(lines.length, 3, JSON.stringify([name, value]));
      assert.equal(lines[0], "first: 1");
      assert.equal(lines[2], "last: 2");
      assert.deepEqual(roundTrip(property.user(name, value)), property.user(name, value), JSON.stringify([name, value]));
    }
  }
});

test("a content type that could end a line is encoded and comes back", () => {
  for (const type of ["text/plain\r\nNats-TTL: 1", " padded ", "", "application/json; charset=utf-8", "ü", "\x7f"]) {
    assert.equal(headersOf(property.text(3, type)).lines.length, 1);
    assert.deepEqual(roundTrip(property.text(3, type)), property.text(3, type), JSON.stringify(type));
  }
});

const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }).filter((text) => text.isWellFormed() && !text.includes("\0")),
  fc.constantFrom("", "a", "Nats-X", "nmqtt-user-property", " a ", "a\r\nb", "%41", "a=b", "x".repeat(300)),
);

test("MQTT5-3.3.2-18: any user properties come back unaltered and in their order, names and all", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(texts, texts), { maxLength: 30 }), (pairs) => {
      const properties = pairs.map(([name, value]) => property.user(name, value));
      assert.deepEqual(roundTrip(...properties), Buffer.concat(properties));
    }),
    { numRuns: 500 },
  );
});

test("MQTT5-3.3.2-16: correlation data of any bytes comes back as it was", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
      const one = property.text(9, Buffer.from(data));
      assert.deepEqual(roundTrip(one), one);
    }),
  );
  const most = property.text(9, Buffer.alloc(30_000, 0xa5));
  assert.ok(roundTrip(most).equals(most));
});

test("headers of NATS become user properties in order; NATS's own and the first line's status do not", () => {
  const headers = Buffer.from(
    "NATS/1.0 503 No Responders\r\nb: 1\r\nNats-Msg-Id: x\r\na:2\r\nb:  3 \r\nNmqtt-Pub: 1\r\nno colon\r\n: no name\r\nPetiole-Time: 5\r\n\r\n",
  );
  const expected = [
    property.user("b", "1"),
    property.user("a", "2"),
    property.user("b", "3"),
    property.user("Petiole-Time", "5"),
  ];
  assert.deepEqual(propertiesOf(headers), Buffer.concat(expected));
});

test("what cannot be said as a property is left out, and the rest is said", () => {
  const fine = property.user("k", "v");
  for (const line of [
    "Nmqtt-Expiry: soon",
    "Nmqtt-Expiry: 4294967296",
    "Nmqtt-Expiry:",
    "Nmqtt-Correlation-Data: !!!!",
    "Nmqtt-Correlation-Data: abc",
    "Nmqtt-Correlation-Data: a===",
    "Nmqtt-Payload-Format: 2",
    "Nmqtt-Response-Topic: a/%23",
    "Nmqtt-Response-Topic:",
    "Nmqtt-Response-Topic: %00",
    "Nmqtt-Content-Type: %4",
    "Nmqtt-Content-Type: %zz",
    "Nmqtt-User-Property: %41",
    "Nmqtt-User-Property: a=%80",
    "Nmqtt-Unknown: 1",
  ]) {
    assert.deepEqual(propertiesOf(block(line, "k: v")), fine, line);
  }
  const badBytes = Buffer.concat([Buffer.from("NATS/1.0\r\na: "), Buffer.from([0xff]), Buffer.from("\r\nb: \0\r\nk: v\r\n\r\n")]);
  assert.deepEqual(propertiesOf(badBytes), fine);
  assert.deepEqual(propertiesOf(block(`a: ${"x".repeat(65_536)}`, "k: v")), fine);
});

test("a property that may stand once is said once, the first time", () => {
  const headers = block(
    "Content-Type: a",
    "content-type: b",
    "Nmqtt-Expiry: 1",
    "Nmqtt-Expiry: 2",
    "Nmqtt-Correlation-Data: AA==",
    "nmqtt-correlation-data: AQ==",
  );
  const expected = [property.text(3, "a"), property.long(2, 1), property.text(9, Buffer.from([0]))];
  assert.deepEqual(propertiesOf(headers), Buffer.concat(expected));
});

test("the reply subject is the response topic, before what a header says of one", () => {
  assert.deepEqual(propertiesOf(block("Nmqtt-Response-Topic: other"), "_INBOX.x.1"), property.text(8, "_INBOX/x/1"));
  assert.deepEqual(propertiesOf(block(), "a.+"), Buffer.alloc(0), "no topic can say it");
  assert.deepEqual(propertiesOf(Buffer.alloc(0), "a.b"), property.text(8, "a/b"));
});

test("MQTT5-3.3.2-6: the seconds that are left go before those of the header", () => {
  assert.deepEqual(propertiesOf(block("Nmqtt-Expiry: 60"), "", 7), property.long(2, 7));
  assert.equal(expiryOf(block("a: b", "nmqtt-expiry:  60 ", "c: d"), 0, 44), 60);
  const none = block("a: b", "Nmqtt-Expiry: x");
  assert.equal(expiryOf(none, 0, none.length), -1);
  assert.equal(expiryOf(Buffer.alloc(0), 0, 0), -1);
});

test("more headers than a client wants become no more properties than the limits allow", () => {
  const many = propertiesOf(block(...Array.from({ length: 1000 }, (_, i) => `k: ${i}`)));
  const into = new PublishProperties();
  readPublishProperties(many, 0, many.length, into);
  assert.equal(into.userCount, 256);
  const large = propertiesOf(block(...Array.from({ length: 100 }, () => `k: ${"v".repeat(1000)}`)));
  assert.ok(large.length <= 32_768 && large.length > 31_000, `${large.length}`);
});

test("any bytes for a header block give a property section that we would take ourselves", () => {
  const lines = fc.array(
    fc.constantFrom(
      "a: b",
      "Content-Type: x",
      "Nmqtt-Expiry: 5",
      "Nmqtt-User-Property: %41=b",
      ":",
      "\xff: x",
      "\0",
      "",
      "Nmqtt-Correlation-Data: AA==",
    ),
  );
  const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(lines, noise, fc.nat(100), (texts, bytes, where) => {
      const whole = block(...texts);
      const headers = Buffer.concat([whole.subarray(0, where), bytes, whole.subarray(where)]);
      const properties = propertiesOf(headers, "a.b");
      readPublishProperties(properties, 0, properties.length, new PublishProperties());
    }),
    { numRuns: 500 },
  );
});
