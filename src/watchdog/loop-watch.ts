// Watches the event loop from a second thread: from within nothing sees that nothing goes on.
//
//   event loop ── beats every 2 s ──▶ shared memory ◀── looks every 5 s ── second thread ── 12 looks without a beat ──▶ SIGKILL
//
// The thread sleeps in the kernel between its looks. It costs 7.5 MiB of memory (README.md), and not a measurable part of the processor.

import { Worker } from "node:worker_threads";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type BlackBox, blackBoxLines } from "./black-box.ts";
import type { WatchdogLimits } from "./limits.ts";
import { type LoopThreadData, loopThread } from "./loop-thread.ts";

export interface LoopWatchFacts {
  readonly recordFile: string | null;
  readonly version: string;
  readonly inRow: number;
}

/** More than it ever needs, in megabytes. */
const THREAD_MEMORY = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, codeRangeSizeMb: 1, stackSizeMb: 1 };

export type OpenLoopWatch = typeof openLoopWatch;

export function openLoopWatch(
  box: BlackBox,
  facts: LoopWatchFacts,
  limits: WatchdogLimits,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): AsyncDisposable {
  box.beat();
  const data: LoopThreadData = {
    shared: box.shared,
    layout: box.layout,
    lookMs: limits.loopLookMs,
    looksMax: Math.ceil(limits.loopMs / limits.loopLookMs),
    stackMs: limits.stackMs,
    recordMs: limits.recordMs,
    ...facts,
  };
  const options = {
    eval: true,
    workerData: data,
    env: {},
    execArgv: [],
    resourceLimits: THREAD_MEMORY,
    trackUnmanagedFds: false,
  };
  const thread = new Worker(`(${loopThread})(${blackBoxLines})`, options);
  thread.unref();
  const ended = Promise.withResolvers<void>();
  thread.on("error", (error: Error) =>
    log.error("nobody watches the event loop: its second thread ended", { error: error.message }),
  );
  thread.on("exit", () => ended.resolve());
  const beats = clock.every(limits.beatMs, () => box.beat());
  return {
    async [Symbol.asyncDispose]() {
      beats[Symbol.dispose]();
      box.end();
      thread.ref(); // or the process could end in the middle of this
      await ended.promise;
    },
  };
}
