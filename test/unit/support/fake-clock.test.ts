import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "#base/clock.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("timers fire in the order of their times, equal ones in the order they were set, each at its own instant", () => {
  const clock = new FakeClock();
  const start = clock.now();
  const fired: string[] = [];
  const note = (name: string) => () => fired.push(`${name}@${clock.now() - start}`);
  clock.after(20, note("late"));
  clock.after(10, note("first"));
  clock.after(10, note("second"));
  clock.every(8, note("tick"));
  clock.advance(20);
  assert.deepEqual(fired, ["tick@8", "first@10", "second@10", "tick@16", "late@20"]);
  assert.equal(clock.now() - start, 20);
});

test("a timer set by a timer fires on the same way, if its time comes", () => {
  const clock = new FakeClock();
  const fired: number[] = [];
  clock.after(5, () => {
    clock.after(5, () => fired.push(10));
    clock.after(50, () => fired.push(55));
  });
  clock.advance(20);
  assert.deepEqual(fired, [10]);
  assert.equal(clock.pending, 1);
});

test("a disposed timer never fires, even when the one before it disposes it", () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  const ticks = clock.every(10, () => {
    fired.push("tick");
    ticks[Symbol.dispose]();
  });
  clock.advance(100);
  assert.deepEqual(fired, ["tick"]);
  assert.equal(clock.pending, 0);
  assert.equal(clock.next, undefined);
});

test("a delay too small to be seen beside now still takes time: whoever waits for the rest of an interval gets there", () => {
  const clock = new FakeClock();
  let looks = 0;
  const lookAgain = () => {
    looks += 1;
    if (clock.now() < 1025.0001) clock.after(1e-14, lookAgain);
  };
  clock.after(25, lookAgain);
  clock.advance(26);
  assert.ok(looks > 1 && looks < 10, `${looks} looks`);
  assert.equal(clock.pending, 0);
});

test("the calendar goes along, and jumps without the timers noticing", () => {
  const clock = new FakeClock(1_000_000);
  let fired = 0;
  clock.after(100, () => fired++);
  clock.setWall(5_000_000_000);
  clock.advance(50);
  assert.equal(clock.wall(), 5_000_000_050);
  assert.equal(fired, 0);
});

test("code that awaits between its timers is carried all the way by pass", async () => {
  const clock = new FakeClock();
  const start = clock.now();
  const woken: number[] = [];
  const work = (async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(clock, 10, AbortSignal.any([]));
      woken.push(clock.now() - start);
    }
  })();
  await clock.pass(100);
  await work;
  assert.deepEqual(woken, [10, 20, 30]);
});
