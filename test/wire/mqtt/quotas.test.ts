// What one user may have, and what happens to strangers that guess: over the wire.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { User } from "#access/authenticator.ts";
import { connect, MqttDoor, PASSWORD, publish, USERS } from "./harness.ts";

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
