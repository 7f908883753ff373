import assert from "node:assert/strict";
import { test } from "node:test";
import { CONNECT_TIMEOUT_MS } from "#ingress/mqtt/patience.ts";
import { connect, hex, MqttDoor, PASSWORD, packet, publish, subscribe, text } from "./harness.ts";

test("a CONNECT is answered with CONNACK 0, session present 0", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.dial();
  device.send("10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61");
  await device.receives("20 02 00 00");
  await device.isIdle();
});

test("MQTT 3.1 is spoken too", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.dial();
  device.send(connect({ protocol: "MQIsdp", level: 3 }));
  await device.receives("20 02 00 00");
});

for (const [name, options] of [
  ["6", { level: 6 }],
  ["3.1 under the name of 3.1.1", { level: 3 }],
  ["3.1.1 under the name of 3.1", { protocol: "MQIsdp", level: 4 }],
  ["a bridge's 128 + 4", { level: 132 }],
] as const) {
  test(`MQTT-3.1.2-2: a CONNECT of version ${name} is answered with return code 1 and closed`, async () => {
    await using door = await MqttDoor.open();
    await using device = await door.dial();
    device.send(connect(options));
    await device.isClosed("20 02 00 01");
    assert.ok(door.said("3.1, 3.1.1 and 5.0 are spoken here"));
  });
}

test("a CONNECT of MQTT 5.0 with properties is answered in 5.0, with the limits of the broker", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.dial();
  device.send("10 13 00 04 4d 51 54 54 05 02 00 3c 05 11 00 00 00 0a 00 01 61");
  await device.receives("20 0e 00 00 0b 21 00 64 27 00 04 00 00 22 00 20");
  await device.isIdle();
});

for (const [name, bytes] of [
  ["MQTT-3.1.0-1: a first packet that is PUBLISH", publish("a", "x")],
  ["MQTT-3.1.0-1: a first packet that is PINGREQ", hex("c0 00")],
  ["MQTT-3.1.2-1: another protocol name", connect({ protocol: "MQTX" })],
  ["MQTT-3.1.2-3: the reserved connect flag", connect({ reserved: true })],
  ["MQTT-3.1.2-14: a will at QoS 3", hex("10 13 00 04 4d 51 54 54 04 1e 00 00 00 01 61 00 01 77 00 01 78")],
  ["MQTT-3.1.2-11: will flags without a will", hex("10 0d 00 04 4d 51 54 54 04 0a 00 00 00 01 61")],
  ["MQTT-3.1.2-15: will retain without a will", hex("10 0d 00 04 4d 51 54 54 04 22 00 00 00 01 61")],
  ["MQTT-3.1.2-22: a password without a user name", connect({ password: "x" })],
  ["MQTT-2.2.2-2: flags in the fixed header", hex("11 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61")],
  ["a CONNECT that goes on after its last field", hex("10 0e 00 04 4d 51 54 54 04 02 00 3c 00 01 61 00")],
  ["a CONNECT that ends within its client id", hex("10 0d 00 04 4d 51 54 54 04 02 00 3c 00 02 61")],
  ["a CONNECT that ends before its flags", hex("10 07 00 04 4d 51 54 54 04")],
  ["MQTT-1.5.3-1: a client id that is not UTF-8", packet(0x10, hex("00 04 4d 51 54 54 04 02 00 00"), text(hex("c3 28")))],
  ["MQTT-1.5.3-1: a client id with a surrogate", packet(0x10, hex("00 04 4d 51 54 54 04 02 00 00"), text(hex("ed a0 80")))],
  ["MQTT-1.5.3-2: a client id with U+0000", packet(0x10, hex("00 04 4d 51 54 54 04 02 00 00"), text(hex("61 00 62")))],
  ["a will topic with a wildcard", connect({ will: { topic: "a/#", payload: "x" } })],
  ["an empty will topic", connect({ will: { topic: "", payload: "x" } })],
  ["a reserved packet type", hex("00 00")],
  ["a CONNECT larger than 10 KiB, announced", hex("10 fe 4f")],
  ["a remaining length of more than 4 bytes", hex("10 ff ff ff ff 01")],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")],
  ["TLS", hex("16 03 01 00 c4 01 00 00 c0 03 03")],
] as const) {
  test(`${name} ends the connection without an answer, and no other`, async () => {
    await using door = await MqttDoor.open();
    await using other = await door.connected("other");
    await using device = await door.dial();
    device.send(bytes);
    await device.isClosed();
    assert.equal(door.lines.filter((line) => line.level === "warn").length, 1);
    await other.isIdle();
    assert.equal(door.ingress.status().endings.breach, 1);
  });
}

