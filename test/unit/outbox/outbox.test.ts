import assert from "node:assert/strict";
import { test } from "node:test";
import { STAGE_BYTES_MAX } from "#outbox/safety.ts";
import { INTERVAL_MS, OutboxHarness } from "./harness.ts";

test("a healthy link writes nothing to flash, and a PONG makes messages safe", async () => {
  await using box = await OutboxHarness.open();
  box.up();
  const { writtenBytes, datasyncs } = box.disk.counters;
  for (let i = 0; i < 50; i++) {
    const ticket = box.publish("sensors.a", [`m${i}`]);
    box.clock.advance(INTERVAL_MS - 1);
    assert.notEqual(box.safe.at(-1), ticket, "not before the PONG");
    box.confirm();
    assert.equal(box.safe.at(-1), ticket);
  }
  await box.commit();
  assert.deepEqual([box.disk.counters.writtenBytes - writtenBytes, box.disk.counters.datasyncs - datasyncs], [0, 0]);
  assert.deepEqual(
    box.link.payloads,
    Array.from({ length: 50 }, (_, i) => `m${i}`),
  );
});

test("without a link everything of one interval is made safe by one write and one fdatasync", async () => {
  await using box = await OutboxHarness.open();
  box.publish("sensors.a", ["first"]); // the first commit also makes the segment
  await box.commit();
  const { writes, datasyncs } = box.disk.counters;
  for (let i = 0; i < 20; i++) box.publish("sensors.a", [`a${i}`, `b${i}`]);
  assert.equal(box.safe.length, 1);
  await box.commit();
  assert.equal(box.safe.at(-1), 21);
  assert.deepEqual([box.disk.counters.writes - writes, box.disk.counters.datasyncs - datasyncs], [1, 1]);
});

test("a link that does not answer in time costs one commit, and its late PONG frees what was written", async () => {
  await using box = await OutboxHarness.open();
  box.up();
  const ticket = box.publish("sensors.a", ["slow"]);
  await box.commit();
  assert.equal(box.safe.at(-1), ticket, "safe on flash");
  assert.equal(box.outbox.status().depth, 1);
  box.confirm();
  assert.equal(box.outbox.status().depth, 0);
  assert.deepEqual(box.link.payloads, ["slow"], "sent once");
});

test("after a lost link what was not confirmed is sent again, in order, before anything new", async () => {
  await using box = await OutboxHarness.open();
  box.up();
  box.publish("sensors.a", ["1", "2"]);
  box.confirm();
  box.publish("sensors.a", ["3", "4"]);
  box.down();
  box.publish("sensors.a", ["5"]);
  await box.commit();
  box.up();
  box.publish("sensors.a", ["6"]);
  await box.commit();
  box.confirm();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["1", "2", "3", "4", "3", "4", "5", "6"]);
  assert.equal(box.outbox.status().mode, "direct");
  const ids = [...box.link.text.matchAll(/Nats-Msg-Id: (\S+)/g)].map((match) => match[1]);
  assert.deepEqual(ids, [
    "dev-1-state-1",
    "dev-1-state-2",
    "dev-1-state-3",
    "dev-1-state-4",
    "dev-1-state-3",
    "dev-1-state-4",
    "dev-1-state-5",
    "dev-1-state-6",
  ]);
});

test("a new life sends the backlog of the last one under its old ids, and numbers its own differently", async () => {
  const box = await OutboxHarness.open();
  box.publish("sensors.a", ["old"]);
  await box[Symbol.asyncDispose]();
  await box.start({});
  box.up();
  await box.commit();
  box.publish("sensors.a", ["new"]);
  await box.commit();
  assert.deepEqual(
    [...box.link.text.matchAll(/Nats-Msg-Id: (\S+)/g)].map((match) => match[1]),
    ["dev-1-state-1", "dev-2-state-2"],
  );
  await box[Symbol.asyncDispose]();
});

