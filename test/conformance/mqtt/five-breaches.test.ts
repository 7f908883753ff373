// What a 5.0 client must not send once it is connected: each ends its own connection with DISCONNECT and the reason, and nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, MqttDoor, packet, text, word } from "../../wire/mqtt/harness.ts";
import {
  connect5,
  disconnects,
  next,
  nextConnack,
  publish5,
  section,
  string,
  suback5,
  subscribe5,
  u8,
  u16,
  u32,
  user,
} from "./five.ts";

const ALIAS = 0x23;

/** Each ends a connection of its own with `reason`, having published nothing; another client does not notice. */
async function breach(reason: number, ...packets: readonly Buffer[]): Promise<void> {
  await using door = await MqttDoor.open();
  await using bystander = await door.dial();
  bystander.send(connect5({ clientId: "bystander" }));
  await nextConnack(bystander);
  for (const bytes of packets) {
    await using client = await door.dial();
    client.send(connect5({}));
    await nextConnack(client);
    client.send(bytes, publish5("after", "", { packetId: 1 }));
    const properties = await disconnects(client, reason, bytes.toString("hex"));
    // A sentence for whoever reads the device's log, and no session expiry [MQTT5-3.14.2-2].
    assert.deepEqual(
      properties.map((each) => each[0]),
      [0x1f],
      bytes.toString("hex"),
    );
  }
  await bystander.isIdle();
  assert.deepEqual(door.upstream.taken, []);
}

const id = word(1);
const none = section();

test("MQTT5-2.1.3-1, MQTT5-3.14.1-1, MQTT5-3.15.1-1: reserved flags that are not as they must be are malformed", async () => {
  const a = text("a");
  await breach(
    0x81,
    packet(0x41, id),
    packet(0x5f, id),
    packet(0x72, id),
    packet(0xc1),
    packet(0xe1),
    packet(0xf1, hex("18"), section([string(0x15, "x")])),
    packet(0x80, id, none, a, hex("00")),
    packet(0xa0, id, none, a),
  );
});

test("MQTT5-3.6.1-1: PUBREL has the flags 2", async () => {
  await breach(0x81, packet(0x60, id), packet(0x63, id), packet(0x6a, id));
});

test("MQTT5-3.8.1-1: SUBSCRIBE has the flags 2", async () => {
  await breach(0x81, packet(0x80, id, none, text("a"), hex("00")), packet(0x83, id, none, text("a"), hex("00")));
});

test("MQTT5-3.10.1-1: UNSUBSCRIBE has the flags 2", async () => {
  await breach(0x81, packet(0xa0, id, none, text("a")), packet(0xaa, id, none, text("a")));
});

test("MQTT5-2.2.1-3: an identifier is not 0", async () => {
  const zero = word(0);
  await breach(
    0x82,
    packet(0x32, text("a"), zero, none),
    packet(0x34, text("a"), zero, none),
    packet(0x82, zero, none, text("a"), hex("00")),
    packet(0xa2, zero, none, text("a")),
    packet(0x40, zero),
    packet(0x62, zero),
  );
});

test("MQTT5-2.2.2-1: a packet whose properties have no length is malformed", async () => {
  await breach(0x81, packet(0x30, text("a")), packet(0x32, text("a"), id), packet(0x82, id), packet(0xa2, id));
});

test("MQTT5-1.5.5-1: a remaining length, or a length of properties, in more bytes than it needs is malformed", async () => {
  await breach(
    0x81,
    hex("c0 80 00"),
    hex("30 84 00 00 01 61 00"),
    hex("30 06 00 01 61 80 80 00"),
    packet(0x82, id, section([hex("0b 81 00")]), text("a"), hex("00")),
  );
});

test("MQTT5-1.5.4-1, MQTT5-1.5.4-2, MQTT5-1.5.7-1, MQTT5-3.8.3-1, MQTT5-3.10.3-1: texts are UTF-8, without surrogates and U+0000", async () => {
  for (const bad of ["ed a0 80", "c3", "61 00 62", "ff"]) {
    const bytes = hex(bad);
    await breach(
      0x81,
      packet(0x30, text(bytes), none),
      packet(0x82, id, none, text(bytes), hex("00")),
      packet(0xa2, id, none, text(bytes)),
      publish5("a", "", { properties: [Buffer.concat([hex("26"), text(bytes), text("v")])] }),
      publish5("a", "", { properties: [Buffer.concat([hex("26"), text("k"), text(bytes)])] }),
    );
  }
});

test("MQTT5-3.3.1-2, MQTT5-3.3.1-4: a PUBLISH has neither QoS 3 nor DUP at QoS 0", async () => {
  await breach(0x81, packet(0x36, text("a"), id, none), packet(0x38, text("a"), none));
});

test("MQTT5-3.3.2-1, MQTT5-3.3.2-2, MQTT5-4.7.0-1, MQTT5-4.7.3-1, MQTT5-4.7.3-2: a topic is UTF-8 without U+0000, not empty, and has no wildcards", async () => {
  await breach(
    0x81,
    publish5("a/+"),
    publish5("#"),
    publish5("a+b", "", { packetId: 1 }),
    publish5("a\0b"),
    packet(0x30, hex("00 05 61")),
  );
  await breach(0x82, publish5(""), publish5("", "", { packetId: 1 }));
});

