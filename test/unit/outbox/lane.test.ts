// One lane between a disk, a link and an interest that all change in the middle of something.

import assert from "node:assert/strict";
import { test } from "node:test";
import { INTERVAL_MS, OutboxHarness } from "./harness.ts";

test("interest that comes while the backlog is being read does not let newer messages pass the held ones", async () => {
  let looks = 0;
  for (let ticks = 0; ticks < 60; ticks++) {
    await using box = await OutboxHarness.open();
    box.listening.set("orders", "before");
    box.publish("orders", ["1"]);
    for (let i = 0; i < 5; i++) box.publish("other", [`${i}-${"x".repeat(5_000)}`]);
    box.publish("orders", ["2"]);
    await box.commit();
    box.link.window = 4_000;
    box.up();
    await box.commit();
    box.link.window = 100_000; // room again before the receipt: the drain reads on with a PING under way
    box.outbox.onRoom();
    for (let i = 0; i < ticks; i++) await undefined;
    box.listening.set("orders", "now");
    if (box.outbox.status().held === 1 && !box.link.payloads.includes("2")) looks += 1;
    box.outbox.onInterest("orders");
    for (let i = 0; i < 5; i++) {
      await box.commit();
      box.confirm();
    }
    await box.commit();
    const orders = box.link.payloads.filter((payload) => payload.length === 1);
    assert.deepEqual(orders, ["1", "2"], `interest ${ticks} ticks into the read`);
  }
  assert.ok(looks > 0, "none of the runs met the read");
});

test("a part of the card that cannot be read is passed over after a few tries, and what lies behind it is sent", async () => {
  await using box = await OutboxHarness.open({ max_bytes: "1MiB" });
  for (let i = 0; i < 8; i++) {
    box.publish("sensors.a", [`${i}-${"x".repeat(40_000)}`]);
    await box.commit();
  }
  const first = box.disk.files("/data/outbox/EDGE/state").find((path) => path.endsWith(".seg"))!;
  box.disk.faults.isUnreadable = (path, position) => path === first && position >= 4096 && position < 8192;
  box.up();
  await box.clock.pass(60_000);
  assert.equal(box.link.payloads.length, 0, "a card that is away for a minute costs nothing");
  assert.match(box.outbox.status().fault!, /refuses/);
  for (let i = 0; i < 10; i++) {
    await box.clock.pass(2_000);
    box.confirm();
  }
  const sent = box.link.payloads.map((payload) => Number(payload.split("-")[0]));
  assert.ok(sent.includes(7), `sent ${sent}`);
  assert.equal(box.outbox.status().fault, null);
  assert.equal(box.outbox.status().mode, "direct");
});

test("interest that comes in the same breath as the link is not lost", async () => {
  await using box = await OutboxHarness.open();
  box.disk.faults.isReadOnly = true; // what is held stays in memory
  box.up();
  box.listening.set("orders", "before");
  box.outbox.onInterest("orders");
  box.publish("orders", ["1"]);
  box.down();
  box.up();
  box.listening.set("orders", "now");
  box.outbox.onInterest("orders");
  for (let i = 0; i < 5; i++) {
    box.confirm();
    await box.commit();
  }
  assert.deepEqual(box.link.payloads, ["1"]);
  assert.equal(box.outbox.status().mode, "direct");
  box.disk.faults.isReadOnly = false;
});

