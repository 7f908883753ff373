import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import type { Json } from "#base/schema.ts";
import { flagsFor } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { RECORD_HEADER_BYTES, writeHeader } from "#journal/record.ts";
import { plainCalendar } from "#outbox/calendar.ts";
import { encodeKept, keptBytes } from "#outbox/kept-message.ts";
import { outboxOptions } from "#outbox/options.ts";
import { RuleBook } from "#outbox/rules.ts";
import { ThinningMemory, ThinningPass } from "#outbox/thinning.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { OutboxHarness } from "./harness.ts";

const NOW = Date.UTC(2026, 5, 1, 12);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

interface Message {
  readonly subject: string;
  readonly seq: number;
  readonly ageMs: number;
}

function book(rules: readonly Json[]): RuleBook {
  const decoded = decode(outboxOptions, { rules: [...rules, { subjects: [">"] }] }, "/data");
  assert.ok("value" in decoded, JSON.stringify(decoded));
  return new RuleBook(decoded.value);
}

function passOver(rules: RuleBook, memory = new ThinningMemory()): ThinningPass {
  const clock = new FakeClock();
  clock.setWall(NOW);
  return new ThinningPass(rules, plainCalendar(clock), memory);
}

function slabOf({ subject, seq, ageMs }: Message): Buffer {
  const batch = new BatchBuilder();
  batch.beginOwn();
  batch.add({ subject, payload: Buffer.from("x"), flags: flagsFor(1, true, false) });
  const slab = Buffer.alloc(RECORD_HEADER_BYTES + keptBytes(batch, 0));
  writeHeader(slab, 0, keptBytes(batch, 0), seq, ageMs === Number.POSITIVE_INFINITY ? 5 : NOW - ageMs);
  encodeKept(slab, RECORD_HEADER_BYTES, batch, 0);
  return slab;
}

function keptOf(pass: ThinningPass, messages: readonly Message[]): readonly number[] {
  return messages.filter((message) => pass.keep(slabOf(message), 0, 1, null)).map(({ seq }) => seq);
}

/** One message of each subject every `every`, the oldest `from` old, the newest just now; seqs from 1. */
function series(subjects: readonly string[], from: number, every: number): Message[] {
  const messages: Message[] = [];
  for (let ageMs = from; ageMs >= 0; ageMs -= every)
    for (const subject of subjects) messages.push({ subject, ageMs, seq: messages.length + 1 });
  return messages;
}

test("of what is older than its age, the first of each subject in each interval stays; what is younger all stays", () => {
  const rules = book([{ subjects: ["s.>"], thin_after: { age: "1h", interval: "10m" } }]);
  const pass = passOver(rules);
  const messages = series(["s.a", "s.b"], 2 * HOUR, MINUTE);
  const kept = new Set(keptOf(pass, messages));
  for (const { subject, seq, ageMs } of messages) {
    const isFirst = (NOW - ageMs) % (10 * MINUTE) === 0;
    assert.equal(kept.has(seq), ageMs <= HOUR || isFirst, `${subject} ${ageMs / MINUTE} minutes old`);
  }
  const [removed] = pass.removed;
  assert.deepEqual(
    [pass.removed.length, removed?.reason, removed?.rule, removed?.epoch, removed?.messages],
    [1, "thinned", 0, 1, messages.length - kept.size],
  );
  assert.deepEqual([removed?.runs.slice(0, 2), removed?.runs.at(-1)], [[3, 20], 120]);
});

test("an interval that lies across two segments keeps one message, not two", () => {
  const rules = book([{ subjects: ["s.>"], thin_after: { age: "1s", interval: "1h" } }]);
  const memory = new ThinningMemory();
  const messages = series(["s.a"], 59 * MINUTE, MINUTE).slice(0, 50); // 11:01 … 11:50
  assert.deepEqual(keptOf(passOver(rules, memory), messages.slice(0, 20)), [1]);
  assert.deepEqual(keptOf(passOver(rules, memory), messages.slice(20)), []);
});

test("deciding again over the same segment, after a rewrite that failed, keeps the same", () => {
  const rules = book([{ subjects: ["s.>"], thin_after: { age: "1s", interval: "10m" } }]);
  const memory = new ThinningMemory();
  const messages = series(["s.a", "s.b"], 3 * HOUR, MINUTE).slice(0, 200);
  const once = keptOf(passOver(rules, memory), messages);
  assert.ok(once.length > 2);
  assert.deepEqual(keptOf(passOver(rules, memory), messages), once);
});

test("interval null keeps the last of each subject among the old, whatever segment it lies in", () => {
  const rules = book([{ subjects: ["s.>"], thin_after: { age: "1h", interval: null } }]);
  const memory = new ThinningMemory();
  const messages = series(["s.a", "s.b"], 2 * HOUR, 10 * MINUTE);
  const scan = passOver(rules, memory);
  for (const message of messages) if (!scan.scan(slabOf(message), 0, null)) break;
  const kept = keptOf(passOver(rules, memory), messages);
  const old = messages.filter(({ ageMs }) => ageMs > HOUR);
  assert.deepEqual(
    kept,
    messages.filter(({ ageMs, seq }) => ageMs <= HOUR || seq > old.length - 2).map(({ seq }) => seq),
  );
});

test("without having looked ahead nothing goes that might be the last of its subject", () => {
  const rules = book([{ subjects: ["s.>"], thin_after: { age: "1s" } }]);
  const messages = series(["s.a"], HOUR, MINUTE);
  assert.equal(keptOf(passOver(rules), messages).length, messages.length);
});

