import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { readLedger } from "#outbox/ledger/ledger-file.ts";
import { OutboxHarness } from "./harness.ts";

const MIB = 1024 * 1024;
const RULES = [
  { subjects: ["alarms.>"], class: "alarm" },
  { subjects: ["bulk.>"], class: "bulk" },
  { subjects: [">"], class: "state" },
];

/** Messages lost, by reason, of all rules together. */
function lossesOf(box: OutboxHarness): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { reason, messages } of box.outbox.losses.list()) sums[reason] = (sums[reason] ?? 0) + messages;
  return sums;
}

/** Publishes until `count` are kept, a commit after each. */
async function fill(box: OutboxHarness, subject: string, count: number, payload = "x"): Promise<void> {
  for (let i = 0; i < count; i++) {
    box.publish(subject, [payload]);
    await box.commit();
  }
}

for (const [policy, reason] of [
  ["drop_new", "displaced"],
  ["refuse", "refused"],
] as const) {
  test(`${policy}: at max_messages nothing new is kept and nothing old is lost, until the hub has taken some`, async () => {
    await using box = await OutboxHarness.open({ max_messages: 3, when_full: policy, rules: RULES });
    await fill(box, "a", 3);
    assert.match(box.outbox.status().full ?? "", /outbox\.max_messages \(3\) is reached/);
    assert.equal(box.publish("a", ["4"]), 0);
    assert.equal(box.publish("alarms.x", ["5"]), 0, "an alarm does not push out what was acknowledged before");
    assert.equal(box.publish("a", ["live"], { qos: 0 }), 0);
    assert.deepEqual([box.outbox.status().depth, lossesOf(box)], [3, { [reason]: 2, link_down: 1 }]);
    box.up();
    await box.commit();
    box.confirm();
    await box.commit();
    await box.clock.pass(1000);
    assert.equal(box.outbox.status().full, null, "there is room again");
    assert.notEqual(box.publish("a", ["6"]), 0);
    assert.deepEqual(box.link.payloads, ["x", "x", "x", "6"]);
  });
}

test("drop_oldest: the least urgent class gives way, and new messages are always kept", async () => {
  await using box = await OutboxHarness.open({ max_messages: 4, rules: RULES });
  await fill(box, "alarms.a", 2);
  await fill(box, "bulk.a", 2);
  await fill(box, "alarms.a", 2);
  const { lanes, full } = box.outbox.status();
  assert.deepEqual(
    lanes.map(({ depth }) => depth),
    [4, 0, 0, 0],
  );
  assert.deepEqual([lossesOf(box), full], [{ displaced: 2 }, null]);
});

test("what was turned away is counted under its rule", async () => {
  await using box = await OutboxHarness.open({ max_messages: 1, when_full: "refuse", rules: RULES });
  await fill(box, "a", 1);
  box.publish("bulk.a", ["x"]);
  box.publish("alarms.a", ["x"]);
  const rules = box.outbox.losses.list().map(({ reason, rule, lane, messages }) => [reason, rule, lane, messages]);
  assert.deepEqual(rules, [
    ["refused", 1, null, 1],
    ["refused", 0, null, 1],
  ]);
});

test("a full disk shuts the door under refuse, and opens it when others have made room", async () => {
  await using box = await OutboxHarness.open({ when_full: "refuse", rules: RULES });
  await fill(box, "a", 2);
  box.disk.totalBytes = box.disk.usedBytes;
  const stuck = box.publish("a", ["x".repeat(100_000)]);
  await box.commit();
  assert.equal(box.outbox.status().full, "the disk is full");
  assert.ok((box.safe.at(-1) ?? 0) < stuck, "what was staged before is not lost, and not acknowledged");
  assert.equal(box.publish("a", ["no"]), 0);
  await box.clock.pass(3000);
  assert.equal(box.outbox.status().full, "the disk is full", "it stays shut for as long as the disk is");
  box.disk.totalBytes += 100 * MIB;
  await box.clock.pass(3000);
  assert.deepEqual([box.outbox.status().full, box.safe.at(-1)], [null, stuck]);
  assert.deepEqual(lossesOf(box), { refused: 1 });
});