test("a publisher's own headers travel with ours behind them", async () => {
  await using box = await OutboxHarness.open();
  box.up();
  box.publish("sensors.a", ["x"]);
  assert.match(
    box.link.text,
    /^HMSG sensors\.a (\d+) (\d+)\r\nNATS\/1\.0\r\nNats-Msg-Id: dev-1-state-1\r\nPetiole-Time: [^\r]+Z\r\n\r\nx\r\n$/,
  );
  const [, headers, total] = /HMSG \S+ (\d+) (\d+)/.exec(box.link.text)!;
  assert.equal(Number(total), Number(headers) + 1);
  assert.equal(box.link.text.indexOf("\r\n\r\n") + 4 - box.link.text.indexOf("NATS/1.0"), Number(headers));
});

test("QoS 0 goes straight to a link that is ready, and is counted when there is none", async () => {
  await using box = await OutboxHarness.open();
  assert.equal(box.publish("sensors.a", ["gone"], { qos: 0 }), 0);
  box.up();
  assert.equal(box.publish("sensors.a", ["live"], { qos: 0 }), 0);
  assert.equal(box.link.text, "LMSG sensors.a 4\r\nlive\r\n");
  assert.deepEqual(box.losses(), { link_down: 1 });
});

test("a request is never kept, whatever its rule says", async () => {
  await using box = await OutboxHarness.open({ rules: [{ subjects: [">"], keep: "always" }] });
  assert.equal(box.publish("svc.a", ["ask"], { reply: "_INBOX.1" }), 0);
  box.up();
  assert.equal(box.publish("svc.a", ["ask"], { reply: "_INBOX.1" }), 0);
  assert.equal(box.link.text, "LMSG svc.a _INBOX.1 3\r\nask\r\n");
});

test("system subjects and inboxes are never kept", async () => {
  await using box = await OutboxHarness.open({ rules: [{ subjects: [">"], keep: "always" }] });
  for (const subject of ["$SYS.x", "_INBOX.a", "$JS.API.x"]) assert.equal(box.publish(subject, ["x"]), 0, subject);
});

test("the first rule that matches decides; keep always keeps QoS 0, keep never drops QoS 1", async () => {
  const rules = [
    { subjects: ["alarms.>"], keep: "always" },
    { subjects: ["noise.>"], keep: "never" },
    { subjects: [">"], keep: "durable" },
  ];
  await using box = await OutboxHarness.open({ rules });
  assert.notEqual(box.publish("alarms.fire", ["!"], { qos: 0 }), 0);
  assert.equal(box.publish("noise.a", ["-"]), 0);
  assert.equal(box.publish("sensors.a", ["0"], { qos: 0 }), 0);
  assert.notEqual(box.publish("sensors.a", ["1"]), 0);
});

test("what the hub or deny_exports forbids is acknowledged, not sent, and counted", async () => {
  await using box = await OutboxHarness.open();
  box.forbidden.add("secret");
  box.up();
  assert.equal(box.publish("secret", ["x"]), 0);
  assert.equal(box.publish("secret", ["x"], { qos: 0 }), 0);
  assert.deepEqual([box.link.text, box.losses()], ["", { not_permitted: 2 }]);
});

test("a message above the hub's limit never reaches the link it would end", async () => {
  await using box = await OutboxHarness.open();
  box.payloadBytesMax = 300;
  box.up();
  box.publish("big", ["x".repeat(301)], { qos: 0 });
  box.publish("big", ["x".repeat(250)]); // our own headers would carry it over
  assert.deepEqual([box.link.text, box.losses()], ["", { too_large: 2 }]);
});

// ── interest ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test("no_interest drop: what nobody at the hub wants is acknowledged at once and never fills the card", async () => {
  await using box = await OutboxHarness.open();
  box.listening.set("local", "never");
  for (let i = 0; i < 10; i++) assert.equal(box.publish("local", ["x"]), 0, "with the link down, by what is remembered");
  box.up();
  assert.equal(box.publish("local", ["x"]), 0);
  assert.deepEqual([box.outbox.status().depth, box.losses()], [0, { no_interest: 11 }]);
});

test("before the first link ever, everything is kept", async () => {
  await using box = await OutboxHarness.open();
  box.listening.set("local", "unknown");
  assert.notEqual(box.publish("local", ["x"]), 0);
});

