import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { Suspensions, whyNotStored } from "#outbox/streams/suspensions.ts";
import { FakeClock, turn } from "../../../support/fake-clock.ts";

class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly changed: string[] = [];
  due = 0;
  isBehind = true;
  isLooking = false;
  lookMs = 0;
  readonly suspensions = new Suspensions(this.#host(), { clock: this.clock, log: silentLog() });

  #host() {
    return {
      look: () => ({ isOn: this.isLooking, ms: this.lookMs }),
      onChanged: (subject: string) => void this.changed.push(subject),
      onDue: () => {
        this.due += 1;
      },
      isBehind: () => this.isBehind,
      isLeft: () => false,
    };
  }

  constructor() {
    this.suspensions.onReady();
  }

  /** How many whole seconds go by until a message of `subject` may go and see. */
  secondsUntilProbe(subject: string, seq: number): number {
    for (let seconds = 0; seconds < 200; seconds++) {
      if (this.suspensions.mayProbe(subject, seq)) return seconds;
      this.clock.advance(1000);
    }
    return Number.POSITIVE_INFINITY;
  }

  [Symbol.dispose](): void {
    this.suspensions[Symbol.dispose]();
    assert.equal(this.clock.pending, 0, "a closed set of suspensions leaves no timer behind");
  }
}

test("a subject whose stream does not store is tried after a second, then twice as long each time, a minute at most", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 1, "why");
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    waits.push(bench.secondsUntilProbe("a", 1));
    bench.suspensions.onNotStored("a", 1, "still");
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
  assert.deepEqual(bench.suspensions.list(), [{ subject: "a", why: "still" }]);
});

test("only one message goes to see, and only its own answer opens the subject", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 5, "why");
  bench.secondsUntilProbe("a", 5);
  assert.equal(bench.suspensions.mayProbe("a", 6), false);
  bench.suspensions.onStored("a", 3); // was under way before
  bench.suspensions.onNotStored("a", 4, "why"); // so was this
  assert.equal(bench.suspensions.has("a"), true);
  const { due } = bench;
  bench.suspensions.onStored("a", 5);
  assert.deepEqual([bench.suspensions.has("a"), bench.due, bench.changed], [false, due + 1, ["a", "a"]]);
});

test("the one that goes to see is let through until there is room for it, and no other in its place", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 5, "why");
  bench.secondsUntilProbe("a", 5);
  assert.deepEqual(
    [5, 6, 5].map((seq) => bench.suspensions.mayProbe("a", seq)),
    [true, false, true],
  );
  bench.suspensions.onNotStored("a", 5, "still");
  assert.equal(bench.suspensions.mayProbe("a", 5), false);
});

test("while a subject is shut no message of it goes, and others are not concerned", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 1, "why");
  assert.deepEqual([bench.suspensions.mayProbe("a", 1), bench.suspensions.has("b")], [false, false]);
});

test("subjects that are due at the same time send their lanes back once", () => {
  using bench = new Bench();
  for (let i = 0; i < 100; i++) bench.suspensions.onNotStored(`a.${i}`, i, "why");
  bench.clock.advance(1000);
  assert.equal(bench.due, 1);
});

test("one pass through what waits serves all whose time has come, and is not begun anew while it goes on", () => {
  using bench = new Bench();
  for (let i = 0; i < 50; i++) {
    bench.suspensions.onNotStored(`a.${i}`, i, "why");
    bench.clock.advance(20); // their times differ
  }
  assert.equal(bench.due, 1);
  bench.isLooking = true;
  bench.clock.advance(30_000);
  assert.deepEqual([bench.due, bench.suspensions.mayProbe("a.49", 49)], [1, false], "others wait for the end of it");
  bench.isLooking = false;
  bench.clock.advance(1000);
  assert.deepEqual([bench.due, bench.suspensions.mayProbe("a.49", 49)], [2, true]);
});

