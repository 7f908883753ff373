// MQTT 3.1.1 §3.8 to §3.11 and §4.7: subscriptions, and which topics they match.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  hex,
  MqttDoor,
  packet,
  puback,
  publish,
  pubrec,
  pubrel,
  suback,
  subscribe,
  text,
  unsubscribe,
  word,
} from "../../wire/mqtt/harness.ts";
import { breaks, comes, KEPT, listening, RESUMED } from "./v3.ts";

const UNSUBACK_2 = "b0 02 00 02";

test("MQTT-3.8.3-2: wildcards are granted in filters", async () => {
  await using door = await MqttDoor.open();
  await using client = await listening(door, "client", ["#", 0], ["+", 1], ["a/+/b", 2], ["a/#", 0], ["+/+/#", 1], ["/+", 2]);
  await client.isIdle();
});

test("MQTT-3.8.3-3: a SUBSCRIBE without a filter ends the connection", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.connected("client");
  client.send(packet(0x82, word(1)), "c0 00");
  await client.isClosed();
});

test("MQTT-3.8.3-3: a SUBSCRIBE with a filter and no QoS, or half a filter, ends the connection, and nothing of it is granted", async () => {
  await using door = await MqttDoor.open();
  for (const rest of [text("b"), Buffer.from([0, 9, 0x62]), Buffer.from([0])]) {
    await using client = await door.connected("client");
    client.send(packet(0x82, word(1), text("a"), Buffer.from([0]), rest), "c0 00");
    await client.isClosed();
    assert.equal(door.router.subscriptions, 0);
  }
});

test("MQTT-3.8.3-4: a QoS other than 0, 1 and 2, or a reserved bit beside it, ends the connection", async () => {
  await using door = await MqttDoor.open();
  for (const qos of [3, 4, 5, 8, 16, 32, 64, 128, 129, 130, 255]) {
    await using client = await door.connected("client");
    client.send(subscribe(1, ["a", 0], ["b", qos]), "c0 00");
    await client.isClosed();
    assert.equal(door.router.subscriptions, 0);
  }
});

test("MQTT-3.8.4-1, MQTT-3.8.4-5, MQTT-3.9.3-1, MQTT-3.9.3-2: one SUBACK, one return code a filter, in the order of the filters", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.connected("client");
  client.send(subscribe(7, ["a", 2], ["b/#/c", 1], ["c", 0], ["d+", 2], ["e", 1], ["$MQTT/x", 1], ["a", 1], ["f/#", 2]));
  await client.receives("90 0a 00 07 02 80 00 80 01 80 01 02");
});

test("MQTT-3.8.4-4: many filters in one SUBSCRIBE are as many SUBSCRIBEs, and the last one of a filter counts", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await listening(door, "client", ["a", 0], ["a", 1], ["b", 2], ["b", 0]);
  client.send(publish("a", "x", { packetId: 1, qos: 2 }), publish("b", "y", { packetId: 2 }));
  await client.receives(publish("a", "x", { packetId: 1 }));
  await client.receives(publish("b", "y"));
  await client.receives(Buffer.concat([pubrec(1), puback(2)]));
  client.send(pubrel(1), unsubscribe(2, "a", "b"));
  await client.receives("70 02 00 01");
  await client.receives(UNSUBACK_2);
  client.send(publish("a"), publish("b"));
  await client.isIdle();
});

test("MQTT-3.8.4-3: a filter that is subscribed again has its new QoS from then on, and nothing is lost or doubled meanwhile", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await listening(door, "client", ["a", 0]);
  client.send(publish("a", "1", { packetId: 1 }), subscribe(2, ["a", 1]), publish("a", "2", { packetId: 2 }));
  await client.receives(publish("a", "1"));
  await client.receives(puback(1));
  await client.receives(suback(2, 1));
  await client.receives(publish("a", "2", { packetId: 1 }));
  await client.receives(puback(2));
  await client.isIdle();
});

test("MQTT-3.8.4-6: the lower of the QoS of the message and the QoS that was granted, for all nine", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await listening(door, "reader", ["granted/0", 0], ["granted/1", 1], ["granted/2", 2]);
  await using writer = await door.connected("writer");
  let packetId = 0;
  for (const granted of [0, 1, 2] as const)
    for (const published of [0, 1, 2] as const) {
      writer.send(publish(`granted/${granted}`, "x", { qos: published, packetId: 1 }));
      const qos = Math.min(granted, published);
      if (qos > 0) packetId += 1;
      await reader.receives(publish(`granted/${granted}`, "x", { qos, packetId }));
      if (published === 1) await writer.receives(puback(1));
      if (published !== 2) continue;
      await writer.receives(pubrec(1));
      writer.send(pubrel(1));
      await writer.receives("70 02 00 01");
    }
});

test("MQTT-3.10.3-2: an UNSUBSCRIBE without a filter ends the connection", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.connected("client");
  client.send(packet(0xa2, word(1)), "c0 00");
  await client.isClosed();
});

test("MQTT-3.10.4-1: only the filter that is the same byte for byte is removed", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await listening(door, "client", ["a/+", 0], ["a/#", 0], ["ä", 0]);
  client.send(unsubscribe(2, "a/b", "#", "+/+", "a/#/", "A/#", "a\u0308"));
  await client.receives(UNSUBACK_2);
  client.send(publish("a/b", "1"), publish("ä", "2"));
  await client.receives(publish("a/b", "1"));
  await client.receives(publish("ä", "2"));
  client.send(unsubscribe(2, "a/#"), publish("a/b", "3"), publish("a", "4"), publish("a/b/c", "5"));
  await client.receives(UNSUBACK_2);
  await client.receives(publish("a/b", "3"));
  await client.isIdle();
});

