// Attacks that other brokers have fallen to, each by the name it is known under. What they have in common: the attacker loses its own
// connection at most, and nobody else sees or loses anything.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { User } from "#access/authenticator.ts";
import { UNRESTRICTED } from "#access/permissions.ts";
import { MemoryKeeping } from "../../support/memory-keeping.ts";
import {
  connect,
  hex,
  MqttDoor,
  PASSWORD,
  packet,
  puback,
  publish,
  type RawClient,
  subscribe,
  text,
  USERS,
  word,
} from "../../wire/mqtt/harness.ts";

const RESUMED = "20 02 01 00";

/** May do everything but touch `secret.>`. */
const CURIOUS: User = {
  name: "curious",
  account: "EDGE",
  passwordHash: USERS[0]!.passwordHash,
  doors: ["mqtt"],
  permissions: { publish: UNRESTRICTED, subscribe: { allow: null, deny: ["secret.>", "secret"] } },
};

async function openDoor(more: Parameters<typeof MqttDoor.open>[0] = {}): Promise<MqttDoor> {
  return await MqttDoor.open({ stages: false, users: [...USERS, CURIOUS], ...more });
}

async function comesIn(
  door: MqttDoor,
  clientId: string,
  user: string,
  isClean = true,
  connack = "20 02 00 00",
): Promise<RawClient> {
  const client = await door.dial();
  client.send(connect({ clientId, isClean, user, password: PASSWORD }));
  await client.receives(connack);
  return client;
}

test("CVE-2026-33217, permissions passed by through the internal namespace: no client publishes to or subscribes below $MQTT, $JS, $SYS", async () => {
  await using door = await openDoor();
  const names = [
    "$MQTT/msgs/plant/8",
    "$MQTT/rmsgs/plant/8",
    "$MQTT/sess/x",
    "$JS/API/STREAM/DELETE/x",
    "$SYS/REQ/x",
    "$PETIOLE/x",
  ];
  for (const name of names) {
    await using client = await comesIn(door, "attacker", "ann");
    client.send(publish(name, "x", { packetId: 1 }));
    await client.isClosed();
  }
  await using reader = await comesIn(door, "reader", "ann");
  const filters = ["$MQTT/#", "$MQTT/msgs/#", "$share/g/$MQTT/#", "$MQTT/+/plant"];
  reader.send(subscribe(1, ...filters.map((filter) => [filter, 1] as const)));
  await reader.receives(packet(0x90, word(1), Buffer.from(filters.map(() => 0x80))));
  reader.send(subscribe(2, ["#", 1], ["+/msgs/#", 1]));
  await reader.receives("90 04 00 02 01 01");
  door.publish("$MQTT.msgs.plant", "inside");
  door.publish("$JS.API.x", "inside");
  await reader.isIdle();
  assert.deepEqual(
    door.upstream.taken.filter((taken) => !taken.includes("inside")),
    [],
  );
});

test("advisory 2026-26, replay past a deny rule: denied subjects come neither retained, nor queued, nor as a will, nor to a session that had the right", async () => {
  const keeping = new MemoryKeeping();
  await using door = await openDoor({ keeping });
  await using writer = await comesIn(door, "writer", "ann");
  writer.send(
    publish("secret/a", "kept", { packetId: 1, retain: true }),
    publish("open/a", "kept", { packetId: 2, retain: true }),
  );
  await writer.receives(Buffer.concat([puback(1), puback(2)]));
  const away = await comesIn(door, "away", "curious", false);
  away.send(subscribe(1, ["#", 1], ["secret/a", 1]));
  await away.receives("90 04 00 01 01 80");
  await away.receives(publish("open/a", "kept", { packetId: 1, retain: true }));
  away.send(puback(1), hex("e0 00"));
  await away.isOver();
  writer.send(publish("secret/b", "queued", { packetId: 3 }), publish("open/b", "queued", { packetId: 4 }));
  await writer.receives(Buffer.concat([puback(3), puback(4)]));
  const dying = await door.dial();
  dying.send(
    connect({ clientId: "dying", user: "ann", password: PASSWORD, will: { topic: "secret/will", payload: "x", qos: 1 } }),
  );
  await dying.receives("20 02 00 00");
  dying.vanish();
  await door.takes(5);
  await using back = await comesIn(door, "away", "curious", false, RESUMED);
  await back.receives(publish("open/b", "queued", { packetId: 2 }));
  await back.isIdle();
});

