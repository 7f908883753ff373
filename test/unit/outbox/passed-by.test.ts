import assert from "node:assert/strict";
import { test } from "node:test";
import { PassedBy, SUBJECTS_MAX } from "#outbox/passed-by.ts";
import { turn } from "../../support/fake-clock.ts";
import { OutboxHarness } from "./harness.ts";

function opened() {
  const flushes: (() => void)[] = [];
  let written = 0;
  const flushKept = () => new Promise<void>((resolve) => void flushes.push(resolve));
  const passedBy = new PassedBy({ flushKept }, () => {
    written += 1;
  });
  const end = async () => {
    flushes.shift()!();
    await turn();
  };
  return { passedBy, flushes, end, written: () => written };
}

test("what is newer waits on its own subject only, and one line stands for all that was given up before", async () => {
  const { passedBy, flushes, end, written } = opened();
  assert.equal(passedBy.delays("a"), false);
  for (const subject of ["a", "a", "b"]) passedBy.note(subject);
  assert.deepEqual([passedBy.delays("c"), flushes.length], [false, 0], "nobody waits for it");
  assert.deepEqual([passedBy.delays("a"), passedBy.delays("b"), flushes.length, passedBy.isWriting], [true, true, 1, true]);
  await end();
  assert.deepEqual([passedBy.delays("a"), passedBy.delays("b"), passedBy.isWriting, written()], [false, false, false, 1]);
});

test("what is given up while it is written down waits for the next line", async () => {
  const { passedBy, flushes, end } = opened();
  passedBy.note("a");
  passedBy.delays("a");
  passedBy.note("b");
  assert.deepEqual([passedBy.delays("b"), flushes.length], [true, 1]);
  await end();
  assert.deepEqual([passedBy.delays("a"), passedBy.delays("b"), flushes.length], [false, true, 1]);
  await end();
  assert.equal(passedBy.delays("b"), false);
});

test("of very many subjects none is remembered by its name: all wait", async () => {
  const { passedBy, end } = opened();
  for (let i = 0; i < SUBJECTS_MAX * 2; i++) passedBy.note(`s.${i}`);
  assert.equal(passedBy.delays("another"), true);
  await end();
  assert.equal(passedBy.delays("another"), false);
});

const AGED = {
  rules: [
    { subjects: ["a"], keep: "always", max_age: "1s" },
    { subjects: [">"], keep: "always" },
  ],
};

test("a message does not leave before it is on flash that an older one of its subject was too old", async () => {
  await using box = await OutboxHarness.open(AGED);
  box.publish("a", ["old 1", "old 2"]);
  await box.commit();
  await box.clock.pass(2_000);
  box.publishAll([
    { subject: "b", payload: "other" },
    { subject: "a", payload: "fresh" },
  ]);
  await box.commit();
  const { promise: card, resolve: release } = Promise.withResolvers<void>();
  box.disk.beforeSync = () => card;
  box.up();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["other"]);
  box.publish("a", ["fresher"]);
  await turn();
  box.disk.beforeSync = undefined;
  release();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["other", "fresh", "fresher"]);
  assert.match(box.disk.peek("/data/outbox/EDGE/ledger").toString(), /"reason":"expired".*"messages":2/);
});

test("a card that refuses the line keeps nobody waiting for ever", async () => {
  await using box = await OutboxHarness.open(AGED);
  box.publish("a", ["old"]);
  await box.commit();
  await box.clock.pass(2_000);
  box.publish("a", ["fresh"]);
  await box.commit();
  box.disk.faults.isReadOnly = true;
  box.up();
  await box.commit();
  assert.deepEqual(box.link.payloads, ["fresh"]);
  box.disk.faults.isReadOnly = false;
});
