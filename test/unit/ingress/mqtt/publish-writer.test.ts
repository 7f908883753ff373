// A PUBLISH to a client: whatever is written is read back, by our own parser and by mqtt-packet, for every version.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as mqttPacket from "mqtt-packet";
import { flagsFor } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { toSubject } from "#core/subject.ts";
import { type KeptMessage, keepMessage } from "#ingress/mqtt/message.ts";
import {
  keptPublishBytesMax,
  type PublishOptions,
  packetIdOffset,
  plainPublishOptions,
  publishBytesMax,
  writeKeptPublish,
  writePublish,
} from "#ingress/mqtt/publish-writer.ts";
import { mapTopic } from "#ingress/mqtt/topic.ts";
import type { MqttVersion } from "#ingress/mqtt/version.ts";
import { property, publishPacket } from "../../../support/mqtt-bytes.ts";
import { type DecodedPublish, decode } from "../../../support/mqtt-codec.ts";

const VERSIONS: readonly MqttVersion[] = [3, 4, 5];

interface Message {
  readonly subject: string;
  readonly payload?: Buffer;
  readonly headers?: Buffer;
  readonly reply?: string;
}

function optionsFor(version: MqttVersion, changes: Partial<PublishOptions> = {}): PublishOptions {
  return { ...plainPublishOptions(version), ...changes };
}

/** Written from a batch and from a kept message: the bytes must be the same, and stay within what was announced. */
function written(message: Message, options: PublishOptions): Buffer {
  const batch = new BatchBuilder();
  batch.beginOwn();
  batch.add({ subject: "some.other", payload: Buffer.from("noise"), flags: 0 });
  batch.add({ payload: Buffer.alloc(0), ...message, flags: flagsFor(1, true, false) });
  const most = publishBytesMax(batch, 1, options);
  const target = Buffer.alloc(most + 7, 0xee);
  const end = writePublish(target, 3, batch, 1, options);
  assert.ok(end - 3 <= most, `${end - 3} bytes, ${most} announced`);
  assert.equal(target.readUInt32BE(most + 3), 0xeeeeeeee, "nothing is written beyond what was announced");
  const kept = keepMessage(batch, 1, 0, 0);
  const keptTarget = Buffer.alloc(keptPublishBytesMax(kept, options));
  const keptEnd = writeKeptPublish(keptTarget, 0, kept, options);
  assert.deepEqual(keptTarget.subarray(0, keptEnd), target.subarray(3, end));
  return target.subarray(3, end);
}

function headers(...lines: readonly string[]): Buffer {
  return Buffer.from(`NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`);
}

test("a message is written as the PUBLISH it is, at the edges of every length, in every version", () => {
  for (const version of VERSIONS) {
    for (const bytes of [0, 1, 119, 120, 121, 122, 123, 124, 16_370, 16_376, 16_380, 16_384, 2_097_140, 2_097_152]) {
      const payload = Buffer.alloc(bytes, "p");
      for (const qos of [0, 1, 2] as const) {
        const found = written({ subject: "a.b", payload }, optionsFor(version, { qos, packetId: 0x1234 }));
        const wanted = publishPacket(version, { qos, packetId: 0x1234, payload });
        assert.ok(found.equals(wanted), `${bytes} bytes, QoS ${qos}, version ${version}`);
      }
    }
  }
});

test("DUP and RETAIN are written", () => {
  const options = optionsFor(4, { qos: 2, packetId: 5, isDuplicate: true, retain: true });
  assert.deepEqual(
    written({ subject: "a.b", payload: Buffer.from("x") }, options),
    publishPacket(4, { qos: 2, packetId: 5, flags: 9 }),
  );
});

test("a subject that needs it is written as its topic", () => {
  for (const topic of ["a.b/c", "/a/", "my room/*", ">", "ü/é"]) {
    const subject = mapTopic(toSubject(topic));
    assert.ok(typeof subject === "string");
    for (const version of VERSIONS) {
      assert.deepEqual(written({ subject, payload: Buffer.from("x") }, optionsFor(version)), publishPacket(version, { topic }));
    }
  }
});

test("headers and reply become properties for 5.0, and nothing for 3.x", () => {
  const message = { subject: "a.b", payload: Buffer.from("x"), headers: headers("k: v", "Nmqtt-Expiry: 60"), reply: "_INBOX.1" };
  const properties = [property.text(8, "_INBOX/1"), property.user("k", "v"), property.long(2, 60)];
  assert.deepEqual(written(message, optionsFor(5)), publishPacket(5, { properties }));
  assert.deepEqual(written(message, optionsFor(4)), publishPacket(4));
  assert.deepEqual(written(message, optionsFor(3)), publishPacket(3));
});

test("MQTT5-3.3.4-3: the identifiers of the subscriptions that matched are written", () => {
  const options = optionsFor(5, { qos: 1, packetId: 9, subscriptionIds: [1, 268_435_455] });
  const properties = [property.varint(11, 1), property.varint(11, 268_435_455)];
  assert.deepEqual(
    written({ subject: "a.b", payload: Buffer.from("x") }, options),
    publishPacket(5, { qos: 1, packetId: 9, properties }),
  );
});