test("MQTT-3.10.4-2, MQTT-3.10.4-3: after UNSUBSCRIBE nothing new comes, and what was begun is brought to its end, over connections too", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes(door, "client", KEPT);
  client.send(subscribe(1, ["a", 2]));
  await client.receives(suback(1, 2));
  client.send(publish("a", "1", { packetId: 1, qos: 2 }), publish("a", "2", { packetId: 2 }));
  await client.receives(publish("a", "1", { packetId: 1, qos: 2 }));
  await client.receives(publish("a", "2", { packetId: 2 }));
  await client.receives(Buffer.concat([pubrec(1), puback(2)]));
  client.send(unsubscribe(2, "a"));
  await client.receives(UNSUBACK_2);
  door.publish("a", "nobody");
  client.send(pubrec(1));
  await client.receives(pubrel(1));
  await breaks(door, client);
  await using again = await comes(door, "client", RESUMED);
  await again.receives(pubrel(1));
  await again.receives(publish("a", "2", { packetId: 2, dup: true }));
  await again.isIdle();
});

test("MQTT-3.10.4-6: one UNSUBSCRIBE of many filters is answered once and removes each of them", async () => {
  await using door = await MqttDoor.open();
  await using client = await listening(door, "client", ["a", 0], ["b/#", 0], ["c/+", 0], ["d", 0]);
  client.send(unsubscribe(2, "a", "b/#", "nothing", "c/+", "a"));
  await client.receives(UNSUBACK_2);
  client.send(publish("a"), publish("b"), publish("b/c"), publish("c/d"), publish("d", "x"));
  await client.receives(publish("d", "x"));
  await client.isIdle();
});

test("MQTT-4.7.1-2: # stands alone or behind a /, and last; otherwise the filter is refused", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.connected("client");
  client.send(subscribe(1, ["#", 0], ["a/#", 0], ["/#", 0], ["a#", 0], ["a/#/b", 0], ["#/a", 0], ["a/b#", 0], ["##", 0]));
  await client.receives(suback(1, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80));
});

test("MQTT-4.7.1-3: + is a whole level, at any place; otherwise the filter is refused", async () => {
  await using door = await MqttDoor.open();
  await using client = await door.connected("client");
  client.send(
    subscribe(1, ["+", 0], ["+/a", 0], ["a/+", 0], ["a/+/#", 0], ["/+/", 0], ["a+", 0], ["+a", 0], ["a/b+/c", 0], ["++", 0]),
  );
  await client.receives(suback(1, 0, 0, 0, 0, 0, 0x80, 0x80, 0x80, 0x80));
});

const TOPICS = [
  "a",
  "a/",
  "/a",
  "/",
  "//",
  "a/b",
  "a/b/c",
  "a//c",
  "A",
  "a b",
  "a.b",
  "a*",
  "*",
  ">",
  "$a",
  "$a/b",
  "a/$b",
  "ä",
  "a\u0308",
];
const MATCHES: readonly (readonly [string, readonly string[]])[] = [
  ["a", ["a"]],
  ["a/", ["a/"]],
  ["/a", ["/a"]],
  ["+", ["a", "A", "a b", "a.b", "a*", "*", ">", "ä", "a\u0308"]],
  ["+/+", ["a/", "/a", "/", "a/b", "a/$b"]],
  ["+/", ["a/", "/"]],
  ["/+", ["/a", "/"]],
  ["+/+/+", ["//", "a/b/c", "a//c"]],
  ["a/#", ["a", "a/", "a/b", "a/b/c", "a//c", "a/$b"]],
  ["/#", ["/a", "/", "//"]],
  ["a/+/c", ["a/b/c", "a//c"]],
  ["#", TOPICS.filter((topic) => !topic.startsWith("$"))],
  ["$a/#", ["$a", "$a/b"]],
  ["$a/+", ["$a/b"]],
  ["+/b", ["a/b"]],
  ["*", ["*"]],
  [">", [">"]],
  ["a.b", ["a.b"]],
  ["a b", ["a b"]],
  ["ä", ["ä"]],
];

test("MQTT-4.7.2-1, MQTT-4.7.3-4: filters match topics level by level and byte by byte, nothing is made equal, and $ hides from wildcards", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await door.connected("writer");
  for (const [filter, expected] of MATCHES) {
    await using reader = await listening(door, "reader", [filter, 0]);
    writer.send(...TOPICS.map((topic) => publish(topic, filter)));
    await reader.receives(
      Buffer.concat(TOPICS.filter((topic) => expected.includes(topic)).map((topic) => publish(topic, filter))),
    );
    await reader.isIdle();
  }
});

test("MQTT-4.7.3-1: an empty topic or filter ends the connection", async () => {
  await using door = await MqttDoor.open();
  for (const bytes of [publish("", "x"), publish("", "x", { packetId: 1 }), subscribe(1, ["", 0]), unsubscribe(1, "")]) {
    await using client = await door.connected("client");
    client.send(bytes, hex("c0 00"));
    await client.isClosed();
  }
});

test("MQTT-4.7.3-3: a topic and a filter of 65,535 bytes are read; what has no subject of that length is refused and not cut", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await door.connected("client");
  const long = "x".repeat(65_535);
  client.send(subscribe(1, [long, 0], ["#", 0]), publish(long, "dropped"), publish("short", "kept"));
  await client.receives(suback(1, 0x80, 0));
  await client.receives(publish("short", "kept"));
  await client.isIdle();
});
