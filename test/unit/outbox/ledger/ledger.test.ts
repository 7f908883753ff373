import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { type Ledger, openLedger } from "#outbox/ledger/ledger.ts";
import type { LedgerAddition, LedgerEntry } from "#outbox/ledger/ledger-entry.ts";
import { CLASSES, type UrgencyClass } from "#outbox/urgency.ts";
import { FakeClock, turn } from "../../../support/fake-clock.ts";
import { FakeDisk } from "../../../support/fake-disk.ts";

const DIRECTORY = "/data/outbox/EDGE";

class World {
  readonly clock = new FakeClock();
  readonly disk: FakeDisk;
  readonly freed = new Map<UrgencyClass, number>(CLASSES.map((urgency) => [urgency, 0]));

  constructor(seed = 1) {
    this.disk = new FakeDisk({ seed });
    this.disk.plant(`${DIRECTORY}/interest`, Buffer.alloc(0));
  }

  open(rules = "r1"): Promise<Ledger> {
    const env = { clock: this.clock, disk: this.disk.mount(), log: silentLog() };
    return openLedger({ directory: DIRECTORY, rules, freedThrough: (lane) => this.freed.get(lane)! }, env);
  }
}

function lost(seq: number, more: Partial<LedgerAddition> = {}): LedgerAddition {
  return { reason: "expired", lane: "state", rule: 0, epoch: 3, fromSeq: seq, throughSeq: seq, messages: 1, ...more };
}

const DOWN: LedgerAddition = {
  reason: "link_down",
  lane: null,
  rule: null,
  epoch: null,
  fromSeq: null,
  throughSeq: null,
  messages: 1,
};

/** Reason, class, rule, messages, from, through. */
function totalsOf(ledger: Ledger) {
  return ledger.totals().map((t) => [t.reason, t.lane, t.rule, t.messages, t.fromSeq, t.throughSeq]);
}

test("a ledger to which nothing is told writes nothing, not even at its end", async () => {
  const world = new World();
  {
    await using ledger = await world.open();
    await world.clock.pass(3_600_000);
    await ledger.flush();
  }
  assert.deepEqual([world.disk.counters.writes, world.disk.counters.datasyncs], [0, 0]);
  assert.equal(world.clock.pending, 0);
});

test("losses that touch become one entry, written within seconds, and are found again", async () => {
  const world = new World();
  {
    await using ledger = await world.open();
    for (const seq of [5, 6, 7, 9, 8, 20]) ledger.add(lost(seq));
    ledger.add(lost(2, { lane: "alarm", reason: "displaced", throughSeq: 4, messages: 3 }));
    await world.clock.pass(5_000);
    await turn();
    assert.equal(world.disk.files(DIRECTORY).includes(`${DIRECTORY}/ledger`), true);
    const [entry] = ledger.recent();
    assert.deepEqual([entry?.fromSeq, entry?.throughSeq, entry?.messages, entry?.runs], [5, 20, 6, [5, 9, 20, 20]]);
  }
  await using again = await world.open();
  assert.deepEqual(totalsOf(again), [
    ["expired", "state", 0, 6, 5, 20],
    ["displaced", "alarm", 0, 3, 2, 4],
  ]);
});

test("what was never kept is merely counted: written at the end, or every quarter of an hour", async () => {
  const world = new World();
  {
    await using ledger = await world.open();
    ledger.add(DOWN, 40);
    await world.clock.pass(60_000);
    assert.equal(world.disk.counters.writes, 0);
    await world.clock.pass(15 * 60_000);
    await turn();
    assert.ok(world.disk.counters.writes > 0);
    ledger.add(DOWN, 2);
  }
  await using again = await world.open();
  assert.deepEqual(totalsOf(again), [["link_down", null, null, 42, null, null]]);
});

test("a message that is met twice is counted once, in this life and in the next", async () => {
  const world = new World();
  {
    await using ledger = await world.open();
    for (const seq of [5, 6, 7]) ledger.add(lost(seq));
    for (const seq of [5, 6, 7, 8]) ledger.add(lost(seq));
    assert.deepEqual(
      [ledger.isTold("state", 3, 7), ledger.isTold("state", 3, 9), ledger.isTold("alarm", 3, 7)],
      [true, false, false],
    );
    await ledger.flush();
    for (const seq of [5, 8]) ledger.add(lost(seq, { reason: "no_interest" })); // its fate stands
  }
  await using again = await world.open();
  for (const seq of [5, 6, 7, 8]) again.add(lost(seq));
  assert.equal(again.isTold("state", 3, 8), true);
  assert.equal(again.isTold("state", 4, 8), false, "the number of a later start is another message");
  assert.deepEqual(totalsOf(again), [["expired", "state", 0, 4, 5, 8]]);
});

