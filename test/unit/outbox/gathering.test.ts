// When a group goes to flash: as soon as waiting gathers nothing, and not before where it does.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Millis } from "#base/clock.ts";
import { Gathering } from "#outbox/gathering.ts";
import { INTERVAL_MS, OutboxHarness } from "./harness.ts";

/** So many groups of `waiting` messages where they wait, and of `early` where they do not; how many went early. */
function earlyOf(groups: number, waiting: number, early: number): number {
  const gathering = new Gathering(INTERVAL_MS);
  let count = 0;
  for (let i = 0, now = 0; i < groups; i++, now += 100) {
    gathering.onStaged(now);
    const isEarly = gathering.dueAt(now) < now + INTERVAL_MS;
    if (isEarly) count += 1;
    gathering.onCommitBegins(isEarly ? early : waiting);
    gathering.onCommitOver();
  }
  return count;
}

test("where waiting gathers nothing groups go early, but for a few that look whether it still is so", () => {
  const early = earlyOf(2_000, 1, 1);
  assert.ok(early > 1_900, `${early} of 2,000`);
});

test("where waiting gathers others groups wait, but for a few that look whether it still is so", () => {
  const early = earlyOf(2_000, 3, 1);
  assert.ok(early > 0 && early < 50, `${early} of 2,000`);
  assert.ok(earlyOf(2_000, 20, 17) < 50, "a seventh less is too little");
});

test("without a link, a device that sends one at a time soon gets its PUBACKs as fast as the card writes; with one, the card is spared", async () => {
  await using box = await OutboxHarness.open();
  const waits: Millis[] = [];
  for (let i = 0; i < 40; i++) {
    const ticket = box.publish("sensors.a", [`${i}`]);
    const from = box.clock.now();
    while (box.safe.at(-1) !== ticket) await box.clock.pass(1);
    waits.push(box.clock.now() - from);
  }
  assert.ok(waits[0]! >= INTERVAL_MS, `first ${waits[0]} ms`);
  assert.ok(Math.max(...waits.slice(17, 30)) <= 2, `later ${waits.slice(17, 30).join(", ")} ms`);
  box.up();
  await box.clock.pass(100);
  box.confirm();
  const { commits } = box.outbox.status();
  for (let i = 0; i < 20; i++) {
    const ticket = box.publish("sensors.a", [`${i}`]);
    await box.clock.pass(INTERVAL_MS - 1);
    assert.notEqual(box.safe.at(-1), ticket);
    box.confirm();
    assert.equal(box.safe.at(-1), ticket);
  }
  assert.equal(box.outbox.status().commits, commits);
});
