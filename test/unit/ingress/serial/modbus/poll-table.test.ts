import assert from "node:assert/strict";
import { test } from "node:test";
import { type PollEntry, PollTable } from "#ingress/serial/modbus/poll-table.ts";

const OPTIONS = { retries: 1, slowDown: 60_000 };
const entry = (unit: number, interval = 1000): PollEntry => ({ unit, interval });

/** The unit asked at `now`, or the time of the next question. */
function ask(table: PollTable<PollEntry>, now: number): PollEntry | number {
  const next = table.next(now);
  return "entry" in next ? next.entry : next.at;
}

test("whoever has waited longest is asked first, each in its own interval", () => {
  const [fast, slow] = [entry(1, 100), entry(2, 1000)];
  const table = new PollTable([slow, fast], OPTIONS, 0);
  assert.equal(ask(table, 0), slow);
  table.settle(slow, "alive", 10, 0);
  assert.equal(ask(table, 10), fast);
  table.settle(fast, "alive", 20, 0);
  assert.equal(ask(table, 20), 100);
  assert.equal(ask(table, 100), fast);
});

test("an empty table never has a question", () => {
  assert.deepEqual(new PollTable([], OPTIONS, 0).next(5), { at: Number.POSITIVE_INFINITY });
});

test("a bus that cannot keep up serves all in turn and skips rounds", () => {
  const entries = [1, 2, 3, 4].map((unit) => entry(unit, 100));
  const table = new PollTable(entries, OPTIONS, 0);
  const asked = new Map<number, number>();
  for (let now = 0; now < 10_000; now += 50) {
    const next = table.next(now);
    assert.ok("entry" in next);
    asked.set(next.entry.unit, (asked.get(next.entry.unit) ?? 0) + 1);
    table.settle(next.entry, "alive", now + 50, 0);
  }
  for (const times of asked.values()) assert.ok(times >= 49 && times <= 51, `${times}`);
  assert.ok(table.skipped >= 190, `${table.skipped}`);
});

test("a question is repeated behind what else is due, then its unit is silent and rests ever longer", () => {
  const [dead, alive] = [entry(1), entry(2)];
  const table = new PollTable([dead, alive], OPTIONS, 0);
  assert.equal(ask(table, 0), dead);
  assert.equal(table.settle(dead, "failed", 500, 500), "repeat");
  assert.equal(ask(table, 500), alive);
  table.settle(alive, "alive", 510, 0);
  assert.equal(ask(table, 510), dead);
  assert.equal(table.settle(dead, "failed", 1010, 500), "fell");
  assert.ok(table.isSilent(1));
  let asked = 0;
  let now = 1010;
  const times: number[] = [];
  while (now < 300_000) {
    const next = table.next(now);
    if ("at" in next) {
      now = next.at;
      continue;
    }
    if (next.entry === dead) {
      asked += 1;
      times.push(now);
      assert.equal(table.settle(dead, "failed", (now += 500), 500), "as before");
    } else table.settle(alive, "alive", (now += 10), 0);
  }
  assert.ok(asked >= 8 && asked <= 12, `${asked} times in five minutes`);
  assert.ok(times.at(-1)! - times.at(-2)! <= 61_500);
  assert.equal(table.skipped, 0, "the living unit never missed a round");
});

test("one answer wakes all questions of a unit, and what it slept through does not count as skipped", () => {
  const [a, b] = [entry(1), entry(1, 250)];
  const table = new PollTable([a, b], { retries: 0, slowDown: 60_000 }, 0);
  assert.equal(table.settle(a, "failed", 500, 0), "fell");
  assert.equal(ask(table, 600), 1500);
  assert.equal(ask(table, 1500), b);
  assert.equal(table.settle(b, "alive", 1600, 0), "rose");
  assert.equal(ask(table, 1600), a);
  table.settle(a, "alive", 1610, 0);
  assert.equal(table.skipped, 0);
});

test("a unit that owes an answer is asked the same question only, until its time is over", () => {
  const [a, b, other] = [entry(1), entry(1), entry(2)];
  const table = new PollTable([a, b, other], OPTIONS, 0);
  table.settle(a, "failed", 500, 500);
  assert.equal(ask(table, 500), other);
  table.settle(other, "alive", 510, 0);
  assert.equal(ask(table, 510), a, "the same question may be repeated");
  table.settle(a, "alive", 520, 0);
  assert.equal(ask(table, 520), 1000);
  assert.equal(ask(table, 1000), b);
  assert.equal(table.debtOf(1, 900), 100);
});

test("after a year of a dead unit its times are still times", () => {
  const dead = entry(1);
  const table = new PollTable([dead], OPTIONS, 0);
  let now = 0;
  let asked = 0;
  for (; now < 31_536_000_000 && asked < 600_000; asked++) {
    const next = table.next(now);
    if ("at" in next) now = next.at;
    else table.settle(dead, "failed", (now += 500), 500);
  }
  assert.ok(Number.isFinite(now) && now > 3e9);
  const next = table.next(now + 60_000);
  assert.ok("entry" in next);
});
