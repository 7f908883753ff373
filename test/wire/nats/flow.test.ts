// What happens when somebody is faster than somebody else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NatsDoor } from "./harness.ts";

/** The value once it has not changed for many turns: what comes through real sockets has come. */
async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let same = 0; same < 500; same++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (value() !== last) same = 0;
    last = value();
  }
  return last;
}

test("while an outbox is full its publishers are not read, and go on when there is room", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected();
  door.upstream.isFull = true;
  natsClient.send("PUB a 1\r\nx\r\n");
  await door.until(() => door.upstream.taken.length === 1);
  natsClient.send("PUB b 1\r\ny\r\nPING\r\n");
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(door.upstream.taken, ["a=x"]);
  door.upstream.isFull = false;
  door.slot.onRoom();
  await natsClient.receives("PONG\r\n");
  assert.deepEqual(door.upstream.taken, ["a=x", "b=y"]);
});

test("a client that never reads is cut off at max_pending, and nobody else notices", async () => {
  await using door = await NatsDoor.open({ limits: { maxPending: 1_048_576 } });
  await using stuck = await door.connected();
  await using fine = await door.connected();
  stuck.send("SUB big 1\r\n");
  await stuck.isIdle();
  fine.send("SUB small 1\r\n");
  await fine.isIdle();
  stuck.socket.pause();
  const payload = "x".repeat(65_536);
  for (let i = 0; i < 2000 && door.ingress.status().endings.slow === undefined; i++) {
    door.publish("big", payload);
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(door.ingress.status().endings.slow, 1);
  assert.ok(door.said("client cut off"));
  door.publish("small", "hi");
  await fine.receives("MSG small 1 2\r\nhi\r\n");
  stuck.socket.resume();
  assert.match(await stuck.isOver(), /-ERR 'Slow Consumer'\r\n$/);
  assert.equal(door.router.subscriptions, 1);
});

for (const [what, said] of [
  ["pings", "PING\r\n"],
  ["subscriptions that are refused", "SUB a..b 1\r\n"],
] as const) {
  test(`a client that sends ${what} and reads no answer is cut off at max_pending`, async () => {
    await using door = await NatsDoor.open({ limits: { maxPending: 262_144 } });
    await using stuck = await door.connected();
    stuck.socket.pause();
    const chunk = said.repeat(5_000);
    let pendingMax = 0;
    for (let i = 0; i < 2_000 && door.ingress.status().endings.slow === undefined; i++) {
      if (stuck.socket.writableLength < 1_048_576) stuck.send(chunk);
      await new Promise((resolve) => setImmediate(resolve));
      pendingMax = Math.max(pendingMax, door.ingress.clients()[0]?.pendingBytes ?? 0);
    }
    assert.equal(door.ingress.status().endings.slow, 1);
    assert.ok(pendingMax <= 262_144 + 65_536, `${pendingMax} bytes waited for it`);
    stuck.socket.resume();
    assert.match(await stuck.isOver(), /-ERR 'Slow Consumer'\r\n$/);
  });
}

test("a client that leaves while it is not read is found gone; one that stays is there when it is read again", async () => {
  await using door = await NatsDoor.open();
  const gone = await door.connected();
  await using patient = await door.connected();
  door.upstream.isFull = true;
  gone.send("PUB a 1\r\nx\r\n");
  patient.send("PUB b 1\r\ny\r\n");
  await door.until(() => door.upstream.taken.length === 2);
  await gone[Symbol.asyncDispose]();
  for (let minutes = 0; minutes < 20; minutes += 2) await door.clock.pass(120_000);
  await door.until(() => door.ingress.status().endings.gone === 1);
  assert.equal(door.ingress.status().clients, 1);
  door.upstream.isFull = false;
  door.slot.onRoom();
  await patient.receives("PING\r\n");
  patient.send("PONG\r\nPUB c 1\r\nz\r\n");
  await door.until(() => door.upstream.taken.includes("c=z"));
});

test("a client that takes nothing for write_deadline is cut off", async () => {
  await using door = await NatsDoor.open();
  await using stuck = await door.connected();
  stuck.send("SUB big 1\r\n");
  await stuck.isIdle();
  stuck.socket.pause();
  for (let i = 0; i < 120; i++) door.publish("big", "x".repeat(131_072));
  await new Promise((resolve) => setImmediate(resolve));
  await door.clock.pass(9_000);
  assert.equal(door.ingress.status().endings.slow, undefined);
  await door.clock.pass(2_000);
  assert.equal(door.ingress.status().endings.slow, 1);
  await door.clock.pass(3_000);
});

test("a publisher waits a moment for a reader that is half full, and not again for one that does not catch up", async () => {
  await using door = await NatsDoor.open({ limits: { maxPending: 8_388_608 } });
  await using stuck = await door.connected();
  await using writer = await door.connected();
  stuck.send("SUB big 1\r\n");
  await stuck.isIdle();
  stuck.socket.pause();
  const message = `PUB big 65536\r\n${"x".repeat(65_536)}\r\n`;
  for (let i = 0; i < 200; i++) writer.send(message);
  writer.send("PING\r\n");
  const held = await settled(() => door.ingress.status().messagesIn);
  assert.ok(held < 200, `${held} messages were taken`);
  assert.equal(door.ingress.status().endings.slow, undefined);
  await door.clock.pass(250);
  await writer.receives("PONG\r\n");
  assert.equal(door.ingress.status().messagesIn, 200);
  assert.equal(door.ingress.status().endings.slow, 1);
  await door.clock.pass(3_000);
});

test("a thousand messages in one chunk reach a reader in a few writes, and the upstream in a few batches", async () => {
  await using door = await NatsDoor.open({ stages: true });
  await using reader = await door.connected();
  await using writer = await door.connected();
  reader.send("SUB a 1\r\n");
  await reader.isIdle();
  let chunks = 0;
  reader.socket.on("data", () => {
    chunks += 1;
  });
  writer.send("PUB a 1\r\nx\r\n".repeat(1000));
  await reader.receives("MSG a 1 1\r\nx\r\n".repeat(1000));
  assert.ok(chunks <= 10, `${chunks} chunks`);
  const batches = new Set(door.upstream.tickets).size;
  assert.ok(batches <= 10, `${batches} batches: the kernel may cut the chunk, a busy machine makes them smaller`);
});

test("when much waits for all readers together, a publisher waits for them, though each alone is far from its limit", async () => {
  await using door = await NatsDoor.open({ limits: { maxPending: 1024 * 1024 * 1024 } });
  const readers = await Promise.all(Array.from({ length: 20 }, () => door.connected()));
  for (const reader of readers) {
    reader.send("SUB a 1\r\n");
    await reader.isIdle();
    reader.socket.pause();
  }
  await using publisher = await door.connected();
  const big = `PUB a 1000000\r\n${"x".repeat(1_000_000)}\r\n`;
  for (let i = 0; i < 60; i++) publisher.send(big);
  const seen = await settled(() => door.ingress.status().messagesIn);
  assert.ok(seen > 0 && seen < 60, `${seen} of 60`);
  assert.equal(door.ingress.status().endings.slow, undefined);
  for (const reader of readers) await reader[Symbol.asyncDispose]();
  await door.until(() => door.ingress.status().messagesIn === 60);
});

test("a batch that leaves much waiting is followed by smaller ones, and cheap ones grow again", async () => {
  await using door = await NatsDoor.open({ limits: { maxPending: 1024 * 1024 * 1024 } });
  const readers = await Promise.all(Array.from({ length: 5 }, () => door.connected()));
  for (const reader of readers) {
    reader.send(Array.from({ length: 100 }, (_, i) => `SUB a ${i}\r\n`).join(""));
    await reader.isIdle();
    reader.socket.pause();
  }
  await using publisher = await door.connected();
  const messages = `PUB a 1000\r\n${"x".repeat(1000)}\r\n`.repeat(60); // 500 deliveries of each: 30 MB, more than the network holds
  const publish = async () => {
    const wanted = door.upstream.taken.length + 60;
    publisher.send(messages);
    await settled(() => door.upstream.taken.length);
    await door.clock.pass(250); // it may have waited for its readers, in vain
    await door.until(() => door.upstream.taken.length === wanted);
  };
  await publish();
  const dear = door.upstream.flushes;
  await publish();
  assert.ok(door.upstream.flushes - dear >= 2, `${door.upstream.flushes - dear} batches`);
  for (let i = 0; i < 40; i++) publisher.send("PUB nobody 1\r\nx\r\n".repeat(200));
  await door.until(() => door.upstream.taken.length === 120 + 8_000);
  const cheap = door.upstream.flushes;
  publisher.send("PUB nobody 1\r\nx\r\n".repeat(200));
  await door.until(() => door.upstream.taken.length === 120 + 8_200);
  assert.ok(door.upstream.flushes - cheap <= 3, `${door.upstream.flushes - cheap} batches`);
  for (const reader of readers) await reader[Symbol.asyncDispose]();
});
