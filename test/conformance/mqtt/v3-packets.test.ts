// MQTT 3.1.1 chapters 1 and 2: strings, flags and packet identifiers.

import { test } from "node:test";
import {
  connect,
  hex,
  MqttDoor,
  packet,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  suback,
  subscribe,
  text,
  unsubscribe,
  word,
} from "../../wire/mqtt/harness.ts";
import { KEPT, listening } from "./v3.ts";

/** Bytes that are no UTF-8. */
const ILL_FORMED: readonly (readonly [string, string])[] = [
  ["a surrogate, U+D800", "ed a0 80"],
  ["a surrogate, U+DFFF", "ed bf bf"],
  ["a surrogate pair", "ed a0 80 ed b0 80"],
  ["an overlong slash", "c0 af"],
  ["an overlong U+0000", "c0 80"],
  ["a character cut short", "e2 82"],
  ["a lone continuation", "80"],
  ["a byte that never occurs", "ff"],
  ["a code point beyond U+10FFFF", "f4 90 80 80"],
];

/** A packet with the string in each place where a string may be. `isFirst`: it is a CONNECT. */
function placesOf(bad: Buffer): readonly { readonly name: string; readonly bytes: Buffer; readonly isFirst: boolean }[] {
  const head = (flags: number) => [text("MQTT"), Buffer.from([4, flags, 0, 0])];
  return [
    { name: "a topic", bytes: publish(bad, "x"), isFirst: false },
    { name: "a topic at QoS 1", bytes: publish(bad, "x", { packetId: 1 }), isFirst: false },
    { name: "a filter of SUBSCRIBE", bytes: subscribe(1, [bad, 0]), isFirst: false },
    { name: "a filter of UNSUBSCRIBE", bytes: packet(0xa2, word(1), text(bad)), isFirst: false },
    { name: "the client id", bytes: packet(0x10, ...head(2), text(bad)), isFirst: true },
    { name: "the will topic", bytes: packet(0x10, ...head(6), text("c"), text(bad), text("x")), isFirst: true },
    { name: "the user name", bytes: packet(0x10, ...head(0x82), text("c"), text(bad)), isFirst: true },
    { name: "the protocol name", bytes: packet(0x10, text(bad), Buffer.from([4, 2, 0, 0]), text("c")), isFirst: true },
  ];
}

async function isCutOff(door: MqttDoor, bytes: Buffer, isFirst: boolean): Promise<void> {
  await using client = isFirst ? await door.dial() : await door.connected("bad");
  client.send(bytes, "c0 00");
  await client.isClosed();
}

for (const [name, digits] of ILL_FORMED) {
  test(`MQTT-1.5.3-1, MQTT-3.1.3-4, MQTT-3.1.3-10, MQTT-3.1.3-11, MQTT-3.8.3-1, MQTT-3.10.3-1: ${name} in any string ends the connection`, async () => {
    await using door = await MqttDoor.open();
    await using other = await listening(door, "other", ["#", 0]);
    for (const { bytes, isFirst } of placesOf(hex(digits))) await isCutOff(door, bytes, isFirst);
    await other.isIdle();
  });
}

test("MQTT-1.5.3-2, MQTT-4.7.3-2: U+0000 in any string ends the connection", async () => {
  await using door = await MqttDoor.open();
  await using other = await listening(door, "other", ["#", 0]);
  for (const digits of ["00", "61 00", "00 61", "61 2f 00 2f 62"])
    for (const { bytes, isFirst } of placesOf(hex(digits))) await isCutOff(door, bytes, isFirst);
  await other.isIdle();
});

test("MQTT-1.5.3-3: U+FEFF is a character like any other, at the beginning too", async () => {
  await using door = await MqttDoor.open();
  await using reader = await listening(door, "reader", ["\ufeffa/b", 0], ["c/\ufeff", 0]);
  await using writer = await door.connected("writer");
  writer.send(publish("a/b", "without"), publish("\ufeffa/b", "with"), publish("c/", "without"), publish("c/\ufeff", "with"));
  await reader.receives(publish("\ufeffa/b", "with"));
  await reader.receives(publish("c/\ufeff", "with"));
  await reader.isIdle();
});

test("MQTT-2.2.2-1: each packet we send carries the flags of the table", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.dial();
  client.send(connect({ clientId: "c" }), subscribe(1, ["a", 2], ["a", 2]), "c0 00");
  await client.receives("20 02 00 00");
  await client.receives("90 04 00 01 02 02");
  await client.receives("d0 00");
  client.send(publish("b", "", { packetId: 2 }), publish("b", "", { packetId: 3, qos: 2 }));
  await client.receives("40 02 00 02 50 02 00 03");
  client.send(pubrel(3));
  await client.receives("70 02 00 03");
  client.send(publish("a", "", { packetId: 4, qos: 2 }));
  await client.receives("34 05 00 01 61 00 01");
  await client.receives("50 02 00 04");
  client.send(pubrec(1));
  await client.receives("62 02 00 01");
  client.send(pubcomp(1), unsubscribe(5, "a"));
  await client.receives("b0 02 00 05");
});

