// Shared subscriptions of 5.0, statement by statement. They are NATS queue groups, so members may come by any door.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { RecordingSink } from "../../support/router-fixtures.ts";
import { hex, MqttDoor, pubcomp, pubrec, pubrel, type RawClient } from "../../wire/mqtt/harness.ts";
import { ack5, comes5, disconnect5, disconnects, nextPublish, publish5, suback5, subscribe5 } from "./five.ts";

async function member(door: MqttDoor, clientId: string, filter: string, qos: number, expiry = 60): Promise<RawClient> {
  const client = await comes5(door, { clientId, expiry });
  client.send(subscribe5(1, [[filter, qos]]));
  await client.receives(suback5(1, qos));
  return client;
}

/** Its connection breaks, and the broker has noticed. */
async function breaks(door: MqttDoor, client: RawClient): Promise<void> {
  const before = door.ingress.sessions().connected;
  client.vanish();
  while (door.ingress.sessions().connected === before) await turn();
}

test("MQTT5-4.8.2-1, MQTT5-4.8.2-2: $share needs a group without wildcards and a filter behind it; the rest of the filter is an ordinary one", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, {});
  const bad = ["$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/g+/a", "$share/#/a", "$share/g/a#"];
  const good = ["$share/g/a", "$share/g//", "$share/g/#", "$share/ö x/+/a", "$share/g.h/$own/a"];
  client.send(
    subscribe5(
      1,
      [...bad, ...good].map((filter) => [filter, 0] as const),
    ),
  );
  await client.receives(suback5(1, ...bad.map(() => 0x8f), ...good.map(() => 0)));
  door.publish("$own.a", "1");
  await client.receives(publish5("$own/a", "1"));
});

test("MQTT5-3.8.3-4: no local on a shared subscription is a protocol error", async () => {
  await using door = await MqttDoor.open();
  await using client = await comes5(door, {});
  client.send(subscribe5(1, [["$share/g/a", 4]]));
  await disconnects(client, 0x82);
});

test("a shared subscription brings no retained messages", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using client = await comes5(door, {});
  client.send(publish5("a", "kept", { retain: true }), subscribe5(1, [["$share/g/a", 0]]));
  await client.receives(suback5(1, 0));
  await client.isIdle();
});

test("MQTT5-4.8.2-3: each member gets its messages at the QoS it was granted", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using zero = await member(door, "zero", "$share/g/a", 0);
  await using writer = await comes5(door, { clientId: "writer" });
  writer.send(publish5("a", "1", { packetId: 1, qos: 2 }));
  await zero.receives(publish5("a", "1"));
  await breaks(door, zero);
  await using one = await member(door, "one", "$share/g/a", 1);
  writer.send(publish5("a", "2", { packetId: 2, qos: 2 }));
  await one.receives(publish5("a", "2", { packetId: 1 }));
});

test("a message of a shared subscription goes to one member, who is there", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const away = await comes5(door, { clientId: "away", expiry: 100 });
  away.send(subscribe5(1, [["$share/g/x/#", 1]]), disconnect5());
  await away.isClosed(suback5(1, 1));
  await using one = await comes5(door, { clientId: "one" });
  await using two = await comes5(door, { clientId: "two" });
  for (const member of [one, two]) {
    member.send(subscribe5(1, [["$share/g/x/#", 0]]));
    await member.receives(suback5(1, 0));
  }
  for (let i = 0; i < 50; i++) door.publish("x.y", String(i));
  const figures = door.ingress.status().clients.map((client) => client.messagesOut);
  assert.equal(
    figures.reduce((a, b) => a + b),
    50,
  );
  assert.ok(figures.every((count) => count > 0));
  assert.equal(door.ingress.sessions().queued, 0);
  assert.deepEqual([...door.router.localInterest()].map(({ filter, queue, members }) => `${filter} ${queue} ${members}`).sort(), [
    "x g 3",
    "x.> g 3",
  ]);
});