test("what speaks TLS or HTTP to the port is told apart in the log", async () => {
  await using door = await MqttDoor.open();
  await using tls = await door.dial();
  tls.send("16");
  await tls.isClosed();
  assert.ok(door.said("that of TLS"));
  await door.clock.pass(10_000);
  await using http = await door.dial();
  http.send(Buffer.from("G"));
  await http.isClosed();
  assert.ok(door.said("HTTP"));
});

test("MQTT-3.1.0-2: a second CONNECT ends the connection", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.connected("device");
  device.send(connect({ clientId: "device" }));
  await device.isClosed();
});

test("MQTT-3.1.3-8: an empty client id without clean session is answered with return code 2", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.dial();
  device.send(connect({ clientId: "", isClean: false }));
  await device.isClosed("20 02 00 02");
});

test("MQTT-3.1.3-6: clients with an empty client id and a clean session each get an own one", async () => {
  await using door = await MqttDoor.open();
  await using one = await door.connected("");
  await using two = await door.connected("");
  await one.isIdle();
  await two.isIdle();
  const [first, second] = door.ingress.status().clients.map((client) => client.clientId);
  assert.match(first ?? "", /^auto-/);
  assert.notEqual(first, second);
});

test("client ids with spaces, dots, colons and umlauts are taken", async () => {
  await using door = await MqttDoor.open();
  for (const clientId of ["a b", "a.b.>", "00:11:22", "Gerät 7", "*", "x".repeat(512)]) {
    await using device = await door.connected(clientId);
    await device.isIdle();
  }
  await using long = await door.dial();
  long.send(connect({ clientId: "x".repeat(513) }));
  await long.isClosed("20 02 00 02");
});

test("MQTT-3.2.2-3: clean session 0 is answered with session present 0 the first time, and with 1 when the client comes back", async () => {
  await using door = await MqttDoor.open();
  const device = await door.dial();
  device.send(connect({ clientId: "keeper", isClean: false }), hex("e0 00"));
  await device.isClosed("20 02 00 00");
  await using again = await door.dial();
  again.send(connect({ clientId: "keeper", isClean: false }));
  await again.receives("20 02 01 00");
});

test("user and password decide: right, wrong, unknown, none, not by this door", async () => {
  await using door = await MqttDoor.open({ noAuthUser: null });
  await using right = await door.connected("right", { user: "ann", password: PASSWORD });
  await right.isIdle();
  for (const [options, answer] of [
    [{ user: "ann", password: "x" }, "20 02 00 04"],
    [{ user: "ghost", password: PASSWORD }, "20 02 00 04"],
    [{ user: "bob" }, "20 02 00 04"],
    [{ user: "nats-only", password: PASSWORD }, "20 02 00 04"],
    [{ user: "nobody", password: "" }, "20 02 00 04"],
    [{}, "20 02 00 05"],
  ] as const) {
    await using device = await door.dial();
    device.send(connect(options));
    await device.isClosed(answer);
  }
  assert.ok(!JSON.stringify(door.lines).includes(PASSWORD), "a password stands in the log");
  await right.isIdle();
});

test("after too many wrong passwords even the right one has to wait", async () => {
  await using door = await MqttDoor.open();
  for (let i = 0; i < 4; i++) {
    await using device = await door.dial();
    device.send(connect({ user: "ann", password: `wrong ${i}` }));
    await device.isClosed("20 02 00 04");
  }
  await using early = await door.dial();
  early.send(connect({ user: "ann", password: PASSWORD }));
  await early.isClosed("20 02 00 03");
  door.clock.advance(1000);
  await using late = await door.connected("late", { user: "ann", password: PASSWORD });
  await late.isIdle();
});

