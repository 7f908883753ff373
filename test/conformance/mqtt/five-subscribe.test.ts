// SUBSCRIBE and UNSUBSCRIBE of 5.0, statement by statement: what is answered, and what then comes. Shared ones: five-shared.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryKeeping } from "../../support/memory-keeping.ts";
import { hex, MqttDoor, PASSWORD, puback, pubcomp, pubrec, pubrel } from "../../wire/mqtt/harness.ts";
import { comes5, nextPublish, publish5, string, suback5, subscribe5, u8, u32, unsuback5, unsubscribe5, user } from "./five.ts";

/** No local, retain as published, retain handling. */
const NO_LOCAL = 4;
const NOT_AGAIN = 0x10;
const NEVER = 0x20;

test("MQTT5-2.2.1-6, MQTT5-3.8.4-1, MQTT5-3.8.4-2, MQTT5-3.8.4-5, MQTT5-3.8.4-6, MQTT5-3.8.4-7, MQTT5-3.9.3-1, MQTT5-3.9.3-2: one SUBACK with the identifier of its SUBSCRIBE, and a code for each filter in order", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { user: "sensor", password: PASSWORD });
  const filters = [
    ["cmd/7/a", 0],
    ["cmd/8/a", 1],
    ["cmd/7/#/x", 1],
    ["cmd/7/b", 1],
    ["$share/g", 2],
    ["cmd/7/c", 2],
    ["cmd/7/a", 1],
  ] as const;
  client.send(subscribe5(0xfffe, filters));
  await client.receives(suback5(0xfffe, 0, 0x87, 0x8f, 1, 0x8f, 2, 1));
  for (const [subject, qos] of [
    ["cmd.7.a", 1],
    ["cmd.7.b", 1],
    ["cmd.7.c", 1],
  ] as const) {
    door.publish(subject, "x");
    assert.equal((await nextPublish(client)).first, 0x30 | (qos << 1));
  }
  assert.deepEqual(
    door.ingress.status().clients.map((each) => each.subscriptions),
    [3],
  );
});

test("MQTT5-3.8.4-3, MQTT5-3.8.4-4: who subscribes again replaces the options, is sent what is retained, and loses and doubles nothing", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { clientId: "a" });
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("x", "kept", { retain: true, packetId: 1 }));
  await writer.receives(puback(1));
  client.send(subscribe5(1, [["x", 1]], [hex("0b 01")]));
  await client.receives(suback5(1, 1));
  assert.deepEqual((await nextPublish(client)).properties, [hex("0b 01")]);
  client.send(puback(1), publish5("x", "1"), subscribe5(2, [["x", 0]], [hex("0b 02")]), publish5("x", "2"));
  assert.deepEqual(await nextPublish(client), {
    first: 0x30,
    topic: "x",
    packetId: 0,
    properties: [hex("0b 01")],
    payload: "1",
  });
  await client.receives(suback5(2, 0));
  const both = [await nextPublish(client), await nextPublish(client)];
  assert.deepEqual(both.map(({ first, payload }) => [first, payload]).sort(), [
    [0x30, "2"],
    [0x31, "kept"],
  ]);
  assert.ok(both.every(({ properties }) => properties.length === 1 && properties[0]!.equals(hex("0b 02"))));
  client.send(subscribe5(3, [["x", NO_LOCAL | NEVER]]), publish5("x", "own"));
  await client.receives(suback5(3, 0));
  await client.isIdle();
});

test("MQTT5-3.3.1-9, MQTT5-3.3.1-10, MQTT5-3.3.1-11: retained messages are sent at every SUBSCRIBE, at the first one, or never", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const client = await comes5(door, { clientId: "a", expiry: 60 });
  client.send(publish5("r", "kept", { retain: true }), subscribe5(1, [["r", NEVER]]), subscribe5(2, [["+", NOT_AGAIN]]));
  const kept = publish5("r", "kept", { retain: true });
  await client.receives(Buffer.concat([suback5(1, 0), suback5(2, 0), kept]));
  client.send(subscribe5(3, [["+", NOT_AGAIN]]), subscribe5(4, [["r", 0]]));
  await client.receives(Buffer.concat([suback5(3, 0), suback5(4, 0), kept]));
  client.vanish();
  await client.isOver();
  await using again = await comes5(door, { clientId: "a", isClean: false, expiry: 60 }, true);
  again.send(subscribe5(5, [["+", NOT_AGAIN]])); // it did exist: the session is the same
  await again.receives(suback5(5, 0));
  await again.isIdle();
});