test("MQTT5-3.3.2-13, MQTT5-3.3.2-14, MQTT5-3.3.2-19: response topic and content type are UTF-8, and the former names one topic", async () => {
  const bad = hex("00 01 c3");
  await breach(
    0x81,
    publish5("a", "", { properties: [Buffer.concat([hex("08"), bad])] }),
    publish5("a", "", { properties: [Buffer.concat([hex("03"), bad])] }),
  );
  await breach(
    0x82,
    publish5("a", "", { properties: [string(0x08, "b/+")] }),
    publish5("a", "", { properties: [string(0x08, "#")] }),
    publish5("a", "", { properties: [string(0x08, "")] }),
  );
});

test("MQTT5-3.3.4-6: a client puts no subscription identifier into a PUBLISH", async () => {
  await breach(0x82, publish5("a", "", { properties: [hex("0b 01")] }));
});

test("MQTT5-3.3.2-8: a topic alias is not 0", async () => {
  await breach(0x94, publish5("a", "", { properties: [u16(ALIAS, 0)] }));
});

test("MQTT5-4.13.1-1: properties that come twice, have no place or no legal value", async () => {
  await breach(
    0x82,
    publish5("a", "", { properties: [u16(ALIAS, 1), u16(ALIAS, 1)] }),
    publish5("a", "", { properties: [u8(0x01, 2)] }),
    publish5("a", "", { properties: [u32(0x02, 1), u32(0x02, 1)] }),
    subscribe5(1, [["a", 0]], [hex("0b 00")]),
    subscribe5(1, [["a", 0]], [hex("0b 01"), hex("0b 01")]),
    packet(0xe0, hex("00"), section([string(0x1c, "other")])),
  );
  await breach(
    0x81,
    publish5("a", "", { properties: [u32(0x11, 1)] }),
    publish5("a", "", { properties: [hex("7f 00")] }),
    packet(0x30, text("a"), hex("05 26 00 01 6b 00")),
    packet(0x40, id, hex("00"), section([u16(ALIAS, 1)])),
    packet(0xe0, hex("00"), section([u32(0x18, 1)])),
  );
});

test("MQTT5-3.8.3-2, MQTT5-3.10.3-2: SUBSCRIBE and UNSUBSCRIBE have at least one filter", async () => {
  await breach(0x82, packet(0x82, id, none), packet(0xa2, id, none), packet(0x82, id, section([user("a", "b")])));
});

test("MQTT5-3.8.3-5: reserved bits of subscription options are 0", async () => {
  await breach(0x81, subscribe5(1, [["a", 0x40]]), subscribe5(1, [["a", 0x80]]), subscribe5(1, [["a", 0xc1]]));
  await breach(0x82, subscribe5(1, [["a", 3]]), subscribe5(1, [["a", 0x30]]));
});

test("MQTT5-4.7.3-1: a filter is not empty", async () => {
  await breach(
    0x81,
    subscribe5(1, [["", 0]]),
    subscribe5(1, [
      ["a", 0],
      ["", 0],
    ]),
  );
});

test("MQTT5-3.4.2-1, MQTT5-3.5.2-1, MQTT5-3.6.2-1, MQTT5-3.7.2-1, MQTT5-3.14.2-1, MQTT5-3.15.2-1: reason codes are those of their packet", async () => {
  await breach(
    0x82,
    packet(0x40, id, hex("92")),
    packet(0x50, id, hex("01")),
    packet(0x62, id, hex("10")),
    packet(0x70, id, hex("80")),
    packet(0xe0, hex("8e")),
    packet(0xe0, hex("01")),
    packet(0xf0, hex("00"), section([string(0x15, "x")])),
  );
});

test("MQTT5-3.14.4-1, MQTT5-3.14.4-2, MQTT5-4.13.2-1: after our DISCONNECT nothing more is sent, and the connection is closed", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(connect5({ clientId: "a" }));
  await nextConnack(client);
  client.send(subscribe5(1, [["a", 1]]), publish5("a", "1", { packetId: 2 }));
  await client.receives(Buffer.concat([suback5(1, 1), publish5("a", "1", { packetId: 1 })]));
  client.send(hex("f0 00"), publish5("a", "2", { packetId: 3 }), hex("c0 00"));
  const { first, body } = await next(client);
  assert.deepEqual([first, body[0]], [0xe0, 0x82]);
  door.slot.onSafe(door.upstream.tickets.at(-1)!);
  door.publish("a", "3");
  await client.isClosed();
  assert.ok(!door.upstream.taken.includes("a=2"));
});

test("MQTT5-3.2.2-15: a packet beyond the maximum size that CONNACK told is refused with 0x95 as soon as its length is there", async () => {
  await using door = await MqttDoor.open({ maxPacket: 1024 });
  await using client = await door.dial();
  client.send(connect5({}));
  const { properties } = await nextConnack(client);
  assert.ok(properties.some((each) => each.equals(u32(0x27, 1024))));
  client.send(hex("30 fe 07")); // 1,022 bytes and the fixed header: one too many
  await disconnects(client, 0x95);
});

test("MQTT5-3.14.2-3: a reason string that makes DISCONNECT longer than the client takes is left out", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.dial();
  client.send(connect5({ properties: [u32(0x27, 20)] }));
  await nextConnack(client);
  client.send(hex("f0 00"));
  assert.deepEqual(await disconnects(client, 0x82), []);
});