test("a shared subscription whose members are all away is queued for one of them", async () => {
  await using door = await MqttDoor.open({ stages: false });
  for (const clientId of ["a", "b"]) {
    const member = await comes5(door, { clientId, expiry: 100 });
    member.send(subscribe5(1, [["$share/g/x", 1]]), disconnect5());
    await member.isClosed(suback5(1, 1));
  }
  for (let i = 0; i < 10; i++) door.publish("x", String(i));
  assert.equal(door.ingress.sessions().queued, 10);
});

test("MQTT5-4.8.2-4, MQTT5-4.8.2-5: a QoS 2 message that a member was being sent is brought to its end with that member, or with nobody", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await comes5(door, { clientId: "writer" });
  const chosen = await member(door, "chosen", "$share/g/a", 2);
  writer.send(publish5("a", "1", { packetId: 1, qos: 2 }), publish5("a", "2", { packetId: 2, qos: 2 }));
  await chosen.receives(
    Buffer.concat([publish5("a", "1", { packetId: 1, qos: 2 }), publish5("a", "2", { packetId: 2, qos: 2 })]),
  );
  chosen.send(pubrec(1));
  await chosen.receives(pubrel(1));
  await breaks(door, chosen);
  await using other = await member(door, "other", "$share/g/a", 2);
  await using again = await comes5(door, { clientId: "chosen", isClean: false, expiry: 60 }, true);
  await again.receives(Buffer.concat([pubrel(1), publish5("a", "2", { packetId: 2, qos: 2, dup: true })]));
  again.send(pubcomp(1));
  await again.isIdle();
  await breaks(door, again);
  door.clock.advance(60_000); // its session ends
  await other.isIdle();
  assert.equal(door.ingress.sessions().expired, 1);
});

test("MQTT5-4.8.2-6: a message that a member refuses goes to no other member", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await comes5(door, { clientId: "writer" });
  await using chosen = await member(door, "chosen", "$share/g/a", 2);
  writer.send(publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2, qos: 2 }));
  await chosen.receives(Buffer.concat([publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2, qos: 2 })]));
  await using other = await member(door, "other", "$share/g/a", 2);
  chosen.send(ack5(0x40, 1, 0x97), ack5(0x50, 2, 0x80));
  await chosen.isIdle();
  await other.isIdle();
  assert.equal(door.ingress.sessions().queued, 0);
});

test("members that came by MQTT and by NATS share one group: each message goes to one of them", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const nats = new RecordingSink();
  door.router.subscribe(nats.subscription("jobs.*", "workers"));
  await using device = await member(door, "device", "$share/workers/jobs/+", 0);
  for (let n = 0; n < 100; n++) door.publish(`jobs.${n}`, "");
  const own = door.ingress.status().clients[0]!.messagesOut;
  assert.equal(own + nats.delivered.length, 100);
  assert.ok(own > 0 && nats.delivered.length > 0);
  await device.take(1);
});

test("MQTT5-3.3.4-5: who has a filter both plain and shared gets every message by the plain one, and those whose turn is its by the other, each copy with its own identifier", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const nats = new RecordingSink();
  door.router.subscribe(nats.subscription("a", "g"));
  await using client = await comes5(door, {});
  client.send(subscribe5(1, [["$share/g/a", 0]], [hex("0b 01")]), subscribe5(2, [["a", 0]], [hex("0b 02")]));
  await client.receives(Buffer.concat([suback5(1, 0), suback5(2, 0)]));
  for (let n = 0; n < 50; n++) door.publish("a", "");
  const own = 50 - nats.delivered.length;
  assert.ok(own > 0 && own < 50);
  const ids = { "0b01": 0, "0b02": 0 };
  for (let n = 0; n < 50 + own; n++) {
    const { properties } = await nextPublish(client);
    assert.equal(properties.length, 1);
    ids[properties[0]!.toString("hex") as keyof typeof ids] += 1;
  }
  assert.deepEqual(ids, { "0b01": own, "0b02": 50 });
});

