// MQTT 3.1.1 §3.1, §3.2 and §3.14: how a connection begins, and how it ends. Sessions: v3-sessions.test.ts. Wills: v3-will.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  connect,
  hex,
  MqttDoor,
  PASSWORD,
  packet,
  puback,
  publish,
  suback,
  subscribe,
  text,
  unsubscribe,
  word,
} from "../../wire/mqtt/harness.ts";
import { comes, KEPT, leaves, listening, RESUMED, subscribed } from "./v3.ts";

/** CONNECT of 3.1.1 with these flags and fields behind the keep-alive. */
function rawConnect(flags: number, ...fields: readonly Buffer[]): Buffer {
  return packet(0x10, text("MQTT"), Buffer.from([4, flags, 0, 0]), ...fields);
}

const CLEAN = 0x02;
const WILL = 0x04;
const WILL_QOS_1 = 0x08;
const WILL_QOS_3 = 0x18;
const WILL_RETAIN = 0x20;
const WITH_PASSWORD = 0x40;
const WITH_USER = 0x80;

/** Closed without a byte. */
async function isRefused(door: MqttDoor, bytes: Buffer): Promise<void> {
  await using client = await door.dial();
  client.send(bytes);
  await client.isClosed();
}

test("MQTT-3.1.0-1: any other packet than CONNECT at the beginning ends the connection without an answer", async () => {
  await using door = await MqttDoor.open();
  const packets = [publish("a", "x"), puback(1), subscribe(1, ["a", 0]), unsubscribe(1, "a"), hex("c0 00"), hex("e0 00")];
  for (const bytes of packets) await isRefused(door, Buffer.concat([bytes, connect()]));
  for (let type = 0; type < 16; type++) if (type !== 1) await isRefused(door, Buffer.from([type << 4, 0]));
  assert.deepEqual(door.upstream.taken, []);
});

for (const name of ["mqtt", "MQTT ", "MQT", "MQTTX", "Mqtt", "", "MQISDP", "HTTP/1.1"]) {
  test(`MQTT-3.1.2-1, MQTT-3.1.4-1: the protocol name "${name}" ends the connection, and nothing of the packet is used`, async () => {
    await using door = await MqttDoor.open();
    await using client = await door.dial();
    client.send(connect({ protocol: name, will: { topic: "last", payload: "x" } }), publish("a", "x"));
    await client.isClosed();
    assert.deepEqual(door.upstream.taken, []);
  });
}

test("MQTT-3.1.2-3: the reserved flag ends the connection without an answer", async () => {
  await using door = await MqttDoor.open();
  await isRefused(door, connect({ reserved: true }));
  await isRefused(door, connect({ reserved: true, user: "ann", password: PASSWORD }));
});

/** A CONNECT that is closed without an answer. */
function refuses(name: string, bytes: Buffer): void {
  test(name, async () => {
    await using door = await MqttDoor.open();
    await isRefused(door, bytes);
    assert.deepEqual(door.upstream.taken, []);
  });
}

refuses("MQTT-3.1.2-9, MQTT-3.1.4-1: a will flag without will fields", rawConnect(CLEAN | WILL, text("c")));
refuses("MQTT-3.1.2-9, MQTT-3.1.4-1: a will flag without a will message", rawConnect(CLEAN | WILL, text("c"), text("last")));
refuses("MQTT-3.1.2-11, MQTT-3.1.2-13, MQTT-3.1.4-1: a will QoS without a will", rawConnect(CLEAN | WILL_QOS_1, text("c")));
refuses("MQTT-3.1.2-11, MQTT-3.1.2-15, MQTT-3.1.4-1: a will retain without a will", rawConnect(CLEAN | WILL_RETAIN, text("c")));
refuses("MQTT-3.1.2-11, MQTT-3.1.4-1: will fields without a will flag", rawConnect(CLEAN, text("c"), text("last"), text("x")));
refuses(
  "MQTT-3.1.2-14, MQTT-3.1.4-1: a will QoS of 3",
  rawConnect(CLEAN | WILL | WILL_QOS_3, text("c"), text("last"), text("x")),
);
refuses("MQTT-3.1.2-18, MQTT-3.1.4-1: a user name without its flag", rawConnect(CLEAN, text("c"), text("ann")));
refuses("MQTT-3.1.2-19, MQTT-3.1.4-1: a user name flag without the name", rawConnect(CLEAN | WITH_USER, text("c")));
refuses(
  "MQTT-3.1.2-20, MQTT-3.1.4-1: a password without its flag",
  rawConnect(CLEAN | WITH_USER, text("c"), text("ann"), text(PASSWORD)),
);
refuses(
  "MQTT-3.1.2-21, MQTT-3.1.4-1: a password flag without the password",
  rawConnect(CLEAN | WITH_USER | WITH_PASSWORD, text("c"), text("ann")),
);
refuses(
  "MQTT-3.1.2-22, MQTT-3.1.4-1: a password without a user name",
  rawConnect(CLEAN | WITH_PASSWORD, text("c"), text(PASSWORD)),
);
refuses("MQTT-3.1.3-3, MQTT-3.1.4-1: no client id", rawConnect(CLEAN));
refuses("MQTT-3.1.3-3, MQTT-3.1.4-1: half a client id", rawConnect(CLEAN, Buffer.from([0, 5, 0x61])));
refuses("MQTT-3.2.2-6, MQTT-3.1.4-1: a byte behind the last field", rawConnect(CLEAN, text("c"), Buffer.from([0])));
refuses("MQTT-3.2.2-6, MQTT-3.1.4-1: nothing in it", packet(0x10));
refuses("MQTT-3.2.2-6, MQTT-3.1.4-1: no flags", packet(0x10, text("MQTT"), Buffer.from([4])));
refuses("MQTT-3.2.2-6, MQTT-3.1.4-1: half a keep-alive", packet(0x10, text("MQTT"), Buffer.from([4, 2, 0])));
refuses("MQTT-3.2.2-6, MQTT-3.1.4-1: a will topic with a wildcard", rawConnect(CLEAN | WILL, text("c"), text("a/+"), text("x")));
refuses("MQTT-3.2.2-6, MQTT-3.1.4-1: an empty will topic", rawConnect(CLEAN | WILL, text("c"), text(""), text("x")));