test("every other message of a long backlog is dropped: the count is exact, and stays so when all are met again after a crash", async () => {
  const world = new World();
  const first = await world.open();
  for (let seq = 1; seq <= 2000; seq += 2) first.add(lost(seq));
  await first.flush();
  world.disk.killProcess();
  await first[Symbol.asyncDispose]();
  await using again = await world.open();
  for (let seq = 1; seq <= 2000; seq += 2) again.add(lost(seq));
  again.add(lost(2002));
  assert.deepEqual(totalsOf(again), [["expired", "state", 0, 1001, 1, 2002]]);
});

test("what was told out of a segment is known until that makes room, so that it is not counted again", async () => {
  const world = new World();
  await using ledger = await world.open();
  for (const seq of [3, 4]) ledger.add(lost(seq));
  assert.deepEqual([ledger.hasTold("state", 2), ledger.hasTold("state", 3), ledger.hasTold("alarm", 9)], [false, true, false]);
  ledger.add(lost(1, { reason: "displaced", epoch: 9, throughSeq: 10, messages: 8, isPrefix: true, rule: null }));
  assert.equal(ledger.hasTold("state", 10), false);
  assert.deepEqual(totalsOf(ledger), [
    ["expired", "state", 0, 2, 3, 4],
    ["displaced", "state", null, 8, 1, 10],
  ]);
});

test("a later start hears what was told displaced by the life of what is there, not what was told of numbers given before", async () => {
  const world = new World();
  {
    await using ledger = await world.open();
    ledger.add(lost(1, { reason: "displaced", epoch: 9, throughSeq: 10, messages: 10, isPrefix: true }));
    ledger.add(lost(11, { reason: "displaced", epoch: 9, throughSeq: 30, messages: 7, isPrefix: true }));
  }
  await using again = await world.open();
  assert.deepEqual(
    [again.droppedThrough("state", 9), again.droppedThrough("state", 8), again.droppedThrough("state", 10)],
    [30, 30, 0],
  );
  assert.equal(again.droppedThrough("alarm", 9), 0);
  assert.deepEqual(
    again.totals().map(({ messages }) => messages),
    [17],
  );
});

test("damage on flash is counted once, over all starts", async () => {
  const world = new World();
  for (let start = 0; start < 3; start++) {
    await using ledger = await world.open();
    for (let look = 0; look < 3; look++) ledger.addDamage("alarm", "alarm/0000000001-1-00000000.seg@64", 10, 12, 3);
  }
  await using last = await world.open();
  assert.deepEqual(totalsOf(last), [["corrupted", "alarm", null, 3, 10, 12]]);
});

test("when the rules change, older losses are of no rule any more", async () => {
  const world = new World();
  {
    await using ledger = await world.open("r1");
    ledger.add(lost(1));
    ledger.add(lost(2, { rule: 1 }));
  }
  {
    await using ledger = await world.open("r2");
    ledger.add(lost(3));
    assert.deepEqual(totalsOf(ledger), [
      ["expired", "state", null, 2, 1, 2],
      ["expired", "state", 0, 1, 3, 3],
    ]);
  }
  await using again = await world.open("r2");
  assert.deepEqual(totalsOf(again), [
    ["expired", "state", null, 2, 1, 2],
    ["expired", "state", 0, 1, 3, 3],
  ]);
});

test("a full disk loses no count: told in memory, said once, written when there is room", async () => {
  const world = new World();
  world.disk.totalBytes = 0;
  {
    await using ledger = await world.open();
    ledger.add(lost(1));
    await ledger.flush();
    assert.match(ledger.fault ?? "", /ENOSPC/);
    for (let seq = 2; seq <= 500; seq++) {
      ledger.add(lost(seq, { rule: seq % 40 }));
      if (seq % 5 === 0) await ledger.flush();
    }
    world.disk.totalBytes = 1e9;
    await world.clock.pass(60_000);
    await turn();
    assert.equal(ledger.fault, null);
  }
  await using again = await world.open();
  assert.equal(
    again.totals().reduce((sum, { messages }) => sum + messages, 0),
    500,
  );
});

