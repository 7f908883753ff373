// What one user may have, and what happens to strangers that guess: over the wire.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import type { User } from "#access/authenticator.ts";
import type { Visit } from "#doors/address-quotas.ts";
import { PLAIN } from "#ingress/mqtt/door-facts.ts";
import { connect, MqttDoor, PASSWORD, publish, RawClient, suback, subscribe, USERS } from "./harness.ts";

function limited(more: Partial<User>): readonly User[] {
  return USERS.map((user) => (user.name === "ann" ? { ...user, ...more } : user));
}

const ann = (clientId: string) => connect({ clientId, user: "ann", password: PASSWORD });

test("a user has no more connections than its max_connections, and others are not concerned", async () => {
  await using door = await MqttDoor.open({ users: limited({ maxConnections: 2 }) });
  const first = await door.connected("one", { user: "ann", password: PASSWORD });
  await door.connected("two", { user: "ann", password: PASSWORD });
  const third = await door.dial();
  third.send(ann("three"));
  await third.receives("20 02 00 03");
  await third.isClosed();
  assert.ok(door.said('user "ann" has 2 connections already'));
  await door.connected("four", { user: "bob", password: PASSWORD });
  first.send("e0 00");
  await first.isClosed();
  await door.connected("three", { user: "ann", password: PASSWORD });
});

test("a connection that is taken over does not count beside the one that takes it over", async () => {
  await using door = await MqttDoor.open({ users: limited({ maxConnections: 1 }) });
  const first = await door.connected("one", { user: "ann", password: PASSWORD });
  await door.connected("one", { user: "ann", password: PASSWORD });
  await first.isClosed();
});

test("whoever publishes faster than its publish_rate is read more slowly, and nothing is lost", async () => {
  await using door = await MqttDoor.open({ users: limited({ publishRate: 10 }), stages: false });
  const writer = await door.connected("writer", { user: "ann", password: PASSWORD });
  writer.send(Buffer.concat(Array.from({ length: 20 }, (_, i) => publish("a", String(i)))));
  await door.takes(20); // one chunk: what was read is published
  writer.send(publish("a", "20"), "c0 00");
  door.clock.advance(999);
  assert.equal(door.upstream.taken.length, 20);
  door.clock.advance(1_001);
  await writer.receives("d0 00");
  assert.equal(door.upstream.taken.length, 21);
});

test("after wrong passwords the right one has to wait as well, by address and by name, and then comes in", async () => {
  await using door = await MqttDoor.open();
  for (let i = 0; i < 4; i++) {
    const guesser = await door.dial();
    guesser.send(connect({ clientId: `g${i}`, user: "bob", password: `wrong ${i}` }));
    await guesser.receives("20 02 00 04");
  }
  const late = await door.dial();
  late.send(ann("late"));
  await late.receives("20 02 00 03");
  await late.isClosed();
  door.clock.advance(1_000);
  await door.connected("late", { user: "ann", password: PASSWORD });
});

test("a 5.0 client that is refused is not told whether the name or the password is wrong", async () => {
  await using door = await MqttDoor.open();
  const field = (value: string) => Buffer.concat([Buffer.of(0, value.length), Buffer.from(value)]);
  for (const user of ["bob", "ghost", "nobody"]) {
    const client = await door.dial();
    const body = Buffer.concat([Buffer.from("00044d51545405c2000000", "hex"), field("c"), field(user), field("wrong")]);
    client.send(Buffer.concat([Buffer.of(0x10, body.length), body]));
    await client.receives("20 03 00 86 00");
    await client.isClosed();
  }
});

test("an address has its connection back once that is closed, and not while it lasts", async () => {
  await using door = await MqttDoor.open();
  const visits: string[] = [];
  const visit: Visit = { admit: () => void visits.push("admit"), leave: () => void visits.push("leave") };
  const left = Promise.withResolvers<void>();
  const server = net.createServer((stream) => {
    door.ingress.onStream(stream, { ...PLAIN, visit });
    stream.once("close", () => visits.push("spent")); // its bytes go on over another socket
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await using device = await RawClient.dial((server.address() as net.AddressInfo).port);
  device.send(connect());
  await device.receives("20 02 00 00");
  await device.isIdle();
  assert.deepEqual(visits.toSorted(), ["admit", "spent"]);
  visit.leave = () => left.resolve();
  device.vanish();
  await left.promise;
  server.close();
});

test("what waits behind a CONNECT is not written over by what others send meanwhile", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using reader = await door.connected("reader");
  reader.send(subscribe(1, ["plant/#", 0]));
  await reader.receives(suback(1, 0));
  await using device = await door.dial();
  device.send(ann("device"), publish("plant/7", "seven"), publish("plant/8", "eight").subarray(0, 9)); // its password takes a while
  for (let i = 0; i < 20; i++) {
    reader.send(publish("other/topic/of/a/length", "x".repeat(200)));
    await reader.isIdle();
  }
  device.send(publish("plant/8", "eight").subarray(9));
  await reader.receives(publish("plant/7", "seven"));
  await reader.receives(publish("plant/8", "eight"));
});