test("MQTT-3.1.3-1: client id, will topic, will message, user name and password are read in this order", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(rawConnect(0xc6, text("who"), text("where"), text("what"), text("ann"), text(PASSWORD)));
  await client.receives("20 02 00 00");
  assert.equal(door.ingress.clients()[0]?.clientId, "who");
  client.vanish();
  assert.deepEqual(await door.takes(1), ["where=what"]);
});

test("MQTT-3.1.3-2: it is the client id that leads to a session, and every byte of it counts", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "device", "a", 1);
  door.publish("a", "x");
  for (const clientId of ["Device", "device ", "devic", "devicee"]) {
    await using other = await comes(door, clientId, KEPT);
    await other.isIdle();
  }
  await using device = await comes(door, "device", RESUMED, { keepAlive: 60 });
  await device.receives(publish("a", "x", { packetId: 1 }));
});

test("MQTT-3.1.3-5: client ids of 1 to 23 letters and digits are let in", async () => {
  await using door = await MqttDoor.open();
  const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const ids = [...letters].concat(Array.from({ length: 23 }, (_, i) => letters.slice(0, i + 1)));
  ids.push(letters.slice(20, 43), letters.slice(-23));
  for (const clientId of ids) {
    await using client = await door.connected(clientId);
    assert.equal(door.ingress.clients()[0]?.clientId, clientId);
    await leaves(client);
  }
});

test("MQTT-3.1.3-9, MQTT-3.2.2-5: a client id that is not taken is answered with return code 2 and closed", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(connect({ clientId: "x".repeat(513) }), publish("a", "x"));
  await client.isClosed("20 02 00 02");
});

test("MQTT-3.1.4-4, MQTT-3.2.0-1: an accepted CONNECT is answered with return code 0 before anything else is sent", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await subscribed(door, "sleeper", "#", 1);
  door.publish("a", "waiting");
  await using sleeper = await door.dial();
  sleeper.send(connect({ clientId: "sleeper", isClean: false }), subscribe(5, ["b", 1]), publish("b", "own", { packetId: 6 }));
  await sleeper.receives(RESUMED);
  await sleeper.receives(publish("a", "waiting", { packetId: 1 }));
});

test("MQTT-3.1.4-5: what a client sends after a CONNECT that is refused is not looked at", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.dial();
  const will = { topic: "last", payload: "x" };
  client.send(connect({ user: "ann", password: "wrong", will }), publish("a", "x"), subscribe(1, ["a", 0]), "c0 00");
  await client.isClosed("20 02 00 04");
  assert.deepEqual(door.upstream.taken, []);
  assert.equal(door.router.subscriptions, 0);
});

test("MQTT-3.2.2-1: a clean session is told session present 0, whatever was stored", async () => {
  await using door = await MqttDoor.open();
  await subscribed(door, "device", "a", 1);
  await using clean = await door.dial();
  clean.send(connect({ clientId: "device" }));
  await clean.receives("20 02 00 00");
  await leaves(clean);
  await using again = await comes(door, "device", KEPT);
  await again.isIdle();
});

test("MQTT-3.2.2-2, MQTT-3.1.2-4: a session that is stored is told with session present 1, every time", async () => {
  await using door = await MqttDoor.open();
  await subscribed(door, "device", "a", 1);
  for (let visit = 0; visit < 3; visit++) {
    await using device = await comes(door, "device", RESUMED);
    if (visit === 1) device.vanish();
    else await leaves(device);
  }
});

test("MQTT-3.2.2-4, MQTT-3.2.2-5: who is refused is told session present 0 and closed, though a session is stored", async () => {
  await using door = await MqttDoor.open();
  const first = await comes(door, "device", KEPT, { user: "ann" });
  await leaves(first);
  await using wrong = await door.dial();
  wrong.send(connect({ clientId: "device", isClean: false, user: "ann", password: "wrong" }));
  await wrong.isClosed("20 02 00 04");
  await using foreign = await door.dial();
  foreign.send(connect({ clientId: "device", isClean: false, user: "bob", password: PASSWORD }));
  await foreign.isClosed("20 02 00 02");
  await using again = await comes(door, "device", RESUMED, { user: "ann" });
  await again.isIdle();
});

test("MQTT-3.14.1-1: a DISCONNECT with content is a breach: the will is heard", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.connected("c", { will: { topic: "last", payload: "x" } });
  client.send("e0 01 00");
  await client.isClosed();
  assert.deepEqual(await door.takes(1), ["last=x"]);
});

test("MQTT-4.8.0-1: packets that only a broker sends, and the reserved ones, end the connection", async () => {
  await using door = await MqttDoor.open();
  await using other = await listening(door, "other", ["#", 0]);
  for (const bytes of [hex("00 00"), hex("20 02 00 00"), suback(1, 0), packet(0xb0, word(1)), hex("d0 00"), hex("f0 00")]) {
    await using client = await door.connected("c");
    client.send(bytes, "c0 00");
    await client.isClosed();
  }
  await other.isIdle();
});
