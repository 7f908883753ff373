// Sessions and wills of 5.0, statement by statement: what is there when a client comes back, and what is heard when it does not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { hex, MqttDoor, puback, type RawClient } from "../../wire/mqtt/harness.ts";
import {
  type Connect5,
  comes5,
  connect5,
  disconnect5,
  disconnects,
  MESSAGE_EXPIRY,
  nextConnack,
  nextPublish,
  publish5,
  SESSION_EXPIRY,
  string,
  suback5,
  subscribe5,
  u8,
  u32,
  user,
  WILL_DELAY,
} from "./five.ts";

const bye = (payload = "bye", ...properties: readonly Buffer[]) => ({ topic: "gone", payload, properties });

/** Its connection breaks, and the broker has noticed. */
async function breaks(door: MqttDoor, client: RawClient): Promise<void> {
  const before = door.ingress.sessions().connected;
  client.vanish();
  while (door.ingress.sessions().connected === before) await turn();
}

async function leaves(client: RawClient, ...goodbye: Parameters<typeof disconnect5>): Promise<void> {
  client.send(disconnect5(...goodbye));
  await client.isClosed();
}

/** Whether the session of `a` is there. */
async function isThere(door: MqttDoor): Promise<boolean> {
  await using client = await door.dial();
  client.send(connect5({ clientId: "a", isClean: false, expiry: 1_000_000 }));
  const { flags } = await nextConnack(client);
  await leaves(client);
  return flags === 1;
}

async function heard(door: MqttDoor): Promise<readonly string[]> {
  await turn();
  await turn();
  return door.upstream.taken;
}

test("MQTT5-3.1.2-5, MQTT5-3.1.4-4: a session goes on with its subscriptions, what waits for it and what it has not acknowledged", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const first = await comes5(door, { clientId: "a", expiry: 60 });
  first.send(subscribe5(1, [["x", 1]]));
  await first.receives(suback5(1, 1));
  door.publish("x", "1");
  await first.receives(publish5("x", "1", { packetId: 1 }));
  await breaks(door, first);
  door.publish("x", "2");
  await using again = await comes5(door, { clientId: "a", isClean: false, expiry: 60 }, true);
  await again.receives(publish5("x", "1", { packetId: 1, dup: true }));
  await again.receives(publish5("x", "2", { packetId: 2 }));
  again.send(puback(1), puback(2));
  await again.isIdle();
});

test("MQTT5-3.1.2-4, MQTT5-3.1.3-2: a clean start discards the session of that client id and no other", async () => {
  await using door = await MqttDoor.open({ stages: false });
  for (const clientId of ["a", "b"]) {
    const client = await comes5(door, { clientId, expiry: 60 });
    client.send(subscribe5(1, [["x", 1]]));
    await client.receives(suback5(1, 1));
    await leaves(client);
  }
  door.publish("x", "1");
  await using clean = await comes5(door, { clientId: "a", isClean: true, expiry: 60 });
  door.publish("x", "2");
  await clean.isIdle();
  await using other = await comes5(door, { clientId: "b", isClean: false, expiry: 60 }, true);
  await other.receives(publish5("x", "1", { packetId: 1 }));
  await other.receives(publish5("x", "2", { packetId: 2 }));
});

test("MQTT5-4.1.0-1: a session is not discarded while its connection is open, however short its expiry", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { clientId: "a", expiry: 1 });
  client.send(subscribe5(1, [["x", 1]]));
  await client.receives(suback5(1, 1));
  door.clock.advance(100_000);
  door.publish("x", "1");
  await client.receives(publish5("x", "1", { packetId: 1 }));
  client.send(puback(1));
  await client.isIdle();
  await breaks(door, client);
  assert.equal(await isThere(door), true);
});

test("MQTT5-4.1.0-2: a session is discarded when its expiry has passed since the connection closed, and not before", async () => {
  await using door = await MqttDoor.open({ stages: false });
  for (const [seconds, wanted] of [
    [59.999, true],
    [60, false],
  ] as const) {
    await leaves(await comes5(door, { clientId: "a", expiry: 60 }));
    door.clock.advance(seconds * 1000);
    assert.equal(await isThere(door), wanted);
  }
});

test("MQTT5-3.1.2-23: the expiry of the last CONNECT counts: a kept session that is resumed with 0 ends with that connection", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await leaves(await comes5(door, { clientId: "a", expiry: 60 }));
  await leaves(await comes5(door, { clientId: "a", isClean: false, expiry: 6000 }, true));
  door.clock.advance(600_000);
  const last = await comes5(door, { clientId: "a", isClean: false }, true);
  last.send(subscribe5(1, [["x", 1]]));
  await last.receives(suback5(1, 1));
  await leaves(last);
  door.publish("x", "1");
  assert.equal(door.ingress.sessions().queued, 0);
  assert.equal(await isThere(door), false);
});

