import assert from "node:assert/strict";
import { test } from "node:test";
import { PublishParts, publishBytesMax, setPacketId, writePublish } from "#ingress/mqtt/publish.ts";
import { batchOf, message } from "../../../support/router-fixtures.ts";
import { publish } from "../../../wire/mqtt/harness.ts";

function written(subject: string, payload: string, packetId: number): Buffer {
  const batch = batchOf(message("first", "x"), message(subject, payload));
  const target = Buffer.alloc(publishBytesMax(batch, 1) + 3, 0xee);
  const end = writePublish(target, 3, batch, 1, packetId);
  assert.ok(end - 3 <= publishBytesMax(batch, 1));
  return target.subarray(3, end);
}

test("a message is written as the PUBLISH it is, at the edges of every length", () => {
  for (const bytes of [0, 1, 120, 121, 122, 123, 16_370, 16_376, 16_380, 16_384, 2_097_140, 2_097_152]) {
    const payload = "p".repeat(bytes);
    assert.deepEqual(written("a.b", payload, 0), publish("a/b", payload), `${bytes} bytes, QoS 0`);
    assert.deepEqual(written("a.b", payload, 0x1234), publish("a/b", payload, { packetId: 0x1234 }), `${bytes} bytes, QoS 1`);
  }
});

test("a subject with slashes is written as its topic", () => {
  assert.deepEqual(written("a//b.c", "x", 0), publish("a.b/c", "x"));
  assert.deepEqual(written("/.a./", "x", 7), publish("/a/", "x", { packetId: 7 }));
});

test("the packet identifier of a written PUBLISH can be put right, whatever its length", () => {
  for (const bytes of [0, 200, 20_000]) {
    const packet = Buffer.from(written("a.b", "p".repeat(bytes), 1));
    setPacketId(packet, 0xabcd);
    assert.deepEqual(packet, publish("a/b", "p".repeat(bytes), { packetId: 0xabcd }));
  }
});

test("the parts of a PUBLISH are found where they lie", () => {
  const parts = new PublishParts();
  const bytes = publish("a/b", "xyz", { packetId: 0x0102, retain: true });
  parts.read(bytes, bytes[0]!, 2, bytes.length);
  assert.deepEqual(
    { qos: parts.qos, isRetained: parts.isRetained, packetId: parts.packetId, payload: bytes.toString("utf8", parts.payload) },
    { qos: 1, isRetained: true, packetId: 0x0102, payload: "xyz" },
  );
  assert.equal(bytes.toString("utf8", parts.topic, parts.topicEnd), "a/b");
});

test("a PUBLISH cut short at any byte is malformed, never read beyond its end", () => {
  const bytes = publish("a/b", "", { packetId: 1 });
  for (let end = 2; end < bytes.length; end++) {
    assert.throws(() => new PublishParts().read(bytes, bytes[0]!, 2, end), { code: "MQTT_MALFORMED" }, `ends at ${end}`);
  }
});