test("packets that follow CONNECT in the same segment wait for CONNACK and keep their order", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using device = await door.dial();
  const login = connect({ clientId: "eager", user: "ann", password: PASSWORD });
  device.send(login, subscribe(1, ["a", 0]), publish("a", "x", { packetId: 2 }), hex("c0 00"));
  await device.receives("20 02 00 00 90 03 00 01 00 30 04 00 01 61 78 40 02 00 02 d0 00");
});

test("a CONNECT in one-byte segments is a CONNECT", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.dial();
  for (const byte of connect({ clientId: "slow" })) {
    device.send(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await device.receives("20 02 00 00");
});

test("a connection that sends no whole CONNECT is closed after ten seconds, however it trickles", async () => {
  await using door = await MqttDoor.open();
  await using device = await door.dial();
  await using other = await door.connected("other");
  device.send("10 0d 00 04");
  await other.isIdle();
  door.clock.advance(CONNECT_TIMEOUT_MS - 1);
  device.send("4d");
  await other.isIdle();
  assert.equal(door.ingress.status().endings.silent, undefined);
  door.clock.advance(1);
  await device.isClosed();
  assert.equal(door.ingress.status().endings.silent, 1);
});

test("the clients are counted against max_clients, and one that takes over its own id is not one more", async () => {
  await using door = await MqttDoor.open({ maxClients: 1 });
  await using first = await door.connected("a");
  await using second = await door.dial();
  second.send(connect({ clientId: "b" }));
  await second.isClosed("20 02 00 03");
  await using again = await door.connected("a");
  await first.isClosed();
  await again.isIdle();
});

test("a flood of silent connections pushes out its own oldest and keeps nobody out", async () => {
  await using door = await MqttDoor.open();
  await using scope = new AsyncDisposableStack();
  const oldest = scope.use(await door.dial());
  for (let i = 0; i < 256; i++) scope.use(await door.dial());
  await oldest.isClosed();
  await using device = await door.connected("device");
  await device.isIdle();
});

test("MQTT-3.1.4-2: a client id that connects again ends the older connection", async () => {
  await using door = await MqttDoor.open();
  await using older = await door.connected("twin", { user: "ann", password: PASSWORD });
  await using newer = await door.connected("twin", { user: "ann", password: PASSWORD });
  await older.isClosed();
  await newer.isIdle();
  assert.equal(door.ingress.status().clients.length, 1);
});

test("a client id that is connected as another user is not taken over", async () => {
  await using door = await MqttDoor.open();
  await using older = await door.connected("mine", { user: "ann", password: PASSWORD });
  await using newer = await door.dial();
  newer.send(connect({ clientId: "mine", user: "bob", password: PASSWORD }));
  await newer.isClosed("20 02 00 02");
  await older.isIdle();
});

test("a client that leaves while its password is looked at leaves nothing behind", async () => {
  await using door = await MqttDoor.open();
  const device = await door.dial();
  device.send(connect({ clientId: "hasty", user: "ann", password: PASSWORD }));
  device.vanish();
  await using other = await door.connected("other", { user: "bob", password: PASSWORD });
  await other.isIdle();
  assert.deepEqual(
    door.ingress.status().clients.map((client) => client.clientId),
    ["other"],
  );
});

test("a whole fleet that comes back in the same instant is let in", async () => {
  await using door = await MqttDoor.open({ maxClients: 500 });
  await using scope = new AsyncDisposableStack();
  const fleet = await Promise.all(Array.from({ length: 500 }, () => door.dial()));
  for (const [i, device] of fleet.entries()) {
    scope.use(device);
    device.send(connect({ clientId: `device-${i}` }));
  }
  for (const device of fleet) await device.receives("20 02 00 00");
  assert.equal(door.ingress.status().clients.length, 500);
});