test("a session expiry in DISCONNECT counts from then on: longer, shorter, never, none", async () => {
  await using door = await MqttDoor.open({ stages: false, settings: { maxSessionExpiry: 1_000_000_000 } });
  for (const [seconds, after, wanted] of [
    [600, 599, true],
    [600, 600, false],
    [5, 5, false],
    [0xffffffff, 999_999, true],
    [0xffffffff, 1_000_000, false],
    [0, 0, false],
  ] as const) {
    await leaves(await comes5(door, { clientId: "a", expiry: 60 }), 0, [u32(SESSION_EXPIRY, seconds)]);
    door.clock.advance(after * 1000);
    assert.equal(await isThere(door), wanted, `${seconds} s, after ${after} s`);
  }
});

test("a DISCONNECT that gives an expiry to a session without one is a protocol error, and its will is heard", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { clientId: "a", will: bye() });
  client.send(disconnect5(0, [u32(SESSION_EXPIRY, 10)]));
  await disconnects(client, 0x82);
  assert.deepEqual(await door.takes(1), ["gone=bye"]);
  assert.equal(await isThere(door), false);
});

test("MQTT5-3.1.4-3: a client that takes over hears nothing of it, goes on with its session, and the older connection closes with 0x8E", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using older = await comes5(door, { clientId: "a", expiry: 60 });
  older.send(subscribe5(1, [["x", 1]]));
  await older.receives(suback5(1, 1));
  door.publish("x", "1");
  await older.receives(publish5("x", "1", { packetId: 1 }));
  await using newer = await comes5(door, { clientId: "a", isClean: false, expiry: 60 }, true);
  await disconnects(older, 0x8e);
  await newer.receives(publish5("x", "1", { packetId: 1, dup: true }));
  await newer.isIdle();
});

test("MQTT5-3.14.2-2: our DISCONNECT has a reason string and no session expiry, and the session stays as long as was agreed", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options: Connect5 = { clientId: "a", isClean: false, keepAlive: 10, expiry: 60 };
  const silent = await comes5(door, options);
  door.clock.advance(15_000);
  assert.deepEqual(ids(await disconnects(silent, 0x8d)), [0x1f]);
  const breach = await comes5(door, options, true);
  breach.send(hex("f0 00"));
  assert.deepEqual(ids(await disconnects(breach, 0x82)), [0x1f]);
  await using older = await comes5(door, options, true);
  await using newer = await comes5(door, options, true);
  assert.deepEqual(ids(await disconnects(older, 0x8e)), [0x1f]);
  await newer.isIdle();
});

test("MQTT5-3.1.2-7, MQTT5-3.1.2-8: a will is heard when the connection ends in whatever way but a plain goodbye", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const broken = await comes5(door, { clientId: "1", will: bye("broken") });
  broken.vanish();
  await door.takes(1);
  await using silent = await comes5(door, { clientId: "2", keepAlive: 10, will: bye("silent") });
  door.clock.advance(15_000);
  await disconnects(silent, 0x8d);
  await using breach = await comes5(door, { clientId: "3", will: bye("breach") });
  breach.send(hex("f0 00"));
  await disconnects(breach, 0x82);
  await using older = await comes5(door, { clientId: "4", will: bye("taken over") });
  await using newer = await comes5(door, { clientId: "4" });
  await disconnects(older, 0x8e);
  await leaves(await comes5(door, { clientId: "5", will: bye("said so") }), 4);
  await leaves(await comes5(door, { clientId: "6", will: bye("out of order") }), 0x80);
  await leaves(await comes5(door, { clientId: "7", will: bye("never") }), 0);
  await newer.isIdle();
  assert.deepEqual(
    await heard(door),
    ["broken", "silent", "breach", "taken over", "said so", "out of order"].map((words) => `gone=${words}`),
  );
});

test("MQTT5-3.1.2-10: a will that was published, or dropped by a goodbye, is not there the next time", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options: Connect5 = { clientId: "a", isClean: false, expiry: 60 };
  await breaks(door, await comes5(door, { ...options, will: bye() }));
  assert.deepEqual(await heard(door), ["gone=bye"]);
  await breaks(door, await comes5(door, options, true));
  await leaves(await comes5(door, { ...options, will: bye("dropped") }, true));
  await breaks(door, await comes5(door, options, true));
  door.clock.advance(1_000_000);
  assert.deepEqual(await heard(door), ["gone=bye"]);
});

test("MQTT5-3.1.3-9: a delayed will is heard after its delay, unless the client comes back to its session", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const will = { topic: "gone", payload: "bye", properties: [u32(WILL_DELAY, 10)] };
  const one = await comes5(door, { clientId: "one", expiry: 100, will });
  one.vanish();
  while (door.ingress.sessions().connected > 0) await turn();
  door.clock.advance(9_000);
  const back = await comes5(door, { clientId: "one", isClean: false, expiry: 100, will }, true);
  door.clock.advance(60_000);
  assert.deepEqual(door.upstream.taken, []);
  back.vanish();
  while (door.ingress.sessions().connected > 0) await turn();
  door.clock.advance(10_000);
  assert.deepEqual(door.upstream.taken, ["gone=bye"]);
  door.clock.advance(1_000_000);
  assert.deepEqual(door.upstream.taken, ["gone=bye"]);
});

