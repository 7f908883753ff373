import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonOf } from "#ingress/mqtt/errors.ts";
import { PublishParts } from "#ingress/mqtt/publish.ts";
import type { MqttVersion } from "#ingress/mqtt/version.ts";
import { property, publishPacket } from "../../../support/mqtt-bytes.ts";

const VERSIONS: readonly MqttVersion[] = [3, 4, 5];

test("the parts of a PUBLISH are found where they lie", () => {
  for (const version of VERSIONS) {
    for (const qos of [1, 2] as const) {
      const parts = new PublishParts();
      const bytes = publishPacket(version, { qos, packetId: 0x0102, flags: 9, payload: Buffer.from("xyz") });
      parts.read(bytes, bytes[0]!, 2, bytes.length, version);
      const { isRetained, isDuplicate, packetId, topicAlias, hasProperties } = parts;
      assert.deepEqual(
        { qos: parts.qos, isRetained, isDuplicate, packetId, topicAlias, hasProperties },
        { qos, isRetained: true, isDuplicate: true, packetId: 0x0102, topicAlias: 0, hasProperties: false },
      );
      assert.equal(bytes.toString("utf8", parts.payload), "xyz");
      assert.equal(bytes.toString("utf8", parts.topic, parts.topicEnd), "a/b");
    }
  }
});

test("nothing of an earlier PUBLISH is found in a later one", () => {
  const parts = new PublishParts();
  const rich = publishPacket(5, { qos: 2, packetId: 9, flags: 9, properties: [property.word(35, 3), property.user("k", "v")] });
  parts.read(rich, rich[0]!, 2, rich.length, 5);
  assert.equal(parts.topicAlias, 3);
  assert.equal(parts.properties.userCount, 1);
  assert.deepEqual([parts.propertiesStart, parts.propertiesEnd], [10, 20]);
  for (const version of VERSIONS) {
    const bare = publishPacket(version);
    parts.read(bare, bare[0]!, 2, bare.length, version);
    const numbers: readonly number[] = [parts.qos, parts.packetId, parts.topicAlias, parts.propertiesStart, parts.propertiesEnd];
    assert.deepEqual(numbers, [0, 0, 0, 0, 0]);
    assert.deepEqual([parts.hasProperties, parts.isDuplicate, parts.isRetained], [false, false, false]);
  }
});

test("MQTT5-3.3.2: a PUBLISH with a topic alias may leave its topic out, one without may not", () => {
  const parts = new PublishParts();
  const bytes = publishPacket(5, { topic: "", properties: [property.word(35, 0xffff)] });
  parts.read(bytes, bytes[0]!, 2, bytes.length, 5);
  assert.equal(parts.topicAlias, 0xffff);
  assert.equal(parts.topic, parts.topicEnd);
  const bare = publishPacket(5, { topic: "", properties: [property.user("k", "v")] });
  assert.throws(
    () => parts.read(bare, bare[0]!, 2, bare.length, 5),
    (error: unknown) => reasonOf(error) === 0x82,
  );
});

test("a property section of any length of length is stepped over", () => {
  for (const bytes of [0, 1, 122, 123, 200, 16_378, 16_379, 20_000]) {
    const parts = new PublishParts();
    const properties = [property.user("k", "v".repeat(bytes))];
    const packet = publishPacket(5, { properties, payload: Buffer.from("xyz") });
    let start = 1;
    while (packet[start]! > 127) start += 1;
    parts.read(packet, packet[0]!, start + 1, packet.length, 5);
    assert.equal(packet.toString("latin1", parts.payload), "xyz");
    assert.equal(parts.propertiesEnd - parts.propertiesStart, properties[0]!.length);
  }
});

test("a payload that is said to be UTF-8 and is not is known, and nothing is said of others", () => {
  const parts = new PublishParts();
  const said = (format: number, payload: Buffer): boolean => {
    const bytes = publishPacket(5, { properties: [property.byte(1, format)], payload });
    parts.read(bytes, bytes[0]!, 2, bytes.length, 5);
    return parts.isPayloadMisdeclared(bytes, bytes.length);
  };
  assert.equal(said(1, Buffer.from([0xff])), true);
  assert.equal(said(1, Buffer.from("é")), false);
  assert.equal(said(1, Buffer.alloc(0)), false);
  assert.equal(said(0, Buffer.from([0xff])), false);
  const bare = publishPacket(5, { payload: Buffer.from([0xff]) });
  parts.read(bare, bare[0]!, 2, bare.length, 5);
  assert.equal(parts.isPayloadMisdeclared(bare, bare.length), false);
});

test("a PUBLISH cut short at any byte is malformed, never read beyond its end", () => {
  for (const version of VERSIONS) {
    const bytes = publishPacket(version, { qos: 1, properties: [property.user("k", "v")], payload: Buffer.alloc(0) });
    for (let end = 2; end < bytes.length; end++) {
      const read = () => new PublishParts().read(bytes, bytes[0]!, 2, end, version);
      assert.throws(read, { code: "MQTT_MALFORMED" }, `version ${version} ends at ${end}`);
    }
  }
});
