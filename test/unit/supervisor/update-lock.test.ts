// The update lock: when it is held, for how long, and what happens when it cannot be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog, silentLog } from "#base/log.ts";
import { decide, type LockLimits } from "#supervisor/lock-decision.ts";
import type { LockFile } from "#supervisor/lock-file.ts";
import { openUpdateLock } from "#supervisor/update-lock.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const LIMITS: LockLimits = { lingerMs: 1_000, heldMsMax: 60_000, restMs: 30_000 };
const RETRY_MS = 30_000;

class FakeLockFile implements LockFile {
  /** Who has it; null: nobody. */
  owner: "us" | "somebody" | null = null;
  taken = 0;
  fault: Error | undefined;

  async take(): Promise<AsyncDisposable | undefined> {
    if (this.fault !== undefined) throw this.fault;
    if (this.owner !== null) return undefined;
    this.owner = "us";
    this.taken += 1;
    return {
      [Symbol.asyncDispose]: async () => {
        this.owner = null;
      },
    };
  }

  async clearStale(): Promise<boolean> {
    if (this.owner !== "us") return false;
    this.owner = null;
    return true;
  }
}

async function open(file: FakeLockFile | undefined = new FakeLockFile()) {
  const clock = new FakeClock();
  const lock = await openUpdateLock(file, { clock, log: silentLog() }, LIMITS);
  return { clock, lock, file: file ?? new FakeLockFile() };
}

test("it is taken by the first who holds, and let go a moment after the last", async () => {
  const { clock, lock, file } = await open();
  await using _ = lock;
  assert.deepEqual(lock.status(), { state: "free", heldMs: null });
  const first = lock.hold();
  const second = lock.hold();
  await clock.pass(10);
  assert.equal(file.owner, "us");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await clock.pass(5_000);
  assert.equal(lock.status().state, "held", "the second still holds");
  second[Symbol.dispose]();
  await clock.pass(LIMITS.lingerMs - 1);
  assert.equal(file.owner, "us");
  await clock.pass(2);
  assert.equal(file.owner, null);
  assert.deepEqual(lock.status(), { state: "free", heldMs: null });
});

test("forty commits a second are one lock, not forty", async () => {
  const { clock, lock, file } = await open();
  await using _ = lock;
  for (let i = 0; i < 400; i++) {
    using _busy = lock.hold();
    await clock.pass(25);
  }
  assert.equal(file.taken, 1);
});

test("it is never held longer than the maximum, rests, and is taken again only then", async () => {
  const { clock, lock, file } = await open();
  await using _ = lock;
  using _busy = lock.hold();
  await clock.pass(LIMITS.heldMsMax - 1);
  assert.equal(file.owner, "us");
  await clock.pass(2);
  assert.equal(file.owner, null);
  assert.equal(lock.status().state, "resting");
  await clock.pass(LIMITS.restMs - 10);
  assert.equal(file.owner, null);
  await clock.pass(20);
  assert.equal(file.owner, "us");
});

test("in a year without a hub an update finds the door open in every cycle", async () => {
  let heldSince: number | null = null;
  let notBefore = 0;
  let openings = 0;
  for (let now = 0; now < 365 * 86_400_000; ) {
    const { act, wakeMs } = decide({ heldSince, isWanted: true, wantedLast: 0, notBefore }, LIMITS, now);
    if (act === "take") heldSince = now;
    if (act === "rest") {
      assert.equal(now - heldSince!, LIMITS.heldMsMax);
      heldSince = null;
      notBefore = now + LIMITS.restMs;
      openings += 1;
    }
    now += wakeMs ?? 0;
  }
  assert.equal(openings, Math.floor((365 * 86_400_000) / (LIMITS.heldMsMax + LIMITS.restMs)));
});

test("what the supervisor holds is left alone and tried again later", async () => {
  const { clock, lock, file } = await open();
  await using _ = lock;
  file.owner = "somebody";
  using _busy = lock.hold();
  await clock.pass(10);
  assert.deepEqual(lock.status(), { state: "foreign", heldMs: null });
  assert.equal(file.owner, "somebody");
  file.owner = null;
  await clock.pass(RETRY_MS);
  assert.equal(lock.status().state, "held");
});

test("a lock of an earlier life is removed at the start", async () => {
  const file = new FakeLockFile();
  file.owner = "us";
  const { lock } = await open(file);
  await using _ = lock;
  assert.equal(file.owner, null);
});

test("a disk that refuses costs one line in the log, and is tried again", async () => {
  const file = new FakeLockFile();
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = createLog(clock, "warn", ({ message }) => lines.push(message));
  await using lock = await openUpdateLock(file, { clock, log }, LIMITS);
  file.fault = Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" });
  using _busy = lock.hold();
  await clock.pass(RETRY_MS * 3);
  assert.equal(lines.length, 1, lines.join("\n"));
  file.fault = undefined;
  await clock.pass(RETRY_MS);
  assert.equal(lock.status().state, "held");
});

test("closing lets go at once, whoever still holds, and holding after it does nothing", async () => {
  const { clock, lock, file } = await open();
  using _busy = lock.hold();
  await clock.pass(10);
  await lock[Symbol.asyncDispose]();
  assert.equal(file.owner, null);
  using _later = lock.hold();
  await clock.pass(LIMITS.heldMsMax);
  assert.equal(file.owner, null);
  await lock[Symbol.asyncDispose]();
});

test("without a supervisor holding costs nothing and locks nothing", async () => {
  const clock = new FakeClock();
  await using lock = await openUpdateLock(undefined, { clock, log: silentLog() }, LIMITS);
  using _busy = lock.hold();
  await clock.pass(LIMITS.heldMsMax);
  assert.deepEqual(lock.status(), { state: "none", heldMs: null });
});