test("a sync that fails doubles nothing: the lines are tried again at the same place", async () => {
  for (let call = 1; call <= 6; call++) {
    const world = new World(call);
    {
      await using ledger = await world.open();
      ledger.add(lost(1));
      await ledger.flush();
      world.disk.faults.failDatasyncIn = 1;
      ledger.add(lost(2));
      await ledger.flush();
      assert.notEqual(ledger.fault, null);
      if (call > 3) world.disk.faults.failWriteIn = 1;
      ledger.add(lost(3));
      await ledger.flush();
      for (let more = 0; more < call; more++) {
        world.disk.faults.failDatasyncIn = 1;
        ledger.add(lost(10 + more));
        await ledger.flush();
      }
    }
    await using again = await world.open();
    assert.deepEqual(totalsOf(again), [["expired", "state", 0, 3 + call, 1, 9 + call]]);
  }
});

test("totals outlive many files, and what was told lately is known in the newest", async () => {
  const world = new World();
  let entries = 0;
  {
    await using ledger = await world.open();
    for (; entries < 4000; entries++) {
      ledger.add(lost(entries * 3 + 1, { rule: entries % 7 }));
      ledger.addDamage("state", "state/a.seg@64", 1, 1, 1);
      await ledger.flush();
    }
  }
  for (const name of ["ledger", "ledger.old"])
    assert.ok(world.disk.peek(`${DIRECTORY}/${name}`).length <= 256 * 1024, `${name} is bounded`);
  await using again = await world.open();
  assert.equal(
    again.totals().reduce((sum, { messages }) => sum + messages, 0),
    entries + 1,
  );
  assert.equal(again.isTold("state", 3, (entries - 1) * 3 + 1), true);
  again.addDamage("state", "state/a.seg@64", 1, 1, 1);
  assert.equal(again.totals().find(({ reason }) => reason === "corrupted")?.messages, 1);
});

test("whatever a power cut leaves, every flushed count is there, and none twice", async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const world = new World(seed);
    let told = 0;
    let flushed = 0;
    for (let life = 0; life < 4; life++) {
      const ledger = await world.open();
      const found = ledger.totals().reduce((sum, { messages }) => sum + messages, 0);
      assert.ok(found >= flushed && found <= told, `seed ${seed}: ${found} found, ${flushed} flushed, ${told} told`);
      for (let seq = 1; seq <= found; seq++) ledger.add(lost(seq)); // met again: all of them are known
      told = found;
      flushed = found;
      world.disk.strikeAfter(1 + ((seed * 7 + life * 5) % 23));
      for (let i = 0; i < 8; i++) {
        ledger.add(lost(++told));
        await ledger.flush();
        if (ledger.fault === null) flushed = told;
      }
      world.disk.powerCut();
      await ledger[Symbol.asyncDispose]();
    }
  }
});

test("each new entry is told to those who listen, coalesced", async () => {
  const world = new World();
  await using ledger = await world.open();
  const heard: LedgerEntry[] = [];
  const listening = ledger.onEntry((entry) => heard.push(entry));
  for (let seq = 1; seq <= 100; seq++) ledger.add(lost(seq));
  await ledger.flush();
  listening[Symbol.dispose]();
  ledger.add(lost(200));
  await ledger.flush();
  assert.deepEqual(
    heard.map(({ messages, runs }) => [messages, runs]),
    [[100, [1, 100]]],
  );
});

test("entries and runs are bounded, counts exact, whatever comes", async () => {
  const world = new World();
  await using ledger = await world.open();
  const heard: LedgerEntry[] = [];
  ledger.onEntry((entry) => heard.push(entry));
  for (let i = 0; i < 20_000; i++) ledger.add(lost(i * 2, { rule: i % 1000, epoch: i % 90, lane: CLASSES[i % 4]! }));
  await ledger.flush();
  assert.ok(heard.length <= 160, `${heard.length} entries`);
  assert.equal(
    heard.reduce((sum, { messages }) => sum + messages, 0),
    20_000,
  );
  assert.equal(
    ledger.totals().reduce((sum, { messages }) => sum + messages, 0),
    20_000,
  );
  assert.ok(ledger.totals().length <= 600);
});