test("MQTT5-3.8.4-8: the lower QoS of message and subscription counts", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { clientId: "a" });
  await using writer = await comes5(door, { clientId: "writer" });
  for (const granted of [0, 1, 2]) {
    client.send(subscribe5(1, [["x", granted]]));
    await client.receives(suback5(1, granted));
    for (const sent of [0, 1, 2]) {
      writer.send(publish5("x", "", { qos: sent, packetId: sent }));
      const { first, packetId } = await nextPublish(client);
      assert.equal((first >> 1) & 3, Math.min(granted, sent));
      if (packetId > 0)
        client.send(((first >> 1) & 3) === 1 ? puback(packetId) : Buffer.concat([pubrec(packetId), pubcomp(packetId)]));
      if (granted === 2 && sent === 2) await client.receives(pubrel(packetId));
      if (sent === 1) await writer.receives(puback(1));
      if (sent === 2) {
        await writer.receives(pubrec(2));
        writer.send(pubrel(2));
        await writer.receives(pubcomp(2));
      }
    }
  }
});

test("MQTT5-3.3.4-2, MQTT5-3.3.4-3, MQTT5-3.3.4-4: overlapping filters bring one copy, at the highest QoS, with the identifier of each", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { clientId: "a" });
  client.send(
    subscribe5(1, [["x/#", 0]], [hex("0b 01")]),
    subscribe5(2, [["x/+", 2]], [hex("0b ff ff ff 7f")]),
    subscribe5(3, [["x/y", 1]]),
    subscribe5(4, [["+/y", 1]], [hex("0b 01")]),
    subscribe5(5, [["x/y/#", 0]], [hex("0b 02")]),
    subscribe5(6, [["other", 2]], [hex("0b 03")]),
  );
  await client.receives(Buffer.concat([0, 2, 1, 1, 0, 2].map((qos, i) => suback5(i + 1, qos))));
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("x/y", "1", { qos: 2, packetId: 1, properties: [user("k", "v")] }));
  const { first, properties } = await nextPublish(client);
  assert.equal(first, 0x34);
  const ids = properties.filter((each) => each[0] === 0x0b).map((each) => each.toString("hex"));
  assert.deepEqual(ids.sort(), ["0b01", "0b01", "0b02", "0bffffff7f"]); // one used twice stands there twice (3.3.4)
  client.send(pubrec(1));
  await client.receives(pubrel(1));
  await client.isIdle();
});

test("subscription identifiers stay with what waits in a session, and come with retained messages", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const client = await comes5(door, { clientId: "a", expiry: 60 });
  client.send(subscribe5(1, [["x", 1]], [hex("0b 07")]));
  await client.receives(suback5(1, 1));
  client.vanish();
  await client.isOver();
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("x", "1", { packetId: 1, retain: true }));
  await writer.receives(puback(1));
  await using again = await comes5(door, { clientId: "a", isClean: false, expiry: 60 }, true);
  assert.deepEqual((await nextPublish(again)).properties, [hex("0b 07")]);
  again.send(subscribe5(2, [["x", 0]], [hex("0b 08")]));
  await again.receives(suback5(2, 0));
  assert.deepEqual((await nextPublish(again)).properties, [hex("0b 08")]);
});

test("MQTT5-3.8.3-3: no local keeps a client's own messages from it over connections too, and from nobody else with its user", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { clientId: "a", user: "ann", password: PASSWORD, expiry: 60 };
  const first = await comes5(door, options);
  first.send(subscribe5(1, [["x", 1 | NO_LOCAL]]), publish5("x", "own", { packetId: 1 }));
  await first.receives(Buffer.concat([suback5(1, 1), puback(1)]));
  first.vanish();
  await first.isOver();
  await using again = await comes5(door, { ...options, isClean: false }, true);
  again.send(publish5("x", "own", { packetId: 1 }));
  await again.receives(puback(1));
  await using other = await comes5(door, { ...options, clientId: "b" });
  other.send(publish5("x", "other's"));
  await again.receives(publish5("x", "other's"));
});

test("MQTT5-2.2.1-6, MQTT5-3.10.4-1, MQTT5-3.10.4-4, MQTT5-3.10.4-5, MQTT5-3.10.4-6, MQTT5-3.11.3-1, MQTT5-3.11.3-2: UNSUBSCRIBE ends filters that are the same character by character; one UNSUBACK says of each how it went", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { clientId: "a" });
  client.send(
    subscribe5(1, [
      ["x/#", 0],
      ["x/y", 0],
      ["$share/g/z", 0],
    ]),
  );
  await client.receives(suback5(1, 0, 0, 0));
  client.send(unsubscribe5(0xabcd, "x/y", "x/+", "X/#", "z", "$share/h/z", "$share/g/z", "x/y"));
  await client.receives(unsuback5(0xabcd, 0, 0x11, 0x11, 0x11, 0x11, 0, 0x11));
  door.publish("z", "1");
  door.publish("x.y", "2");
  await client.receives(publish5("x/y", "2"));
  client.send(unsubscribe5(2, "x/#"));
  await client.receives(unsuback5(2, 0));
  door.publish("x.y", "3");
  await client.isIdle();
});