test("a rule's max_age takes single messages out of a segment that others keep", () => {
  const rules = book([
    { subjects: ["short.>"], max_age: "1h" },
    { subjects: ["long.>"], max_age: "7d" },
  ]);
  const pass = passOver(rules);
  const kept = keptOf(pass, [
    { subject: "short.a", seq: 1, ageMs: 2 * HOUR },
    { subject: "long.a", seq: 2, ageMs: 2 * HOUR },
    { subject: "short.a", seq: 3, ageMs: HOUR / 2 },
  ]);
  assert.deepEqual(kept, [2, 3]);
  assert.deepEqual(pass.removed, [{ reason: "expired", rule: 0, epoch: 1, runs: [1, 1], messages: 1 }]);
});

test("a message whose time is not known, or whose layout is not, stays", () => {
  const rules = book([{ subjects: ["s.>"], max_age: "1h", thin_after: { age: "1s", interval: "10m" } }]);
  const pass = passOver(rules);
  const strange = slabOf({ subject: "s.a", seq: 2, ageMs: 30 * MINUTE });
  strange[RECORD_HEADER_BYTES] = 99;
  assert.equal(pass.keep(slabOf({ subject: "s.a", seq: 1, ageMs: Number.POSITIVE_INFINITY }), 0, 1, null), true);
  assert.equal(pass.keep(strange, 0, 1, null), true);
  assert.equal(pass.messages, 0);
});

test("what no rule thins stays, and each rule and life is counted for itself", () => {
  const rules = book([
    { subjects: ["a.>"], thin_after: { age: "1s", interval: "1h" } },
    { subjects: ["b.>"], thin_after: { age: "1s", interval: "1h" } },
  ]);
  const pass = passOver(rules);
  const kept: number[] = [];
  for (const [i, subject] of ["a.x", "b.x", "c.x", "a.x", "b.x", "c.x", "a.x"].entries()) {
    const slab = slabOf({ subject, seq: i + 1, ageMs: 30 * MINUTE - i });
    if (pass.keep(slab, 0, i < 6 ? 1 : 2, null)) kept.push(i + 1);
  }
  assert.deepEqual(kept, [1, 2, 3, 6]);
  assert.deepEqual(
    pass.removed.map(({ rule, epoch, runs, messages }) => [rule, epoch, runs[0], messages]),
    [
      [0, 1, 4, 1],
      [1, 1, 5, 1],
      [0, 2, 7, 1],
    ],
  );
});

/** What the settings' help promises of messages that are all old, the simple way. */
function naive(sent: readonly { readonly subject: string; readonly wall: number; readonly name: string }[], interval: number) {
  const first = new Map<string, string>();
  const last = new Map<string, string>();
  for (const { subject, wall, name } of sent) {
    const bucket = `${subject} ${Math.floor(wall / interval)}`;
    if (!first.has(bucket)) first.set(bucket, name);
    last.set(subject, name);
  }
  return sent
    .filter(({ subject, wall, name }) => {
      if (subject.startsWith("all.")) return true;
      if (subject.startsWith("last.")) return last.get(subject) === name;
      return first.get(`${subject} ${Math.floor(wall / interval)}`) === name;
    })
    .map(({ name }) => name);
}

for (let seed = 1; seed <= 4; seed++) {
  test(`over many passes and starts what stays is what the simplest reading of the rules says (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const age = "30m";
    const rules = [
      { subjects: ["first.>"], class: "telemetry", keep: "always", thin_after: { age, interval: "10m" } },
      { subjects: ["last.>"], class: "telemetry", keep: "always", thin_after: { age, interval: null } },
      { subjects: [">"], class: "telemetry", keep: "always" },
    ];
    const settings = { rules, max_bytes: "1MiB" };
    const box = await OutboxHarness.open(settings);
    const sent: { subject: string; wall: number; name: string }[] = [];
    for (let start = 0; start < 4; start++) {
      if (start > 0) {
        await box.outbox[Symbol.asyncDispose]();
        await box.start(settings);
      }
      for (let i = 0; i < 40; i++) {
        const subject = ["first.a", "first.b", "last.a", "last.b", "last.c", "all.a"][Math.floor(random() * 6)]!;
        const name = `${sent.length}-${"x".repeat(Math.floor(random() * 8000))}`;
        sent.push({ subject, wall: box.clock.wall(), name });
        box.publish(subject, [name]);
        await box.commit();
        await box.clock.pass(random() * 5 * MINUTE);
        if (random() < 0.05) await box.clock.pass(HOUR);
      }
    }
    await box.outbox[Symbol.asyncDispose](); // the file that is being written stays whole: none is now
    await box.start(settings);
    await box.clock.pass(2 * HOUR);
    const expected = naive(sent, 10 * MINUTE);
    const { depth, losses } = box.outbox.status();
    const thinned = losses.reduce((sum, { reason, messages }) => sum + (reason === "thinned" ? messages : 0), 0);
    assert.deepEqual([depth, thinned], [expected.length, sent.length - expected.length]);
    box.up();
    for (let i = 0; i < 20; i++) {
      await box.commit();
      box.confirm();
    }
    await turn();
    assert.deepEqual(box.link.payloads, expected);
    await box[Symbol.asyncDispose]();
  });
}

test("a file that was thinned is thinned again when the last of a subject in it is not the last any more", async () => {
  const rules = [{ subjects: [">"], keep: "always", thin_after: { age: "1m", interval: null } }];
  await using box = await OutboxHarness.open({ rules, max_bytes: "1MiB" });
  for (let i = 0; i < 60; i++) {
    box.publish(i === 0 ? "rare" : "often", [`${i} ${"x".repeat(9_000)}`]);
    await box.clock.pass(2 * MINUTE);
  }
  const { depth, lanes } = box.outbox.status();
  assert.ok(depth <= 2 + 8, `${depth} are left: the last of each, and the file that is being written`);
  assert.equal(lanes.find((lane) => lane.class === "state")?.depth, depth);
});
