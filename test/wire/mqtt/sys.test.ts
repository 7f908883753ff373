// $SYS/broker/… over the wire: told to MQTT clients that ask and may, and to nobody else.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { User } from "#access/authenticator.ts";
import { UNRESTRICTED } from "#access/permissions.ts";
import { connect, MqttDoor, type RawClient, subscribe, USERS } from "./harness.ts";

/** The topic and payload of the next PUBLISH of QoS 0, with RETAIN marked. */
async function next(client: RawClient): Promise<string> {
  const [header, length] = await client.take(2);
  assert.ok((header! & 0xf6) === 0x30 && length! < 128);
  const body = await client.take(length!);
  const end = 2 + body.readUInt16BE(0);
  return `${body.toString("utf8", 2, end)} = ${body.toString("utf8", end)}${(header! & 1) === 1 ? " (retained)" : ""}`;
}

test("who subscribes is told the figures of now as retained messages, and what changes every sys_interval", async () => {
  await using door = await MqttDoor.open();
  const reader = await door.connected("reader");
  reader.send(subscribe(1, ["$SYS/broker/clients/connected", 1]));
  await reader.receives("90 03 00 01 01");
  assert.equal(await next(reader), "$SYS/broker/clients/connected = 1 (retained)");
  door.clock.advance(10_000);
  await reader.isIdle(); // nothing changed
  await door.connected("another");
  door.clock.advance(10_000);
  assert.equal(await next(reader), "$SYS/broker/clients/connected = 2");
});

test("no other door and no hub hears of it, or that somebody wants it", async () => {
  await using door = await MqttDoor.open();
  const before = door.router.subscriptions;
  const reader = await door.connected("reader");
  reader.send(subscribe(1, ["$SYS/#", 0]));
  await reader.receives("90 03 00 01 00");
  assert.match(await next(reader), /^\$SYS\/broker\/version = petiole .* \(retained\)$/);
  assert.equal(door.router.subscriptions, before);
  door.clock.advance(60_000);
  assert.equal(door.upstream.taken.length, 0);
  door.publish("$SYS.broker.uptime", "forged");
  reader.send(Buffer.of(0xc0, 0));
  for (let said = ""; said !== "stop"; ) {
    const [header] = await reader.take(1);
    if (header === 0xd0) said = "stop";
    else {
      const [length] = await reader.take(1);
      assert.doesNotMatch((await reader.take(length!)).toString(), /forged/);
    }
  }
});

test("MQTT-4.7.2-1: who subscribes to # hears nothing of it", async () => {
  await using door = await MqttDoor.open();
  const reader = await door.connected("reader");
  reader.send(subscribe(1, ["#", 0], ["+/broker/uptime", 0]));
  await reader.receives("90 04 00 01 00 00");
  door.clock.advance(10_000);
  await reader.isIdle();
});

test("permissions are asked on the concrete subject", async () => {
  const some: User = {
    ...USERS[0]!,
    name: "some",
    permissions: { publish: UNRESTRICTED, subscribe: { allow: ["$SYS.broker.clients.>"], deny: ["$SYS.broker.clients.total"] } },
  };
  const none: User = { ...some, name: "none", permissions: { publish: UNRESTRICTED, subscribe: { allow: ["a.>"], deny: [] } } };
  await using door = await MqttDoor.open({ users: [some, none], noAuthUser: "some" });
  const reader = await door.connected("reader");
  reader.send(subscribe(1, ["$SYS/#", 0]));
  await reader.receives("90 03 00 01 00");
  for (const name of ["connected", "active", "disconnected", "inactive", "expired", "maximum"])
    assert.match(await next(reader), new RegExp(`^\\$SYS/broker/clients/${name} = `));
  await reader.isIdle();
  await using other = await MqttDoor.open({ users: [some, none], noAuthUser: "none" });
  const stranger = await other.dial();
  stranger.send(connect({ clientId: "stranger" }));
  await stranger.receives("20 02 00 00");
  stranger.send(subscribe(1, ["$SYS/#", 0]));
  await stranger.receives("90 03 00 01 80");
});

test("after UNSUBSCRIBE and after the end of the client nothing is told any more", async () => {
  await using door = await MqttDoor.open();
  const reader = await door.connected("reader");
  reader.send(subscribe(1, ["$SYS/broker/uptime", 0]));
  await reader.receives("90 03 00 01 00");
  await next(reader);
  door.clock.advance(10_000);
  assert.equal(await next(reader), "$SYS/broker/uptime = 10 seconds");
  reader.send(Buffer.from("a21600020012", "hex"), Buffer.from("$SYS/broker/uptime"));
  await reader.receives("b0 02 00 02");
  door.clock.advance(60_000);
  await reader.isIdle();
});