test("MQTT5-3.10.4-2, MQTT5-3.10.4-3: after UNSUBSCRIBE nothing new comes, and what was begun is brought to its end", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const options = { clientId: "a", expiry: 60 };
  const client = await comes5(door, options);
  await using writer = await comes5(door, { clientId: "writer" });
  client.send(subscribe5(1, [["x", 2]]));
  await client.receives(suback5(1, 2));
  writer.send(publish5("x", "1", { packetId: 1 }), publish5("x", "2", { packetId: 2, qos: 2 }));
  await client.receives(Buffer.concat([publish5("x", "1", { packetId: 1 }), publish5("x", "2", { packetId: 2, qos: 2 })]));
  client.send(unsubscribe5(3, "x"));
  await client.receives(unsuback5(3, 0));
  writer.send(publish5("x", "3", { packetId: 3 }));
  await writer.receives(Buffer.concat([puback(1), pubrec(2), puback(3)]));
  client.vanish();
  await client.isOver();
  await using again = await comes5(door, { ...options, isClean: false }, true);
  await again.receives(publish5("x", "1", { packetId: 1, dup: true }));
  await again.receives(publish5("x", "2", { packetId: 2, qos: 2, dup: true }));
  again.send(puback(1), pubrec(2));
  await again.receives(pubrel(2));
  again.send(pubcomp(2));
  await again.isIdle();
});

test("MQTT5-4.7.1-1, MQTT5-4.7.1-2: wildcards that are not a whole level, or # that is not the last one, are refused filter by filter", async () => {
  await using door = await MqttDoor.open();
  await using client = await comes5(door, {});
  const bad = ["a#", "#/a", "a/#/b", "a+", "+a/b", "a/b+", "##", "a/++"];
  const good = ["#", "a/#", "+", "+/a", "a/+/b", "/+", "+/+", "+/#"];
  client.send(
    subscribe5(
      1,
      [...bad, ...good].map((filter) => [filter, 0] as const),
    ),
  );
  await client.receives(suback5(1, ...bad.map(() => 0x8f), ...good.map(() => 0)));
});

test("MQTT5-4.7.2-1: topics that begin with $ do not match filters that begin with a wildcard", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using wild = await comes5(door, { clientId: "wild" });
  wild.send(
    subscribe5(1, [
      ["#", 0],
      ["+/x", 0],
    ]),
  );
  await wild.receives(suback5(1, 0, 0));
  await using named = await comes5(door, { clientId: "named" });
  named.send(subscribe5(1, [["$own/#", 0]]));
  await named.receives(suback5(1, 0));
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("$own/x", "1"), publish5("o$n/x", "2"));
  await named.receives(publish5("$own/x", "1"));
  await wild.receives(publish5("o$n/x", "2"));
});

test("MQTT5-3.1.2-29: SUBACK and UNSUBACK carry no reason string and no user properties at all", async () => {
  await using door = await MqttDoor.open();
  for (const wants of [0, 1]) {
    await using client = await comes5(door, { properties: [u8(0x17, wants)] });
    client.send(subscribe5(1, [["a+", 0]], [user("a", "b")]), unsubscribe5(2, "a"));
    await client.receives(Buffer.concat([suback5(1, 0x8f), unsuback5(2, 0x11)]));
  }
});

test("MQTT5-3.3.2-3: a message comes under the topic it was published to, which the filter matches", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, { clientId: "a" });
  client.send(
    subscribe5(1, [
      ["+/b/#", 0],
      ["/+", 0],
    ]),
  );
  await client.receives(suback5(1, 0, 0));
  const yes = ["a/b", "a/b/", "/b", "/b/c", "/x", "/", "a/b/c.d/*/> x"];
  const no = ["//b/c", "b/a", "a", "a/bb", "a/B", "/x/"];
  await using writer = await comes5(door, { clientId: "writer" });
  for (const topic of [...no, ...yes]) writer.send(publish5(topic, "", { properties: [string(0x03, "t")] }));
  for (const topic of yes) assert.equal((await nextPublish(client)).topic, topic);
  await client.isIdle();
});

test("MQTT5-3.3.1-9: retained messages that are too long for a client are passed by, and those behind them still come", async () => {
  for (const qos of [1, 2]) {
    await using door = await MqttDoor.open({ stages: false, keeping: new MemoryKeeping() });
    await using writer = await comes5(door, { clientId: "writer" });
    const topics = Array.from({ length: 64 }, (_, n) => `r/${n}`);
    for (const [n, topic] of topics.entries())
      writer.send(
        publish5(topic, n % 32 === 31 ? "short" : "l".repeat(400), { packetId: n + 1, retain: true, qos: 2 }),
        pubrel(n + 1),
      );
    await writer.take(topics.length * 8);
    await using client = await comes5(door, { clientId: "reader", expiry: 600, properties: [u32(0x27, 200)] });
    client.send(subscribe5(1, [["r/#", qos]]));
    await client.receives(suback5(1, qos));
    const found = [await nextPublish(client), await nextPublish(client)];
    assert.deepEqual(
      found.map(({ payload }) => payload),
      ["short", "short"],
    );
    await client.isIdle();
  }
});
