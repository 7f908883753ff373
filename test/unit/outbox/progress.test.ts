import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress } from "#outbox/progress.ts";
import { Receipts } from "#outbox/receipts.ts";
import { SeqSet } from "#outbox/seq-set.ts";

const never = () => false;

test("nothing is let go beyond the first held message, however much is confirmed", () => {
  const progress = new Progress(0);
  progress.held.add(3);
  progress.sentSeq = 10;
  progress.confirm(10);
  assert.deepEqual([progress.passedSeq, progress.doneThrough], [10, 2]);
  progress.finish(3);
  assert.equal(progress.doneThrough, 10);
});

test("going back for the held forgets nothing that was done behind them", () => {
  const progress = new Progress(0);
  for (const seq of [3, 7]) progress.held.add(seq);
  progress.sentSeq = 10;
  progress.confirm(10);
  progress.goBack();
  assert.deepEqual([progress.sentSeq, progress.confirmedSeq, progress.passedSeq], [2, 2, 10]);
  assert.deepEqual(
    [2, 5, 10, 11].map((seq) => progress.isDone(seq)),
    [true, true, true, false],
  );
  progress.onDown();
  assert.equal(progress.sentSeq, 2);
});

test("held messages that are gone from the card pin nothing; those that a stream may still answer for stay", () => {
  const progress = new Progress(0);
  for (const seq of [2, 3, 6]) progress.held.add(seq);
  progress.skipTo(4, (seq) => seq === 3);
  assert.deepEqual([progress.sentSeq, progress.held.size, progress.held.first], [4, 2, 3]);
  progress.skipTo(9, never);
  assert.deepEqual([progress.sentSeq, progress.held.size], [9, 1]);
});

test("what was done out of turn is passed by over every later link, until its turn has come", () => {
  const progress = new Progress(0);
  progress.ahead.add(8);
  assert.equal(progress.isDone(8), true);
  progress.onDown();
  assert.equal(progress.isDone(8), false, "it was under way, and is lost");
  progress.finish(9);
  progress.onDown();
  assert.equal(progress.isDone(9), true);
  progress.confirm(9);
  assert.equal(progress.isDone(9), false, "confirmed in its turn: the number says so");
});

test("what streams were found to hold adds up, by start, until everything has been passed", () => {
  const progress = new Progress(0);
  for (const seqs of [[], [2, 3], [7], [3, 4]]) {
    const set = new SeqSet();
    for (const seq of seqs) set.add(seq);
    progress.onFound(5, set);
  }
  assert.deepEqual(
    [1, 2, 3, 4, 5, 7].filter((seq) => progress.isFound(5, seq)),
    [2, 3, 4, 7],
  );
  assert.equal(progress.isFound(4, 2), false);
  progress.onCaughtUp(9);
  assert.equal(progress.isFound(5, 2), false);
});

test("what gives way to a limit is gone from everywhere", () => {
  const progress = new Progress(0);
  for (const set of [progress.held, progress.ahead]) for (const seq of [2, 5]) set.add(seq);
  progress.drop(4);
  assert.deepEqual([progress.held.first, progress.ahead.size, progress.confirmedSeq, progress.sentSeq], [5, 1, 4, 4]);
});

test("a receipt proves what was sent before it, in turn or apart, and nothing behind it", () => {
  const receipts = new Receipts();
  receipts.onSent(100);
  receipts.onSentApart(40);
  assert.equal(receipts.isDue(3, 3), true, "what leaves apart wants a receipt, too");
  receipts.onAsked(3, 1, 110);
  receipts.onSent(120);
  receipts.onSentApart(41);
  receipts.onAsked(5, 4, 130);
  assert.equal(receipts.isDue(9, 0), false, "two at most");
  assert.equal(receipts.since, 100);
  assert.equal(receipts.take(), true);
  assert.deepEqual([receipts.seq, receipts.messages, receipts.takeApart(), receipts.takeApart()], [3, 1, 40, 0]);
  assert.equal(receipts.since, 120);
  receipts.clear();
  assert.equal(receipts.take(), false);
  assert.equal(receipts.isIdle, true);
  receipts.onSentApart(42);
  receipts.onAsked(5, 5, 140);
  receipts.take();
  assert.deepEqual([receipts.takeApart(), receipts.takeApart()], [42, 0], "41 went down with its link");
});
