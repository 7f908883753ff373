// What a client acknowledges after a power cut of the broker's, and what of it may count. A QoS 1 message goes out before it is on flash,
// so the broker may have forgotten one whose acknowledgement is still to come.
//
//   life 1   1, identifier i ─▶ reader                the power goes, no record is left
//   life 2   2, identifier j ─▶ reader, PUBACK i ◀─   i is not j: 2 is still owed

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { MemoryKeeping } from "../../support/memory-keeping.ts";
import { MqttDoor, puback, type RawClient } from "../../wire/mqtt/harness.ts";
import { next } from "./five.ts";
import { breaks, comes, RESUMED, subscribed } from "./v3.ts";

/** The next packet is a PUBLISH at QoS 1 to a topic of one letter. */
async function published(client: RawClient): Promise<{ isDuplicate: boolean; packetId: number; payload: string }> {
  const { first, body } = await next(client);
  assert.equal(first & 0xf6, 0x32);
  return { isDuplicate: (first & 8) !== 0, packetId: body.readUInt16BE(3), payload: body.toString("utf8", 5) };
}

test("MQTT-4.3.2-1: a PUBACK that comes late, for a message that a power cut made forgotten, acknowledges no other message", async () => {
  const keeping = new MemoryKeeping();
  const first = await MqttDoor.open({ stages: false, keeping });
  await subscribed(first, "reader", "a", 1);
  await using reader = await comes(first, "reader", RESUMED);
  await turn();
  keeping.isHeld = true;
  first.publish("a", "1");
  const { packetId } = await published(reader);
  const left = keeping.cut();
  await first[Symbol.asyncDispose]();

  await using second = await MqttDoor.open({ stages: false, keeping: left });
  await using again = await comes(second, "reader", RESUMED);
  second.publish("a", "2");
  const sent = await published(again);
  again.send(puback(packetId));
  await again.isIdle();
  await breaks(second, again);
  await using once = await comes(second, "reader", RESUMED);
  assert.deepEqual(await published(once), { ...sent, isDuplicate: true });
});

test("MQTT-4.3.2-1: a QoS 1 message from flash is acknowledged only once it has gone out again", async () => {
  const keeping = new MemoryKeeping();
  const first = await MqttDoor.open({ stages: false, keeping });
  await subscribed(first, "reader", "a", 1);
  await using reader = await comes(first, "reader", RESUMED);
  for (const payload of ["1", "2"]) first.publish("a", payload);
  const [one, two] = [await published(reader), await published(reader)];
  await turn();
  const left = keeping.cut();
  await first[Symbol.asyncDispose]();

  await using second = await MqttDoor.open({ stages: false, keeping: left, settings: { maxInflight: 1 } });
  await using again = await comes(second, "reader", RESUMED);
  again.send(puback(two.packetId)); // 2 still waits for its place
  assert.equal((await published(again)).payload, "1");
  again.send(puback(one.packetId));
  assert.equal((await published(again)).payload, "2");
});
