// Messages with `Petiole-Ack: safe`: durable, and answered once they are safe.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FLAG_DURABLE } from "#core/batch.ts";
import { OWED_MAX } from "#ingress/nats/publisher.ts";
import { hpub, NatsDoor, PASSWORD } from "./harness.ts";

const SENSOR = { user: "sensor", pass: PASSWORD };

function ack(value = "safe"): string {
  return `NATS/1.0\r\nPetiole-Ack: ${value}\r\n\r\n`;
}

test("a message with Petiole-Ack: safe is durable, loses its reply on the way, and is answered when it is safe", async () => {
  await using door = await NatsDoor.open({ stages: true });
  await using natsClient = await door.connected();
  natsClient.send(`SUB _INBOX.> 1\r\n${hpub("a", "_INBOX.1", ack(), "x")}${hpub("b", "", ack(), "y")}PUB c 1\r\nz\r\n`);
  await natsClient.isIdle();
  assert.deepEqual(
    door.upstream.messages.map(({ subject, reply, flags }) => [subject, reply, flags & FLAG_DURABLE]),
    [
      ["a", "", FLAG_DURABLE],
      ["b", "", FLAG_DURABLE],
      ["c", "", 0],
    ],
  );
  assert.equal(door.upstream.messages[0]!.headers, ack());
  natsClient.send(hpub("d", "_INBOX.2", ack(), ""));
  await natsClient.isIdle();
  door.slot.onSafe(door.upstream.tickets[0]!);
  await natsClient.receives('MSG _INBOX.1 1 13\r\n{"safe":true}\r\n');
  await natsClient.isIdle();
  door.slot.onSafe(door.upstream.tickets[3]!);
  await natsClient.receives('MSG _INBOX.2 1 13\r\n{"safe":true}\r\n');
});

test("what nobody keeps is answered at once; what is forbidden is refused and never answered", async () => {
  await using door = await NatsDoor.open({ stages: false });
  await using natsClient = await door.connected(SENSOR);
  natsClient.send(`SUB _INBOX.> 1\r\n${hpub("plant.7.a", "_INBOX.1", ack(), "x")}${hpub("plant.8.a", "_INBOX.2", ack(), "x")}`);
  await natsClient.isIdle(`-ERR 'Permissions Violation for Publish to "plant.8.a"'\r\nMSG _INBOX.1 1 13\r\n{"safe":true}\r\n`);
});

for (const noRoom of ["dropped", "refused"] as const) {
  test(`a full outbox is told to those who asked, whether the message is ${noRoom} or not; the next one is safe again`, async () => {
    await using door = await NatsDoor.open({ stages: true });
    await using natsClient = await door.connected();
    natsClient.send(`SUB _INBOX.> 1\r\n${hpub("a", "_INBOX.1", ack(), "x")}`);
    await natsClient.isIdle();
    door.upstream.noRoom = noRoom;
    natsClient.send(`${hpub("a", "_INBOX.2", ack(), "x")}${hpub("a", "", ack(), "x")}PUB a 1\r\nx\r\n`);
    const no =
      '{"safe":false,"error":"outbox_full","description":"the outbox is full; keep the message and publish it again later"}';
    await natsClient.isIdle(`MSG _INBOX.2 1 ${no.length}\r\n${no}\r\n`);
    door.upstream.noRoom = null;
    natsClient.send(hpub("a", "_INBOX.3", ack(), "x"));
    await natsClient.isIdle();
    door.slot.onSafe(door.upstream.tickets.at(-1)!);
    await natsClient.receives('MSG _INBOX.1 1 13\r\n{"safe":true}\r\nMSG _INBOX.3 1 13\r\n{"safe":true}\r\n');
  });
}

test("a wildcard in a request's subject is a token like any other, and such a request is never kept", async () => {
  await using door = await NatsDoor.open({ stages: true });
  await using natsClient = await door.connected(SENSOR);
  await using other = await door.connected();
  other.send("SUB plant.> 1\r\nSUB plant.7.* 2\r\nSUB plant.7.b 3\r\n");
  await other.isIdle();
  natsClient.send(`${hpub("plant.7.>", "_INBOX.1", ack(), "x")}PUB plant.> _INBOX.1 1\r\ny\r\n`);
  await natsClient.isIdle(`-ERR 'Permissions Violation for Publish to "plant.>"'\r\n`);
  const block = `33 34\r\n${ack()}x\r\n`.replace("33 34", `${ack().length} ${ack().length + 1}`);
  await other.isIdle(`HMSG plant.7.> 1 _INBOX.1 ${block}HMSG plant.7.> 2 _INBOX.1 ${block}`);
  assert.deepEqual(
    door.upstream.messages.map(({ subject, reply, flags }) => [subject, reply, flags & FLAG_DURABLE]),
    [["plant.7.>", "_INBOX.1", 0]],
  );
});

for (const [header, isAck] of [
  ["Petiole-Ack: safe", true],
  ["petiole-ack:safe", true],
  ["PETIOLE-ACK:   SAFE  ", true],
  ["A: b\r\nPetiole-Ack: safe\r\nC: d", true],
  ["Petiole-Ack: no", false],
  ["Petiole-Ack: safer", false],
  ["Petiole-Ack:", false],
  ["X-Petiole-Ack: safe", false],
  ["A: Petiole-Ack: safe", false],
] as const) {
  test(`the header ${JSON.stringify(header)} ${isAck ? "asks" : "does not ask"} for an answer when safe`, async () => {
    await using door = await NatsDoor.open({ stages: true });
    await using natsClient = await door.connected();
    natsClient.send(hpub("a", "_INBOX.1", `NATS/1.0\r\n${header}\r\n\r\n`, "x"));
    await natsClient.isIdle();
    const [message] = door.upstream.messages;
    assert.deepEqual([message!.reply, (message!.flags & FLAG_DURABLE) !== 0], isAck ? ["", true] : ["_INBOX.1", false]);
  });
}

test("a client to which too many answers are owed is not read until they went out", async () => {
  await using door = await NatsDoor.open({ stages: true });
  await using natsClient = await door.connected();
  natsClient.send("SUB _INBOX.> 1\r\n", hpub("a", "_INBOX.1", ack(), "x").repeat(OWED_MAX + 100));
  await door.until(() => door.upstream.tickets.length >= OWED_MAX);
  natsClient.send("PUB after 0\r\n\r\n");
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(!door.upstream.taken.includes("after="));
  door.slot.onSafe(door.upstream.tickets.at(-1)!);
  await door.until(() => door.upstream.taken.includes("after="));
  door.slot.onSafe(door.upstream.tickets.at(-1)!);
  for (let i = 0; i < OWED_MAX + 100; i++) await natsClient.receives('MSG _INBOX.1 1 13\r\n{"safe":true}\r\n');
});