test("interest that vanished a moment ago holds messages; when it returns they go out in order, before newer ones", async () => {
  await using box = await OutboxHarness.open();
  box.up();
  box.publish("orders", ["1"]);
  box.confirm();
  box.listening.set("orders", "before");
  box.outbox.onInterest("orders");
  const held = box.publish("orders", ["2", "3"]);
  box.publish("other", ["between"]);
  box.confirm();
  assert.ok((box.safe.at(-1) ?? 0) < held, "a held message is not confirmed by the PONGs around it");
  await box.commit();
  assert.ok(box.safe.at(-1)! >= held, "it is safe on flash");
  assert.equal(box.outbox.status().held, 2);
  box.listening.set("orders", "now");
  box.outbox.onInterest("orders");
  box.publish("orders", ["4"]);
  await box.commit();
  box.confirm();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["1", "between", "2", "3", "4"]);
  assert.deepEqual([box.outbox.status().held, box.outbox.status().depth], [0, 0]);
});

test("held messages of a rule that drops are dropped, and counted, once nobody will listen any more", async () => {
  await using box = await OutboxHarness.open();
  box.up();
  box.listening.set("orders", "before");
  box.outbox.onInterest("orders");
  box.publish("orders", ["1", "2"]);
  await box.commit();
  box.confirm();
  box.listening.set("orders", "never");
  box.outbox.onInterest();
  await box.commit();
  box.confirm();
  assert.deepEqual([box.link.payloads, box.losses(), box.outbox.status().held], [[], { no_interest: 2 }, 0]);
});

// ── limits and faults ─────────────────────────────────────────────────────────────────────────────────────────────────

test("max_bytes: the oldest go first, counted with their range, and what is left is whole and in order", async () => {
  await using box = await OutboxHarness.open({ max_bytes: "1MiB" });
  const payload = (i: number) => `${i}-${"x".repeat(1000)}`;
  for (let i = 0; i < 1500; i++) {
    box.publish("sensors.a", [payload(i)]);
    if (i % 20 === 19) await box.commit();
  }
  const { flashBytes, losses, depth } = box.outbox.status();
  assert.ok(flashBytes <= 1024 * 1024, `${flashBytes} bytes on flash`);
  const [loss] = losses;
  assert.equal(loss!.reason, "displaced");
  assert.equal(loss!.fromSeq, 1);
  assert.equal(loss!.messages, loss!.throughSeq, "all from the first to the last of them");
  assert.equal(depth + loss!.messages, 1500);
  box.up();
  for (let i = 0; i < 40; i++) {
    await box.commit();
    box.confirm();
  }
  assert.deepEqual(
    box.link.payloads,
    Array.from({ length: 1500 - loss!.messages }, (_, i) => payload(loss!.messages + i)),
  );
});

test("a disk that others have filled: the oldest make room, new messages are made safe, and it is counted", async () => {
  await using box = await OutboxHarness.open();
  box.disk.totalBytes = box.disk.usedBytes + 300_000;
  let ticket = 0;
  for (let i = 0; i < 60; i++) {
    ticket = box.publish("sensors.a", [`${i}-${"x".repeat(10_000)}`]);
    await box.commit();
    await box.clock.pass(2_000);
  }
  assert.equal(box.safe.at(-1), ticket);
  const { losses, depth, fault } = box.outbox.status();
  assert.equal(fault, null);
  assert.deepEqual(
    losses.map(({ reason }) => reason),
    ["displaced"],
  );
  assert.equal(losses[0]!.messages + depth, 60);
});

test("messages older than max_age are not sent any more, unless the clock was not set when they were captured", async () => {
  await using box = await OutboxHarness.open({ max_age: "1h" });
  const at = async (wall: number, payload: string) => {
    box.clock.setWall(wall);
    box.publish("sensors.a", [payload]);
    await box.commit();
  };
  const now = box.clock.wall() + 10 * 3_600_000;
  await at(5_000, "1970");
  await at(now - 2 * 3_600_000, "old");
  await at(now - 1_800_000, "fresh");
  box.clock.setWall(now);
  box.up();
  await box.commit();
  assert.deepEqual([box.link.payloads, box.losses()], [["1970", "fresh"], { expired: 1 }]);
});