test("MQTT5-4.8.2-5: what a lost member has not acknowledged goes to a member that is there: QoS 1, and QoS 2 that was not begun, in order", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await comes5(door, { clientId: "writer" });
  const lost = await comes5(door, { clientId: "lost", expiry: 60, properties: [hex("21 00 02")] });
  lost.send(subscribe5(1, [["$share/g/a", 2]]));
  await lost.receives(suback5(1, 2));
  writer.send(publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2, qos: 2 }));
  writer.send(publish5("a", "3", { packetId: 3, qos: 2 }), publish5("a", "4", { packetId: 4 }));
  await lost.receives(Buffer.concat([publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2, qos: 2 })]));
  await using other = await member(door, "other", "$share/g/a", 2);
  await using stranger = await member(door, "stranger", "$share/h/b", 2);
  await breaks(door, lost);
  await other.receives(
    Buffer.concat([
      publish5("a", "1", { packetId: 1 }),
      publish5("a", "3", { packetId: 2, qos: 2 }),
      publish5("a", "4", { packetId: 3 }),
    ]),
  );
  await stranger.isIdle();
  await using again = await comes5(door, { clientId: "lost", isClean: false, expiry: 60 }, true);
  await again.receives(publish5("a", "2", { packetId: 2, qos: 2, dup: true })); // begun with it, so ended with it
  await again.isIdle();
});

test("what a lost member was owed stays its own while no other is there, and goes to one that is away when its session ends", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await comes5(door, { clientId: "writer" });
  const lost = await member(door, "lost", "$share/g/a", 1, 30);
  writer.send(publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2 }));
  await lost.receives(Buffer.concat([publish5("a", "1", { packetId: 1 }), publish5("a", "2", { packetId: 2 })]));
  const away = await comes5(door, { clientId: "away", expiry: 1000 });
  away.send(subscribe5(1, [["$share/g/a", 1]]), disconnect5());
  await away.isClosed(suback5(1, 1));
  await breaks(door, lost);
  await turn();
  {
    await using back = await comes5(door, { clientId: "lost", isClean: false, expiry: 30 }, true);
    await back.receives(
      Buffer.concat([publish5("a", "1", { packetId: 1, dup: true }), publish5("a", "2", { packetId: 2, dup: true })]),
    );
    back.send(ack5(0x40, 1, 0));
    await back.isIdle();
    await breaks(door, back);
  }
  door.clock.advance(30_000); // its session ends
  await turn();
  await using heir = await comes5(door, { clientId: "away", isClean: false, expiry: 1000 }, true);
  await heir.receives(publish5("a", "2", { packetId: 1 }));
  heir.send(ack5(0x40, 1, 0));
  await heir.isIdle();
  assert.equal(door.ingress.sessions().queued, 0);
});

test("a member that ends with its connection leaves what it had in flight to the others", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await comes5(door, { clientId: "writer" });
  const lost = await member(door, "lost", "$share/g/a/#", 1, 0);
  writer.send(publish5("a", "1", { packetId: 1 }), publish5("a/b", "2", { packetId: 2 }));
  await lost.receives(Buffer.concat([publish5("a", "1", { packetId: 1 }), publish5("a/b", "2", { packetId: 2 })]));
  await using other = await member(door, "other", "$share/g/a/#", 1);
  await breaks(door, lost);
  await other.receives(Buffer.concat([publish5("a", "1", { packetId: 1 }), publish5("a/b", "2", { packetId: 2 })]));
});

test("what is left behind by a session goes to no member that is away at QoS 0, who would lose it", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using writer = await comes5(door, { clientId: "writer" });
  const lost = await member(door, "lost", "$share/g/a", 1, 30);
  writer.send(publish5("a", "1", { packetId: 1 }));
  await lost.receives(publish5("a", "1", { packetId: 1 }));
  for (const [clientId, qos] of [
    ["away-zero", 0],
    ["away-one", 1],
  ] as const) {
    const away = await comes5(door, { clientId, expiry: 1000 });
    away.send(subscribe5(1, [["$share/g/a", qos]]), disconnect5());
    await away.isClosed(suback5(1, qos));
  }
  await breaks(door, lost);
  door.clock.advance(30_000); // its session ends
  await turn();
  assert.equal(door.ingress.sessions().queued, 1);
  await using heir = await comes5(door, { clientId: "away-one", isClean: false, expiry: 1000 }, true);
  await heir.receives(publish5("a", "1", { packetId: 1 }));
});