test("a pass that never ends, as over a slow link, keeps the others for a minute", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 1, "why");
  bench.clock.advance(1000);
  bench.isLooking = true;
  bench.suspensions.onNotStored("b", 2, "why");
  bench.clock.advance(58_000);
  assert.equal(bench.due, 1);
  bench.clock.advance(3_000);
  assert.equal(bench.due, 2);
});

test("passes through what waits take a fifth of the time at most", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 1, "why");
  bench.suspensions.onNotStored("b", 2, "why");
  bench.clock.advance(1000);
  bench.lookMs += 2_000; // what the pass took
  assert.equal(bench.suspensions.mayProbe("a", 1), true);
  bench.suspensions.onNotStored("a", 1, "still");
  bench.clock.advance(8_000);
  assert.equal(bench.due, 1);
  bench.clock.advance(2_000);
  assert.equal(bench.due, 2);
});

test("a stream that stores again opens its subject with the next pass, so that nothing overtakes what was passed already", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 1, "why");
  bench.clock.advance(1000);
  assert.equal(bench.suspensions.mayProbe("a", 1), true);
  bench.isLooking = true;
  bench.suspensions.onStored("a", 1);
  assert.deepEqual([bench.suspensions.has("a"), bench.due], [true, 1]);
  bench.isLooking = false;
  bench.clock.advance(1000);
  assert.deepEqual([bench.suspensions.has("a"), bench.due], [false, 2]);
});

test("a subject of which nothing waits any more is opened, so that new messages find out", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 1, "why");
  bench.clock.advance(1000);
  bench.clock.advance(5000);
  assert.equal(bench.suspensions.has("a"), true, "its lane is still on its way through what waits");
  bench.isBehind = false;
  bench.clock.advance(1000);
  assert.equal(bench.suspensions.has("a"), false);
});

test("a message that went to see and was never heard of is followed by another", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 1, "why");
  bench.secondsUntilProbe("a", 1);
  assert.equal(bench.secondsUntilProbe("a", 2), 30);
});

test("without a link nobody waits for a timer; the next link lets each subject try at once", () => {
  using bench = new Bench();
  bench.suspensions.onNotStored("a", 1, "why");
  bench.suspensions.onDown();
  assert.equal(bench.clock.pending, 0);
  assert.equal(bench.suspensions.has("a"), true);
  bench.suspensions.onReady();
  assert.equal(bench.suspensions.mayProbe("a", 1), true);
});

test("a hub without streams fills no memory: the subject that waits longest gives up its place", () => {
  using bench = new Bench();
  for (let i = 0; i < 9000; i++) bench.suspensions.onNotStored(`a.${i}`, i, "why");
  assert.equal(bench.suspensions.size, 8192);
  assert.deepEqual([bench.suspensions.has("a.0"), bench.suspensions.has("a.8999")], [false, true]);
  assert.ok(bench.suspensions.list().length <= 32, "and status shows the first few");
});

test("why messages wait is said with a remedy", () => {
  const answer = { is: "refused", code: 503, errCode: 10077, text: "maximum messages exceeded", isFinal: false } as const;
  assert.match(whyNotStored("a.b", { ...answer, why: "no_stream" }), /^no stream takes a\.b: make one .* or set confirm: auto$/);
  assert.match(whyNotStored("a.b", { ...answer, why: "no_space" }), /a\.b has no room \(maximum messages exceeded\): raise its/);
  assert.match(whyNotStored("a.b", { ...answer, why: "other", text: "" }), /does not store its messages \(code 503\)/);
});

/** A stream that says nothing and is asked what it holds. */
class AskingBench implements Disposable {
  readonly clock = new FakeClock();
  readonly asked: (readonly string[])[] = [];
  readonly told: string[] = [];
  isAnswering = true;
  isStored = true;
  isLeft = false;
  answer = Promise.withResolvers<void>();
  signal: AbortSignal | undefined;
  readonly suspensions = new Suspensions(
    {
      look: () => ({ isOn: false, ms: 0 }),
      onChanged: () => undefined,
      onDue: () => {
        this.told.push("look");
      },
      isBehind: () => true,
      isLeft: () => this.isLeft,
      ask: (subjects: readonly string[], signal: AbortSignal) => {
        this.asked.push(subjects);
        this.signal = signal;
        if (!this.isAnswering) return undefined;
        return this.answer.promise.then(() => ({
          tellLanes: () => void this.told.push("lanes"),
          isStored: () => this.isStored,
        }));
      },
    },
    { clock: this.clock, log: silentLog() },
  );