/** Packets of a client, whole and right. PUBLISH has flags of its own. */
const FROM_CLIENT: readonly (readonly [string, Buffer])[] = [
  ["PUBACK", puback(1)],
  ["PUBREC", pubrec(1)],
  ["PUBREL", pubrel(1)],
  ["PUBCOMP", pubcomp(1)],
  ["SUBSCRIBE", subscribe(1, ["a", 0])],
  ["UNSUBSCRIBE", unsubscribe(1, "a")],
  ["PINGREQ", hex("c0 00")],
  ["DISCONNECT", hex("e0 00")],
];

for (const [name, right] of FROM_CLIENT) {
  test(`MQTT-2.2.2-2, MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1, MQTT-3.14.1-1: ${name} with any other flags than its own ends the connection`, async () => {
    await using door = await MqttDoor.open();
    for (let flags = 0; flags < 16; flags++) {
      if (flags === (right[0]! & 15)) continue;
      await using client = await door.connected("c", { will: { topic: "last", payload: "x" } });
      client.send(Buffer.concat([Buffer.from([(right[0]! & 0xf0) | flags]), right.subarray(1)]), "c0 00");
      await client.isClosed();
    }
    await door.takes(15); // a breach is no goodbye: the will is heard each time
  });
}

test("MQTT-2.2.2-2: CONNECT with flags ends the connection without an answer", async () => {
  await using door = await MqttDoor.open();
  const right = connect();
  for (let flags = 1; flags < 16; flags++) {
    await using client = await door.dial();
    client.send(Buffer.concat([Buffer.from([0x10 | flags]), right.subarray(1)]));
    await client.isClosed();
  }
});

for (const [name, bytes] of [
  ["SUBSCRIBE", subscribe(0, ["a", 0])],
  ["UNSUBSCRIBE", unsubscribe(0, "a")],
  ["PUBLISH at QoS 1", publish("a", "x", { packetId: 0, qos: 1 })],
  ["PUBLISH at QoS 2", publish("a", "x", { packetId: 0, qos: 2 })],
] as const) {
  test(`MQTT-2.3.1-1: packet identifier 0 in ${name} ends the connection`, async () => {
    await using door = await MqttDoor.open();
    await using reader = await listening(door, "reader", ["#", 2]);
    await isCutOff(door, bytes, false);
    await reader.isIdle();
  });
}

test("MQTT-2.3.1-5: at QoS 0 there is no packet identifier, neither taken nor sent", async () => {
  await using door = await MqttDoor.open();
  await using client = await listening(door, "client", ["a", 2]);
  client.send("30 05 00 01 61 00 07"); // what stands where an identifier would be is payload
  await client.receives("30 05 00 01 61 00 07");
  client.send("30 03 00 01 61");
  await client.receives("30 03 00 01 61");
});

test("MQTT-2.3.1-6: PUBACK, PUBREC, PUBREL and PUBCOMP carry the identifier of their PUBLISH", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await listening(door, "client", ["to/me", 2]);
  for (const packetId of [1, 255, 256, 0x1234, 65_535]) {
    client.send(publish("x", "", { packetId }));
    await client.receives(puback(packetId));
    client.send(publish("x", "", { packetId, qos: 2 }));
    await client.receives(pubrec(packetId));
    client.send(pubrel(packetId));
    await client.receives(pubcomp(packetId));
  }
  client.send(publish("to/me", "", { packetId: 9, qos: 2 }));
  await client.receives(publish("to/me", "", { packetId: 1, qos: 2 }));
  await client.receives(pubrec(9));
  client.send(pubrec(1));
  await client.receives(pubrel(1));
});

test("MQTT-2.3.1-7, MQTT-3.8.4-2, MQTT-3.10.4-4: SUBACK and UNSUBACK carry the identifier of what they answer", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.connected("client");
  for (const packetId of [1, 255, 256, 0x1234, 65_535]) {
    client.send(subscribe(packetId, ["a", 0]), unsubscribe(packetId, "a"));
    await client.receives(Buffer.concat([suback(packetId, 0), packet(0xb0, word(packetId))]));
  }
});

test("MQTT-3.12.4-1: each PINGREQ gets a PINGRESP, in its turn", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(connect({ clientId: "c", isClean: false }), "c0 00", subscribe(1, ["a", 0]), "c0 00 c0 00");
  await client.receives(KEPT);
  await client.receives("d0 00");
  await client.receives("90 03 00 01 00");
  await client.receives("d0 00 d0 00");
});