test("a disk that is full for two lanes at once costs one segment, not one each", async () => {
  const rules = [
    { subjects: ["alarms.>"], class: "alarm", keep: "always" },
    { subjects: ["logs.>"], class: "bulk", keep: "always" },
    { subjects: [">"], keep: "always" },
  ];
  await using box = await OutboxHarness.open({ rules, max_bytes: "4MiB" });
  for (let i = 0; i < 20; i++) {
    box.publish("logs.a", [`${i}-${"x".repeat(30_000)}`]);
    await box.commit();
  }
  box.disk.totalBytes = box.disk.usedBytes;
  const ticket = box.publishAll([
    { subject: "alarms.a", payload: "a" },
    { subject: "state.a", payload: "s" },
  ]);
  box.clock.advance(INTERVAL_MS * 2); // both commits begin in the same moment
  await box.clock.pass(3_000);
  assert.equal(box.safe.at(-1), ticket);
  const [loss] = box.outbox.losses.list();
  assert.deepEqual(
    { reason: loss?.reason, lane: loss?.lane, messages: loss?.messages },
    { reason: "displaced", lane: "bulk", messages: 2 },
  );
});

test("closing twice is one closing, and the second caller waits for its end", async () => {
  const box = await OutboxHarness.open();
  box.publish("sensors.a", ["1"]);
  const ended: string[] = [];
  const first = box.outbox[Symbol.asyncDispose]().then(() => ended.push("first"));
  const second = box.outbox[Symbol.asyncDispose]().then(() => ended.push("second"));
  await second;
  assert.deepEqual(ended, ["first", "second"]);
  await first;
});

test("what a subject's backlog meets is worked out anew when its route is", async () => {
  await using box = await OutboxHarness.open();
  box.publish("jobs", ["1"]);
  await box.commit();
  box.servedHere.add("jobs"); // a local member joins the only group that wants it
  box.up();
  await box.commit();
  assert.deepEqual(box.losses(), { no_interest: 1 });
  box.servedHere.delete("jobs");
  box.link.window = 0;
  box.publish("jobs", ["2"]);
  box.link.window = 100_000;
  box.outbox.onRoom();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["2"]);
});

test("interest in inboxes, or in what nothing waits for, does not send a lane back through what it holds", async () => {
  await using box = await OutboxHarness.open();
  box.listening.set("orders", "before");
  box.up();
  box.publish("orders", ["1"]);
  box.confirm();
  for (const filter of ["_INBOX.abc.1", "_INBOX.abc.*", "$JS.API.>", "sensors.>", "orders.*", "order"]) {
    box.outbox.onInterest(filter);
    assert.equal(box.outbox.status().mode, "direct", filter);
  }
  box.outbox.onInterest("*");
  assert.equal(box.outbox.status().mode, "draining");
});

test("a PONG that comes while a commit is under way frees what was staged behind it, too", async () => {
  let met = 0;
  for (let ticks = 0; ticks < 12; ticks++) {
    await using box = await OutboxHarness.open();
    box.up();
    await box.commit();
    box.publish("sensors.a", ["1"]);
    box.clock.advance(INTERVAL_MS); // the commit begins
    for (let i = 0; i < ticks; i++) await undefined;
    if (box.outbox.status().commits === 0) met += 1;
    box.publish("sensors.a", ["2"]);
    box.confirm();
    box.confirm();
    await box.commit();
    await box.clock.pass(10_000);
    const { depth, stagedBytes } = box.outbox.status();
    assert.deepEqual([depth, stagedBytes], [0, 0], `PONG ${ticks} ticks into the commit`);
  }
  assert.ok(met > 0, "none of the runs met the commit");
});

test("small messages from flash grow on the link by their ids and times: the window holds nevertheless", async () => {
  await using box = await OutboxHarness.open({ rules: [{ subjects: [">"], keep: "always" }] });
  for (let i = 0; i < 4; i++) {
    box.publish(
      "a",
      Array.from({ length: 1000 }, () => "1"),
    );
    await box.commit();
  }
  box.link.window = 32 * 1024;
  box.up();
  await box.commit();
  for (let round = 0; round < 5; round++) {
    const before = box.link.text.length;
    box.confirm();
    box.outbox.onRoom();
    await box.commit();
    const written = box.link.text.length - before;
    assert.ok(written > 32 * 1024 && written < 33 * 1024, `${written} bytes under way in round ${round}`);
  }
});