test("a full disk displaces the oldest under drop_oldest, so that new messages become safe", async () => {
  await using box = await OutboxHarness.open({ max_bytes: "1MiB", rules: RULES });
  await fill(box, "a", 20, "x".repeat(10_000));
  box.disk.totalBytes = box.disk.usedBytes;
  const last = box.publish("a", ["y".repeat(60_000)]);
  await box.clock.pass(5000);
  assert.equal(box.safe.at(-1), last);
  assert.ok((lossesOf(box)["displaced"] ?? 0) > 0);
});

test("the free reserve is looked after without asking the disk at every commit", async () => {
  await using box = await OutboxHarness.open({ free_reserve: null, rules: RULES });
  let asked = 0;
  const space = box.disk.space.bind(box.disk);
  box.disk.space = (path) => {
    asked += 1;
    return space(path);
  };
  for (let i = 0; i < 40; i++) {
    box.publish("a", ["x"]);
    await box.clock.pass(50);
  }
  assert.ok(asked > 0 && asked <= 3, `asked ${asked} times in two seconds of 40 commits`);
  assert.equal(box.outbox.status().freeReserve, Math.floor(box.disk.totalBytes / 10));
});

test("what others write is noticed without a commit, and they get no more than their reserve", async () => {
  await using box = await OutboxHarness.open({ free_reserve: "200MiB", rules: RULES });
  await fill(box, "a", 4);
  box.disk.totalBytes = box.disk.usedBytes + 100 * MIB;
  await box.clock.pass(61_000);
  assert.deepEqual([box.outbox.status().depth, lossesOf(box)], [0, { displaced: 4 }]);
});

test("on a volume smaller than its reserve the outbox keeps half of what is free", async () => {
  await using box = await OutboxHarness.open({ free_reserve: null, max_bytes: "1MiB", rules: RULES });
  box.disk.totalBytes = box.disk.usedBytes + 400_000;
  await fill(box, "a", 30, "x".repeat(10_000));
  const { depth, flashBytes, freeReserve } = box.outbox.status();
  assert.ok(flashBytes > 100_000 && flashBytes <= 200_000, `${flashBytes} bytes are kept`);
  assert.ok(freeReserve !== null && freeReserve >= 199_000 && freeReserve <= 201_000, `${freeReserve} are left to others`);
  assert.equal(depth + (lossesOf(box)["displaced"] ?? 0), 30);
});

test("messages expire with nobody publishing and no link", async () => {
  await using box = await OutboxHarness.open({ max_age: "1h", rules: RULES });
  await fill(box, "a", 3);
  await box.clock.pass(3_700_000);
  assert.deepEqual([box.outbox.status().depth, lossesOf(box)], [0, { expired: 3 }]);
});

test("what the hub has is not lost with the segment it lies in behind a held message", async () => {
  await using box = await OutboxHarness.open({ max_messages: 4, rules: [{ subjects: [">"], no_interest: "hold" }] });
  box.listening.set("nobody", "never");
  box.publish("nobody", ["held"]);
  for (const payload of ["a", "b", "c"]) box.publish("a", [payload]);
  await box.commit();
  box.up();
  await box.commit();
  box.confirm();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["a", "b", "c"]);
  assert.equal(box.outbox.status().delivered, 3);
  box.down();
  await fill(box, "a", 1, "d");
  assert.deepEqual(lossesOf(box), { displaced: 2 }, "the held one, and the one that nobody has had; not the three between");
});

