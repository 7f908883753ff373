// `order: live_first`: fresh messages pass the backlog, which says of itself that it is history. And what streams are found to hold.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeqSet } from "#outbox/seq-set.ts";
import { OutboxHarness } from "./harness.ts";

const RULES = [{ subjects: [">"], keep: "always", order: "live_first" }];
const STATE = 1;
const lane = (box: OutboxHarness) => box.outbox.lanes.all[STATE]!;

/** A backlog of `count` messages of about 1 KiB, and a link that takes `window` bytes at a time. */
async function openBehind(count: number, window: number, rules: readonly object[] = RULES): Promise<OutboxHarness> {
  const box = await OutboxHarness.open({ rules: rules as never });
  for (let i = 0; i < count; i++) box.publish("sensors.a", [`old${i}-${"x".repeat(1000)}`]);
  await box.commit();
  box.link.window = window;
  box.up();
  await box.commit();
  assert.equal(box.outbox.status().mode, "draining");
  return box;
}

/** What was sent so far, in order: which message, and whether as history. */
function sent(box: OutboxHarness): string[] {
  return [...box.link.text.matchAll(/NATS\/1\.0\r\n([\s\S]*?)\r\n\r\n([^\r-]*)/g)].map(
    ([, headers, payload]) => `${payload}${headers!.includes("Petiole-Historical: 1") ? " history" : ""}`,
  );
}

async function drainAll(box: OutboxHarness): Promise<void> {
  for (let i = 0; i < 60 && box.outbox.status().depth > 0; i++) {
    box.confirm();
    await box.commit();
  }
  assert.equal(box.outbox.status().depth, 0);
}

test("a fresh message passes the backlog, though that fills the link; it is sent once, and only the backlog is history", async () => {
  await using box = await openBehind(20, 4_000);
  const before = sent(box).length;
  assert.ok(before < 10, `${before} under way`);
  box.publish("sensors.a", ["new"]);
  assert.equal(sent(box).at(-1), "new");
  await drainAll(box);
  const order = sent(box);
  assert.equal(order.length, 21, `${order}`);
  assert.deepEqual(
    order.filter((each) => each !== "new"),
    Array.from({ length: 20 }, (_, i) => `old${i} history`),
  );
  assert.equal(order.indexOf("new"), before);
});

test("with order strict nothing passes the backlog, and nothing is history", async () => {
  await using box = await openBehind(20, 4_000, [{ subjects: [">"], keep: "always" }]);
  box.publish("sensors.a", ["new"]);
  await drainAll(box);
  assert.equal(sent(box).at(-1), "new");
  assert.doesNotMatch(box.link.text, /Historical/);
});

test("fresh messages take no more than their share of a full link; the rest joins the backlog", async () => {
  await using box = await openBehind(20, 4_000);
  const before = sent(box).length;
  for (let i = 0; i < 50; i++) box.publish("sensors.a", [`new${i}`]);
  const ahead = sent(box).length - before;
  assert.ok(ahead >= 5 && ahead < 15, `${ahead} went ahead without a receipt`);
  await drainAll(box);
  assert.equal(new Set(sent(box).map((each) => each.replace(" history", ""))).size, 70);
  assert.equal(sent(box).length, 70, "each of them once");
});

test("what went ahead and was not confirmed when the link fell is sent again; what was confirmed is not", async () => {
  await using box = await openBehind(20, 4_000);
  box.publish("sensors.a", ["kept"]);
  box.confirm(); // two PINGs were under way before it
  box.confirm();
  await box.commit();
  box.publish("sensors.a", ["lost"]);
  box.down();
  box.link.window = 1_000_000;
  box.up();
  await drainAll(box);
  const order = sent(box);
  assert.deepEqual(
    order.filter((each) => /kept|lost/.test(each)),
    ["kept", "lost", "lost history"],
  );
});

test("a receipt is asked for what went ahead, even when the backlog does not move", async () => {
  await using box = await openBehind(5, 2_000);
  box.confirm();
  await box.commit();
  box.link.window = 0;
  box.confirm();
  await box.commit();
  const delivered = box.outbox.status().delivered;
  box.publish("sensors.a", ["new"]);
  assert.equal(sent(box).at(-1), "new");
  assert.equal(box.link.takePings(), 1);
  box.outbox.onReceipt();
  assert.equal(box.outbox.status().delivered, delivered + 1);
});

test("live_first and stored: it goes ahead, its answer comes, and the drain passes it by", async () => {
  await using box = await openBehind(10, 4_000, [
    { subjects: ["orders.>"], keep: "always", order: "live_first", confirm: "stored" },
    { subjects: [">"], keep: "always" },
  ]);
  const ticket = box.publish("orders.a", ["new"]);
  assert.equal(sent(box).at(-1), "new");
  assert.equal(box.outbox.status().lanes[STATE]!.awaiting, 1);
  box.outbox.onAnswer(STATE, 11, { is: "stored", stream: "S", seq: 1, isDuplicate: false });
  await drainAll(box);
  assert.equal(sent(box).filter((each) => each.startsWith("new")).length, 1);
  assert.equal(box.safe.at(-1), ticket);
});

test("what a stream was found to hold is not sent, counts as delivered, and is let go", async () => {
  await using box = await OutboxHarness.open({ rules: [{ subjects: [">"], keep: "always", confirm: "stored" }] });
  box.publish("orders.a", ["1", "2", "3", "4"]);
  await box.commit();
  const found = new SeqSet();
  for (const seq of [1, 2, 4]) found.add(seq);
  const older = new SeqSet();
  older.add(3);
  lane(box).onFoundInStream(lane(box).journal.epoch, found);
  lane(box).onFoundInStream(lane(box).journal.epoch - 1, older); // another start's third message
  box.up();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["3"]);
  box.confirm();
  box.outbox.onAnswer(STATE, 3, { is: "stored", stream: "S", seq: 9, isDuplicate: false });
  await box.commit();
  const { depth, delivered } = box.outbox.status();
  assert.deepEqual({ depth, delivered }, { depth: 0, delivered: 4 });
});

test("what was under way when the link fell and is found in a stream is not sent again", async () => {
  await using box = await OutboxHarness.open({ rules: [{ subjects: [">"], keep: "always", confirm: "stored" }] });
  box.up();
  await box.commit();
  box.publish("orders.a", ["1", "2"]);
  box.confirm();
  box.down();
  const found = new SeqSet();
  found.add(1);
  lane(box).onFoundInStream(lane(box).journal.epoch, found);
  box.up();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["1", "2", "2"]);
  assert.equal(box.outbox.status().lanes[STATE]!.held, 1);
});

test("doubt of what a PONG confirms: since it was sent, until it is confirmed over whatever link", async () => {
  await using box = await OutboxHarness.open({ rules: RULES });
  box.up();
  await box.commit();
  box.publish("sensors.a", ["1"]);
  box.confirm();
  await box.clock.pass(3_600_000);
  assert.equal(box.outbox.lanes.doubt(), null, "an idle link leaves no doubt");
  const at = box.clock.now();
  box.publish("sensors.a", ["2"]);
  assert.deepEqual(box.outbox.lanes.doubt(), { sinceMs: at });
  box.down();
  await box.clock.pass(1_000);
  assert.deepEqual(box.outbox.lanes.doubt(), { sinceMs: at });
  box.up();
  await box.commit();
  assert.deepEqual(box.outbox.lanes.doubt(), { sinceMs: at });
  box.confirm();
  assert.equal(box.outbox.lanes.doubt(), null);
});