test("advisory 2026-18, a queue subscription that overrides a deny: a shared subscription gives no right that a plain one does not", async () => {
  await using door = await openDoor();
  await using client = await comesIn(door, "a", "curious");
  client.send(subscribe(1, ["$share/g/secret/a", 1], ["$share/g/secret/#", 1], ["$share/g/#", 1], ["$share/g/+/a", 1]));
  await client.receives("90 06 00 01 80 80 01 01");
  door.publish("secret.a", "x");
  await client.isIdle();
});

test("advisory 2026-16, a user for who shows none: it has that user's permissions and no more, and a wrong password is no way to it", async () => {
  await using door = await openDoor({ noAuthUser: "sensor" });
  await using nobody = await door.connected("nobody");
  nobody.send(subscribe(1, ["cmd/7/go", 0], ["cmd/7/secret", 0], ["#", 0]));
  await nobody.receives("90 05 00 01 00 80 00");
  door.publish("plant.9", "x");
  await nobody.isIdle();
  await using wrong = await door.dial();
  wrong.send(connect({ clientId: "w", user: "ann", password: "wrong" }));
  await wrong.isClosed("20 02 00 04");
});

test("partial CONNECTs that eat memory: what is announced above 10 KiB ends at its length, and what trickles is held to that", async () => {
  await using door = await openDoor();
  for (const length of ["ff ff ff 7f", "fe 4f"]) {
    await using client = await door.dial();
    client.send(`10 ${length}`);
    await client.isOver(); // before a byte of its body
  }
  await using other = await door.connected("other");
  await other.isIdle();
});

test("an underflow of the remaining length: a length too small for what the packet says it holds ends its connection", async () => {
  await using door = await openDoor();
  const packets = [
    "30 00",
    "30 01 00",
    "32 02 00 05",
    "32 04 00 01 61 00",
    "82 00",
    "82 02 00 01",
    "a2 03 00 01 00",
    "62 01 00",
    "40 00",
  ];
  for (const bytes of packets) {
    await using client = await comesIn(door, "a", "ann");
    client.send(bytes);
    await client.isOver();
  }
  for (const bytes of ["10 00", "10 01 00", "10 06 00 04 4d 51 54 54", "10 0a 00 ff 4d 51 54 54 04 02 00 00"]) {
    await using client = await door.dial();
    client.send(bytes);
    await client.isOver();
  }
  await using other = await door.connected("other");
  await other.isIdle();
});

test("an oversized topic: 65,535 bytes, or as many levels, are refused in words and stop nobody", async () => {
  await using door = await openDoor();
  for (const topic of ["a".repeat(65_535), "/".repeat(65_535), "a/".repeat(32_767)]) {
    await using client = await comesIn(door, "a", "ann");
    client.send(publish(topic, "x"), subscribe(1, [topic, 0]));
    await client.receives("90 03 00 01 80");
    client.send(publish(topic, "x", { packetId: 1 }));
    await client.isOver();
  }
  assert.deepEqual(door.upstream.taken, []);
});

test("NATS wildcards and control characters in topics and client ids: no topic becomes a wildcard, no character ends a line", async () => {
  await using door = await openDoor();
  await using client = await comesIn(door, "a.*.> b:c", "ann");
  client.send(
    publish("x/*", "1", { packetId: 1 }),
    publish("x/>", "2", { packetId: 2 }),
    publish("x y/z.w", "3", { packetId: 3 }),
  );
  await client.receives(Buffer.concat([puback(1), puback(2), puback(3)]));
  assert.deepEqual(
    door.upstream.taken.map((taken) => taken.split("=")[0]),
    ["x./a", "x./g", "x/sy.z//w"],
  );
  client.send(subscribe(1, ["x/*", 1], ["x/>", 1]));
  await client.receives("90 04 00 01 01 01");
  door.publish("x.other", "not asked for");
  await client.isIdle();
  for (const bad of ["a\r\nPUB evil 0", "a\tb", "a\u007f", "a\u0085b"]) {
    await using breaker = await comesIn(door, "breaker", "ann");
    breaker.send(publish(bad, "x", { packetId: 1 }));
    await breaker.isOver();
  }
  assert.equal(door.upstream.taken.length, 4); // the three, and the one from another door
});