test("a segment waits for what is under way of it before it goes, so that nothing is both delivered and lost", async () => {
  await using box = await OutboxHarness.open({ max_messages: 4, rules: RULES });
  await fill(box, "a", 4);
  box.up();
  await box.commit();
  assert.equal(box.link.payloads.length, 4, "they are under way");
  box.publish("a", ["5"]);
  await box.clock.pass(100);
  assert.deepEqual(lossesOf(box), {}, "the fifth is one too many, but the answer may come any moment");
  box.confirm();
  await box.commit();
  box.confirm();
  await box.commit();
  assert.deepEqual([lossesOf(box), box.outbox.status().depth], [{}, 0]);
});

test("a link that says nothing is not waited for again and again", async () => {
  await using box = await OutboxHarness.open({ max_messages: 4, rules: RULES });
  await fill(box, "a", 4);
  box.up();
  await box.commit();
  box.publish("a", ["5"]);
  await box.clock.pass(3000);
  assert.deepEqual(lossesOf(box), { displaced: 5 });
  for (let i = 0; i < 4; i++) box.publish("a", ["x"]);
  const ticket = box.publish("a", ["y"]);
  await box.clock.pass(200);
  assert.equal(box.safe.at(-1), ticket, "publishers wait no longer than for the disk");
});

test("what was never kept is counted under its rule, too", async () => {
  await using box = await OutboxHarness.open({ rules: [{ subjects: ["a.>"], keep: "never" }, { subjects: [">"] }] });
  box.publish("a.b", ["x"]);
  box.publish("b", ["y"], { qos: 0 });
  assert.deepEqual(
    box.outbox.losses.list().map(({ reason, rule, lane }) => [reason, rule, lane]),
    [
      ["link_down", 0, null],
      ["link_down", 1, null],
    ],
  );
});

test("one asked for its age drops what its rule does not keep so long, and counts it once", async () => {
  const rules = [{ subjects: ["short.>"], max_age: "1h" }, { subjects: ["long.>"], max_age: "30d" }, { subjects: [">"] }];
  await using box = await OutboxHarness.open({ rules, max_age: "1d" });
  box.clock.advance(1); // a time at the very beginning of time is not believed
  for (const subject of ["short.a", "long.a", "other"]) box.publish(subject, [subject]);
  await box.commit();
  box.clock.advance(2 * 3_600_000);
  box.up();
  await box.commit();
  box.confirm();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["long.a", "other"]);
  assert.deepEqual(
    box.outbox.losses.list().map(({ reason, lane, rule, messages }) => [reason, lane, rule, messages]),
    [["expired", "state", 0, 1]],
  );
});

test("old messages of a rule are taken out of the flash though their neighbours stay", async () => {
  const rules = [
    { subjects: ["short.>"], max_age: "1h" },
    { subjects: [">"], max_age: "3h" },
  ];
  await using box = await OutboxHarness.open({ rules, max_bytes: "1MiB" });
  box.clock.advance(1);
  for (let i = 0; i < 3; i++) {
    await fill(box, "short.a", 1, "x".repeat(25_000));
    await fill(box, "a", 1, "x".repeat(25_000)); // a segment for each pair
  }
  box.clock.advance(2 * 3_600_000);
  await fill(box, "a", 1, "x".repeat(60_000));
  await box.clock.pass(60_000);
  assert.deepEqual([lossesOf(box), box.outbox.status().depth], [{ expired: 3 }, 4], "one segment a second");
  box.clock.advance(2 * 3_600_000);
  await fill(box, "a", 1);
  assert.deepEqual([lossesOf(box), box.outbox.status().depth], [{ expired: 6 }, 2], "then the rest of them, as a whole");
});

test("before anything is displaced for room, old messages are thinned", async () => {
  const rules = [{ subjects: [">"], class: "telemetry", thin_after: { age: "1m", interval: "1h" } }];
  await using box = await OutboxHarness.open({ rules, max_bytes: "1MiB" });
  for (let i = 0; i < 150; i++) {
    box.publish(`s.${i % 3}`, ["x".repeat(10_000)]);
    await box.clock.pass(2000);
  }
  const { depth } = box.outbox.status();
  const { thinned = 0, displaced = 0 } = lossesOf(box);
  assert.equal(displaced, 0, "thinning was enough");
  assert.ok(thinned > 60, `${thinned} were thinned`);
  assert.equal(depth + thinned, 150, "every message has one fate");
  box.up();
  await box.commit();
  for (let i = 0; i < 10; i++) {
    box.confirm();
    await box.commit();
  }
  assert.equal(box.link.payloads.length, depth, "what was thinned is not sent, what was not is");
  assert.equal(box.outbox.status().depth, 0);
});