test("MQTT5-3.1.2-8: a delayed will is heard when its session ends first: by its expiry, by a clean start, at once without an expiry", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const will = (payload: string) => ({ topic: "gone", payload, properties: [u32(WILL_DELAY, 1000)] });
  const gone = async () => {
    while (door.ingress.sessions().connected > 0) await turn();
  };
  (await comes5(door, { clientId: "a", expiry: 10, will: will("expiry") })).vanish();
  await gone();
  door.clock.advance(10_000);
  await turn();
  (await comes5(door, { clientId: "b", expiry: 100, will: will("clean start") })).vanish();
  await gone();
  const clean = await comes5(door, { clientId: "b" });
  clean.send(disconnect5());
  await clean.isOver();
  (await comes5(door, { clientId: "c", will: will("none") })).vanish();
  await gone();
  await turn();
  assert.deepEqual(door.upstream.taken, ["gone=expiry", "gone=clean start", "gone=none"]);
});

test("MQTT5-3.14.4-3: DISCONNECT 0x00 drops the will, 0x04 has it heard", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const will = { topic: "gone", payload: "bye" };
  const quiet = await comes5(door, { clientId: "a", will });
  quiet.send(disconnect5(0));
  await quiet.isOver();
  const loud = await comes5(door, { clientId: "b", will });
  loud.send(disconnect5(4));
  await loud.isOver();
  assert.deepEqual(await door.takes(1), ["gone=bye"]);
});

test("MQTT5-3.1.2-14, MQTT5-3.1.2-15: a will with RETAIN is a retained message, one without is not", async () => {
  await using door = await MqttDoor.open({ stages: false });
  (await comes5(door, { clientId: "a", will: { topic: "r/kept", payload: "1", qos: 1, retain: true } })).vanish();
  (await comes5(door, { clientId: "b", will: { topic: "r/passing", payload: "2", qos: 1 } })).vanish();
  await door.takes(2);
  await turn();
  await using reader = await comes5(door, { clientId: "reader" });
  reader.send(subscribe5(1, [["r/#", 2]]));
  await reader.receives(Buffer.concat([suback5(1, 2), publish5("r/kept", "1", { packetId: 1, retain: true })]));
  await reader.isIdle();
});

test("MQTT5-3.1.3-10: a will goes out with all its properties, user properties in order", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await comes5(door, { clientId: "reader" });
  reader.send(subscribe5(1, [["gone", 2]]));
  await reader.receives(suback5(1, 2));
  const users = [user("b", "2"), user("a", "1"), user("b", "1")];
  const rest = [u8(0x01, 1), u32(MESSAGE_EXPIRY, 50), string(0x03, "text/plain"), string(0x08, "re/ply"), string(0x09, "c")];
  (await comes5(door, { clientId: "a", will: { ...bye("bye", u32(WILL_DELAY, 0), ...rest, ...users), qos: 2 } })).vanish();
  const { first, topic, payload, properties } = await nextPublish(reader);
  assert.deepEqual([first, topic, payload], [0x34, "gone", "bye"]);
  assert.deepEqual(
    properties.filter((each) => each[0] === 0x26),
    users,
  );
  assert.deepEqual(sorted(properties), sorted([...rest, ...users]));
});

test("MQTT5-3.1.3-9: a goodbye with 0x04 waits for the will's delay too, and coming back in time stops it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { clientId: "a", isClean: false, expiry: 100, will: bye("bye", u32(WILL_DELAY, 10)) };
  await leaves(await comes5(door, options), 4);
  door.clock.advance(9_999);
  assert.deepEqual(await heard(door), []);
  await leaves(await comes5(door, options, true), 4);
  door.clock.advance(10_000);
  assert.deepEqual(await heard(door), ["gone=bye"]);
});

test("MQTT5-3.1.2-8: a will's delay ends with the session, also when DISCONNECT has made that end now", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const client = await comes5(door, { clientId: "a", expiry: 100, will: bye("bye", u32(WILL_DELAY, 50)) });
  await leaves(client, 4, [u32(SESSION_EXPIRY, 0)]);
  assert.deepEqual(await heard(door), ["gone=bye"]);
});

test("MQTT5-3.1.2-8: of a client that is taken over the will is heard where it has no delay, and not where its session goes on in time", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const will = bye("bye", u32(WILL_DELAY, 5));
  await using older = await comes5(door, { clientId: "a", expiry: 100, will });
  await using newer = await comes5(door, { clientId: "a", isClean: false, expiry: 100 }, true);
  await disconnects(older, 0x8e);
  door.clock.advance(100_000);
  await newer.isIdle();
  assert.deepEqual(await heard(door), []);
});

function ids(properties: readonly Buffer[]): readonly number[] {
  return properties.map((each) => each[0]!);
}

function sorted(properties: readonly Buffer[]): readonly string[] {
  return properties.map((each) => each.toString("hex")).sort();
}