  constructor() {
    this.suspensions.onReady();
  }

  [Symbol.dispose](): void {
    this.suspensions[Symbol.dispose]();
    assert.equal(this.clock.pending, 0);
  }
}

test("silence: the streams are asked once for all, nothing goes to see meanwhile, and what they have opens its subject", async () => {
  using bench = new AskingBench();
  const { suspensions } = bench;
  for (const subject of ["a", "b"]) suspensions.onNotStored(subject, 1, "why", true);
  bench.clock.advance(1000);
  assert.deepEqual(bench.asked, [["a", "b"]]);
  suspensions.onNotStored("c", 9, "why", true);
  bench.clock.advance(60_000);
  assert.equal(bench.asked.length, 1, "one question at a time");
  assert.equal(suspensions.mayProbe("a", 1), false);
  bench.answer.resolve();
  await turn();
  assert.deepEqual(bench.told, ["lanes", "look"], "the lanes know what was found before they look");
  assert.deepEqual([suspensions.has("a"), suspensions.has("b"), suspensions.has("c")], [false, false, true]);
  bench.clock.advance(1000);
  assert.deepEqual(bench.asked[1], ["c"]);
});

test("a stream that does not have it, or cannot be asked, gets one message to see, as ever", async () => {
  using bench = new AskingBench();
  const { suspensions } = bench;
  bench.isStored = false;
  suspensions.onNotStored("a", 1, "why", true);
  bench.clock.advance(1000);
  bench.answer.resolve();
  await turn();
  assert.equal(suspensions.mayProbe("a", 1), true);
  suspensions.onNotStored("a", 1, "why", true);
  bench.isAnswering = false;
  bench.clock.advance(2000);
  assert.equal(bench.asked.length, 2);
  assert.equal(suspensions.mayProbe("a", 1), true);
  suspensions.onNotStored("a", 1, "refused");
  bench.clock.advance(60_000);
  assert.equal(bench.asked.length, 3, "what was silent once is in doubt until a stream has told");
});

test("refused where the lane left its doubt to the stream: it is asked before the window is over unseen, and once", async () => {
  using bench = new AskingBench();
  const { suspensions } = bench;
  bench.isLeft = true;
  bench.isStored = false;
  suspensions.onNotStored("a", 1, "why");
  bench.clock.advance(1000);
  assert.deepEqual([bench.asked, suspensions.mayProbe("a", 1)], [[["a"]], false]);
  bench.answer.resolve();
  await turn();
  assert.equal(suspensions.mayProbe("a", 1), true);
  suspensions.onNotStored("a", 1, "still");
  bench.clock.advance(2000);
  assert.deepEqual([bench.asked.length, suspensions.mayProbe("a", 1)], [1, true], "what it has is known");
});

test("a refusal is no doubt: nobody is asked", () => {
  using bench = new AskingBench();
  bench.suspensions.onNotStored("a", 1, "why");
  bench.clock.advance(1000);
  assert.deepEqual([bench.asked.length, bench.suspensions.mayProbe("a", 1)], [0, true]);
});

test("a link that falls ends the question, and its answer means nothing to the next one", async () => {
  using bench = new AskingBench();
  const { suspensions } = bench;
  suspensions.onNotStored("a", 1, "why", true);
  bench.clock.advance(1000);
  suspensions.onDown();
  assert.equal(bench.signal?.aborted, true);
  suspensions.onReady();
  bench.answer.resolve();
  await turn();
  assert.deepEqual([bench.told, suspensions.mayProbe("a", 1)], [[], true]);
});
