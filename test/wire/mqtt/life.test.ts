import assert from "node:assert/strict";
import { test } from "node:test";
import { PetioleError } from "#base/errors.ts";
import { mqttSettings } from "../../support/mqtt-settings.ts";
import { connect, hex, MqttDoor, PASSWORD, publish, suback, subscribe } from "./harness.ts";

const will = { topic: "gone/device", payload: "bye", qos: 1 } as const;

test("MQTT-3.1.2-8: the will is published when the connection breaks", async () => {
  await using door = await MqttDoor.open();
  const device = await door.connected("device", { will });
  device.vanish();
  assert.deepEqual(await door.takes(1), ["gone.device=bye"]);
});

test("the will is heard by subscribers at its QoS", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await door.connected("reader");
  reader.send(subscribe(1, ["gone/#", 1]));
  await reader.receives(suback(1, 1));
  const device = await door.connected("device", { will });
  device.socket.end();
  await reader.receives(publish("gone/device", "bye", { packetId: 1 }));
});

test("MQTT-3.14.4-3: after DISCONNECT the will is not published, and what came after it is not looked at", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device", { will });
  device.send(publish("before", "x"), hex("e0 00"), publish("after", "x"));
  await device.isClosed();
  await using other = await door.connected("other");
  await other.isIdle();
  assert.deepEqual(door.upstream.taken, ["before=x"]);
});

test("the will is published on a breach, on silence and on a take-over", async () => {
  await using door = await MqttDoor.open();
  await using breaker = await door.connected("breaker", { will });
  breaker.send("f0 00");
  await door.takes(1);
  await using silent = await door.connected("silent", { will, keepAlive: 10 });
  door.clock.advance(15_000);
  await door.takes(2);
  await silent.isClosed();
  await using older = await door.connected("twin", { will });
  await using newer = await door.connected("twin");
  await door.takes(3);
  await older.isClosed();
  await newer.isIdle();
});

test("a will is published at its QoS, 2 included", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await door.connected("reader");
  reader.send(subscribe(1, ["gone/#", 2]));
  await reader.receives(suback(1, 2));
  const device = await door.connected("device", { will: { ...will, qos: 2 } });
  device.vanish();
  await reader.receives(publish("gone/device", "bye", { packetId: 1, qos: 2 }));
});

test("a will that could never be published is refused while somebody looks", async () => {
  await using door = await MqttDoor.open();
  for (const [topic, user] of [
    ["a\tb", "ann"],
    ["$SYS/x", "ann"],
    ["plant/8", "sensor"],
  ] as const) {
    await using device = await door.dial();
    device.send(connect({ user, password: PASSWORD, will: { topic, payload: "x" } }));
    await device.isClosed("20 02 00 05");
  }
});

test("MQTT-3.1.2-24: a client is cut off after 1.5 times its keep-alive, and not before", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device", { keepAlive: 60 });
  door.clock.advance(89_000);
  await device.isIdle(); // a PINGREQ: counted anew from here
  door.clock.advance(89_999);
  assert.equal(door.ingress.status().clients.length, 1);
  door.clock.advance(1);
  await device.isClosed();
  assert.ok(door.said("1.5 times its keep-alive"));
});

test("half a packet is no sign of life", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device", { keepAlive: 10 });
  await using other = await door.connected("other");
  door.clock.advance(14_000);
  device.send("30");
  await other.isIdle();
  door.clock.advance(1_000);
  await device.isClosed();
});

test("a client without keep-alive may be silent for ever", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device", { keepAlive: 0 });
  door.clock.advance(365 * 86_400_000);
  await device.isIdle();
});

test("status tells who is connected and what passed", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.connected("device", { user: "ann", password: PASSWORD });
  device.send(subscribe(1, ["a", 0]), publish("a", "hello"));
  await device.receives(Buffer.concat([suback(1, 0), publish("a", "hello")]));
  const { clients, totals } = door.ingress.status();
  const login = connect({ clientId: "device", user: "ann", password: PASSWORD }).length;
  assert.deepEqual(clients, [
    {
      clientId: "device",
      user: "ann",
      address: "127.0.0.1",
      since: door.clock.wall(),
      subscriptions: 1,
      owedAcks: 0,
      inflight: 0,
      queued: 0,
      messagesIn: 1,
      bytesIn: login + 8 + 10,
      messagesOut: 1,
      bytesOut: 4 + 5 + 10,
      refused: 0,
      dropped: 0,
    },
  ]);
  assert.equal(totals.connections, 1);
  device.send("e0 00");
  await device.isClosed();
  const after = door.ingress.status();
  assert.equal(after.clients.length, 0);
  assert.equal(after.totals.messagesIn, 1);
  assert.deepEqual(after.endings, { disconnect: 1 });
});

test("closing sends the PUBACKs of what becomes safe in time, publishes no will, and reads no more", async () => {
  const door = await MqttDoor.open();
  await using idle = await door.connected("idle", { will });
  await using device = await door.connected("device", { will });
  device.send(publish("a", "x", { packetId: 3 }));
  await door.takes(1);
  const closing = door.ingress[Symbol.asyncDispose]();
  assert.equal(door.ingress[Symbol.asyncDispose](), closing, "closing twice is one closing");
  await idle.isClosed();
  device.send(publish("a", "late"));
  door.slot.onSafe(door.upstream.tickets[0]!);
  await device.isClosed("40 02 00 03");
  await closing;
  assert.deepEqual(door.upstream.taken, ["a=x"]);
  assert.equal(door.clock.pending, 0, "a timer was left behind");
  assert.equal(door.router.subscriptions, 0);
});

test("closing does not wait for ever for what does not become safe", async () => {
  const door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(publish("a", "x", { packetId: 3 }));
  await door.takes(1);
  const closing = door.ingress[Symbol.asyncDispose]();
  await door.clock.pass(3_000);
  await device.isClosed();
  await closing;
  assert.equal(door.clock.pending, 0);
});

test("closing ends connections that have not come to a CONNECT", async () => {
  const door = await MqttDoor.open();
  await using stranger = await door.dial();
  await using device = await door.connected("device");
  await device.isIdle();
  await door.ingress[Symbol.asyncDispose]();
  await stranger.isClosed();
});

test("a port that is taken is a fault with a sentence of remedy", async () => {
  await using door = await MqttDoor.open();
  const { openMqtt } = await import("#ingress/mqtt/mqtt-ingress.ts");
  const { systemNet } = await import("#base/net.ts");
  const { systemEntropy } = await import("#base/entropy.ts");
  const { silentLog } = await import("#base/log.ts");
  const { Authenticator } = await import("#access/authenticator.ts");
  const env = { clock: door.clock, net: systemNet(), entropy: systemEntropy(), log: silentLog() };
  const settings = mqttSettings({ listen: door.ingress.endpoint });
  const limits = { maxPayload: 1, maxPending: 1, writeDeadline: 1 };
  const deps = { env, authenticator: new Authenticator([], null, env), accounts: new Map(), limits };
  await assert.rejects(openMqtt(settings, deps, new AbortController().signal), (fault) => {
    assert.ok(fault instanceof PetioleError);
    assert.equal(fault.code, "MQTT_LISTEN_FAILED");
    assert.match(fault.message, /another program uses this port/);
    return true;
  });
});