test("nothing is thinned that is on its way to the hub", async () => {
  const rules = [{ subjects: [">"], thin_after: { age: "1s", interval: null } }];
  await using box = await OutboxHarness.open({ rules, max_bytes: "1MiB" });
  await fill(box, "a", 30, "x".repeat(5_000));
  box.link.window = 10_000;
  box.up();
  await box.clock.pass(60_000);
  assert.deepEqual(lossesOf(box), {});
});

test("drop_new: who published hears that it is safe when the loss is on flash, and not before", async () => {
  await using box = await OutboxHarness.open({ max_messages: 3, when_full: "drop_new", rules: RULES });
  await fill(box, "a", 3);
  const told = box.safe.length;
  let isSynced = false;
  box.disk.beforeSync = () => {
    isSynced = true;
    return Promise.resolve();
  };
  for (const payload of ["4", "5"]) box.publish("a", [payload]);
  assert.deepEqual([box.safe.length, isSynced], [told, false]);
  await box.commit();
  assert.deepEqual([box.safe.length, isSynced], [told + 1, true], "one flush, for both");
  box.disk.beforeSync = undefined;
  const after = await readLedger(box.disk, "/data/outbox/EDGE", silentLog());
  assert.deepEqual(
    after.totals.list().map(({ reason, messages }) => [reason, messages]),
    [["displaced", 2]],
  );
});

/** Everything was delivered; a file of `bytes` or more waits to be overwritten. */
async function withSpare(settings: Parameters<typeof OutboxHarness.open>[0], bytes = 200_000) {
  const box = await OutboxHarness.open({ ...settings, rules: RULES });
  await fill(box, "a", 10, "x".repeat(bytes / 10));
  box.up();
  await box.commit();
  box.confirm();
  await box.clock.pass(31_000); // the cursor is written
  box.down();
  const { journal } = box.outbox.lanes.lane("state");
  assert.ok(journal.bytes === 0 && journal.spareBytes >= bytes, `${journal.bytes} and ${journal.spareBytes} bytes`);
  return { box, journal };
}

test("a file that waits to be overwritten gives way before any message does", async () => {
  const { box, journal } = await withSpare({ max_bytes: "1MiB" }, 50_000);
  await fill(box, "bulk.a", 100, "y".repeat(10_000));
  assert.deepEqual([journal.spareBytes, lossesOf(box)], [0, {}]);
  const { lanes } = box.outbox.status();
  assert.equal(lanes[3]!.depth, 100);
  await box[Symbol.asyncDispose]();
});

test("a full disk takes the room of the file that waits to be overwritten, whatever when_full says", async () => {
  for (const when_full of ["drop_oldest", "refuse"]) {
    const { box, journal } = await withSpare({ when_full });
    box.disk.totalBytes = box.disk.usedBytes;
    const last = box.publish("bulk.a", ["y".repeat(50_000)]);
    await box.clock.pass(5_000);
    assert.deepEqual([box.safe.at(-1), journal.spareBytes, lossesOf(box)], [last, 0, {}], when_full);
    await box[Symbol.asyncDispose]();
  }
});

test("free_reserve is kept though nothing but such a file takes room", async () => {
  const { box, journal } = await withSpare({ free_reserve: "1MiB" });
  box.disk.totalBytes = box.disk.usedBytes + 1_000_000;
  await box.clock.pass(61_000);
  assert.equal(journal.spareBytes, 0);
  await box[Symbol.asyncDispose]();
});