test("a segment in which everything is too old gives its room back without waiting for a link", async () => {
  await using box = await OutboxHarness.open({ max_age: "1h", max_bytes: "1MiB" });
  box.clock.setWall(box.clock.wall() + 3_600_000);
  for (let i = 0; i < 3; i++) box.publish("sensors.a", ["x".repeat(40_000)]);
  await box.commit();
  box.clock.setWall(box.clock.wall() + 2 * 3_600_000);
  box.publish("sensors.a", ["new"]);
  await box.commit();
  // Two segments were all old; the third old message shares its segment with the new one and waits for the drain.
  assert.deepEqual([box.losses(), box.outbox.status().depth], [{ expired: 2 }, 2]);
});

test("a disk that refuses: nothing is acknowledged until it works again or the hub confirms", async () => {
  await using box = await OutboxHarness.open();
  box.disk.faults.isReadOnly = true;
  const first = box.publish("sensors.a", ["1"]);
  await box.commit();
  assert.deepEqual(box.safe, []);
  assert.match(box.outbox.status().fault!, /EROFS/);
  box.up();
  await box.commit();
  box.confirm();
  assert.equal(box.safe.at(-1), first, "confirmed by the hub");
  box.down();
  const second = box.publish("sensors.a", ["2"]);
  await box.commit();
  box.disk.faults.isReadOnly = false;
  await box.clock.pass(2_000);
  assert.equal(box.safe.at(-1), second, "tried again and written");
  assert.equal(box.outbox.status().fault, null);
});

test("publishers are paused while the disk is behind, and heard again after", async () => {
  await using box = await OutboxHarness.open();
  box.disk.faults.isReadOnly = true;
  const payload = "x".repeat(100_000);
  for (let bytes = 0; bytes <= STAGE_BYTES_MAX; bytes += payload.length) box.publish("sensors.a", [payload]);
  assert.ok(box.outbox.isFull);
  box.disk.faults.isReadOnly = false;
  await box.clock.pass(3_000);
  assert.ok(!box.outbox.isFull);
  assert.ok(box.rooms > 0);
});

test("a stage that fills while a commit is under way is heard of again when it has room", async () => {
  await using box = await OutboxHarness.open();
  box.publish("sensors.a", ["first"]);
  box.clock.advance(INTERVAL_MS * 2); // the commit has begun and hangs in the disk
  const payload = "x".repeat(100_000);
  for (let bytes = 0; bytes <= STAGE_BYTES_MAX; bytes += payload.length) box.publish("sensors.a", [payload]);
  assert.ok(box.outbox.isFull);
  for (let i = 0; i < 10; i++) await box.commit();
  assert.ok(!box.outbox.isFull);
  assert.equal(box.rooms, 1);
});

test("a link that takes no more pauses publishers for a second, then live messages are dropped and counted", async () => {
  await using box = await OutboxHarness.open();
  box.up();
  box.link.window = 0;
  box.publish("sensors.a", ["x"], { qos: 0 });
  assert.ok(box.outbox.isFull);
  box.clock.advance(1_001);
  assert.ok(!box.outbox.isFull, "local acknowledgement never waits for the uplink");
  box.publish("sensors.a", ["y"], { qos: 0 });
  assert.deepEqual(box.losses(), { link_slow: 1 });
  const kept = box.publish("sensors.a", ["z"]);
  await box.commit();
  assert.equal(box.safe.at(-1), kept);
  box.link.window = Number.POSITIVE_INFINITY;
  box.outbox.onRoom();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["x", "z"]);
});

test("the backlog keeps within its window: the next part leaves when the PONG of the last has come", async () => {
  await using box = await OutboxHarness.open();
  for (let i = 0; i < 50; i++) {
    box.publish("sensors.a", [`${i}-${"x".repeat(100_000)}`]);
    await box.commit();
  }
  box.link.window = 1_000_000;
  box.up();
  await box.commit();
  const sent = box.link.payloads.length;
  assert.ok(sent > 0 && sent < 14, `${sent} of 50 without any PONG`);
  for (let i = 0; i < 20; i++) {
    box.confirm();
    await box.commit();
  }
  assert.equal(box.link.payloads.length, 50);
  assert.equal(box.outbox.status().depth, 0);
});