test("a session restored under another client id or by another user: ids are compared whole, and a session is its user's own", async () => {
  await using door = await openDoor({ keeping: new MemoryKeeping() });
  const owner = await comesIn(door, "device", "ann", false);
  owner.send(subscribe(1, ["x", 1]));
  await owner.receives("90 03 00 01 01");
  owner.send("e0 00");
  await owner.isClosed();
  door.publish("x", "for ann");
  for (const clientId of ["devic", "device ", "device/", "DEVICE", "device\u00e9"]) {
    await using other = await comesIn(door, clientId, "ann", false);
    await other.isIdle();
  }
  await using thief = await door.dial();
  thief.send(connect({ clientId: "device", isClean: false, user: "bob", password: PASSWORD }));
  await thief.isClosed("20 02 00 02");
  await using back = await comesIn(door, "device", "ann", false, RESUMED);
  await back.receives(publish("x", "for ann", { packetId: 1 }));
});

test("a password copied into something that is shown: it is in no line of the log, no status and no topic", async () => {
  await using door = await openDoor();
  await using client = await comesIn(door, "a", "ann");
  await using wrong = await door.dial();
  wrong.send(connect({ clientId: "b", user: "ann", password: "hunter2hunter2" }));
  await wrong.isClosed("20 02 00 04");
  await client.isIdle();
  const shown = JSON.stringify([door.lines, door.ingress.status(), door.ingress.clients(), [...door.ingress.closed()]]);
  assert.ok(!shown.includes(PASSWORD) && !shown.includes("hunter2"), shown);
});

test("a payload limit that is not enforced: one byte more than limits.max_payload ends the connection, as a will it is refused at CONNECT", async () => {
  await using door = await openDoor({ limits: { maxPayload: 1024, maxPending: 1_048_576, writeDeadline: 10_000 } });
  await using client = await comesIn(door, "a", "ann");
  client.send(publish("x", "y".repeat(1024), { packetId: 1 }));
  await client.receives(puback(1));
  client.send(publish("x", "y".repeat(1025), { packetId: 2 }));
  await client.isClosed();
  await using dying = await door.dial();
  dying.send(
    connect({ clientId: "b", user: "ann", password: PASSWORD, will: { topic: "w", payload: "y".repeat(1025), qos: 0 } }),
  );
  await dying.isOver();
  assert.equal(door.upstream.taken.length, 1);
});

test("NanoMQ 2270, 2268, 1720, 1863, truncated PUBLISH and SUBSCRIBE: cut at every byte with a length that fits, nothing beside the packet is read", async () => {
  await using door = await openDoor();
  const whole = [publish("topic/x", "SENTINEL", { packetId: 7 }), subscribe(9, ["filter/a", 1], ["filter/b", 0])];
  for (const one of whole) {
    const [first] = one;
    const body = one.subarray(2);
    for (let cut = 0; cut < body.length; cut++) {
      await using client = await comesIn(door, `c${cut}`, "ann");
      // What follows in the same segment must not be taken for the rest of it.
      client.send(Buffer.concat([packet(first!, body.subarray(0, cut)), publish("after", "AFTER")]));
      client.send("e0 00");
      await client.isOver();
    }
  }
  const strange = door.upstream.taken.filter((taken) => taken !== "after=AFTER" && !"topic.x=SENTINEL".startsWith(taken));
  assert.deepEqual(strange, []);
});

test("mosquitto 3448, CONNECT with lengths that lie: each field may claim what it likes, nothing is reserved for it", async () => {
  await using door = await openDoor();
  const head = Buffer.concat([text("MQTT"), Buffer.from([4, 0xee, 0, 60])]);
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 200; i++) {
    await using client = await door.dial();
    client.send(packet(0x10, head, Buffer.from([0xff, 0xff, 0x61, 0x62])), hex("10 ff ff ff 7f"));
    await client.isOver();
  }
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
});

test("NSWG-ECO-500, a malformed SUBSCRIBE that stops the process: without filters, without options, with reserved bits it ends its connection", async () => {
  await using door = await openDoor();
  for (const body of [
    "00 01",
    "00 01 00 01 61",
    "00 01 00 01 61 03",
    "00 01 00 01 61 fc",
    "00 00 00 01 61 00",
    "00 01 00 05 61 00",
  ]) {
    await using client = await comesIn(door, "a", "ann");
    client.send(packet(0x82, hex(body)));
    await client.isOver();
  }
  await using other = await door.connected("other");
  await other.isIdle();
});