test("a topic alias is written with its topic first, and then instead of it", () => {
  const properties = [property.word(35, 7)];
  const message = { subject: "a.b", payload: Buffer.from("x") };
  assert.deepEqual(written(message, optionsFor(5, { topicAlias: 7 })), publishPacket(5, { properties }));
  assert.deepEqual(
    written(message, optionsFor(5, { topicAlias: 7, isTopicKnown: true })),
    publishPacket(5, { topic: "", properties }),
  );
});

test("MQTT5-3.3.2-6: what is left of the expiry goes before what the header says", () => {
  const message = { subject: "a.b", payload: Buffer.from("x"), headers: headers("Nmqtt-Expiry: 60") };
  assert.deepEqual(
    written(message, optionsFor(5, { expirySeconds: 7 })),
    publishPacket(5, { properties: [property.long(2, 7)] }),
  );
  assert.deepEqual(
    written(message, optionsFor(5, { expirySeconds: 0 })),
    publishPacket(5, { properties: [property.long(2, 0)] }),
  );
});

test("properties at the edges of their length's length", () => {
  for (const bytes of [121, 122, 123, 124, 16_370, 16_376, 16_377, 16_380, 32_000]) {
    const value = "v".repeat(bytes);
    const found = written({ subject: "a.b", payload: Buffer.from("x"), headers: headers(`k: ${value}`) }, optionsFor(5));
    assert.ok(found.equals(publishPacket(5, { properties: [property.user("k", value)] })), `${bytes} bytes`);
  }
});

test("the packet identifier of a written PUBLISH is found again, whatever its length", () => {
  for (const version of VERSIONS) {
    for (const bytes of [0, 200, 20_000, 2_100_000]) {
      const packet = written({ subject: "a.b", payload: Buffer.alloc(bytes) }, optionsFor(version, { qos: 1, packetId: 0xabcd }));
      assert.equal(packet.readUInt16BE(packetIdOffset(packet, 0)), 0xabcd);
    }
  }
});

const names = fc.constantFrom("a", "b-c", "unit", "X-Y");
const topics = fc.string({ unit: fc.constantFrom("a", "b", "/", ".", " ", "*", ">", "é"), minLength: 1, maxLength: 30 });

test("what is written is read back by our own parser and by mqtt-packet", () => {
  fc.assert(
    fc.property(
      topics,
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.tuple(names, names), { maxLength: 5 }),
      fc.constantFrom<readonly MqttVersion[]>(VERSIONS).chain((all) => fc.constantFrom(...all)),
      fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
      fc.integer({ min: 1, max: 65_535 }),
      fc.boolean(),
      (topic, payload, pairs, version, qos, packetId, retain) => {
        const subject = mapTopic(toSubject(topic));
        assert.ok(typeof subject === "string");
        const options = optionsFor(version, { qos, packetId, retain, isDuplicate: qos > 0 && retain });
        const lines = pairs.map(([name, value]) => `${name}: ${value}`);
        const bytes = written(
          { subject, payload: Buffer.from(payload), headers: pairs.length === 0 ? Buffer.alloc(0) : headers(...lines) },
          options,
        );
        const ours = decode(bytes, version) as DecodedPublish;
        assert.equal(ours.topic, toSubject(topic));
        assert.equal(ours.qos, qos);
        assert.equal(ours.packetId, qos === 0 ? 0 : packetId);
        assert.equal(ours.isRetained, retain);
        assert.deepEqual(ours.payload, Buffer.from(payload));
        assert.deepEqual(ours.headers.split("\r\n").slice(1, -2), version === 5 ? lines : []);
        const theirs = parsed(bytes, version);
        assert.equal(theirs.topic, topic);
        assert.deepEqual(Buffer.from(theirs.payload as Buffer), Buffer.from(payload));
      },
    ),
    { numRuns: 500 },
  );
});

function parsed(bytes: Buffer, version: MqttVersion): mqttPacket.IPublishPacket {
  const found: mqttPacket.Packet[] = [];
  const parser = mqttPacket.parser({ protocolVersion: version });
  parser.on("packet", (each) => found.push(each));
  parser.on("error", (error) => {
    throw error;
  });
  parser.parse(bytes);
  assert.equal(found.length, 1);
  assert.ok(found[0]!.cmd === "publish");
  return found[0] as mqttPacket.IPublishPacket;
}

test("a kept message is a copy: it lives on when the batch is gone", () => {
  const batch = new BatchBuilder();
  batch.beginOwn();
  batch.add({
    subject: "a.b",
    payload: Buffer.from("payload"),
    headers: headers("k: v"),
    reply: "r",
    flags: flagsFor(3, false, true),
  });
  const kept: KeptMessage = keepMessage(batch, 0, 1, 99);
  batch.bytes.fill(0);
  assert.deepEqual(
    { ...kept, payload: kept.payload.toString(), headers: kept.headers.toString() },
    {
      subject: "a.b",
      payload: "payload",
      headers: headers("k: v").toString(),
      reply: "r",
      qos: 1,
      isRetained: true,
      deadlineWall: 99,
    },
  );
});
