// World after world until so many cuts are made: one seed after the other, dealt out to worker threads.
//
//   seeds  S, S+1, S+2 …  ──▶ job 0: S, S+2 …   job 1: S+1, S+3 …      a seed means the same world whoever runs it

import { Worker } from "node:worker_threads";
import type { WorldSummary } from "./worker.ts";

export interface Totals {
  readonly worlds: number;
  readonly cuts: number;
  readonly starts: number;
  readonly linked: number;
  readonly commits: number;
  readonly published: number;
  readonly acknowledged: number;
  readonly repeated: number;
  readonly accounted: number;
  readonly breaches: readonly { readonly seed: number; readonly words: string }[];
}

export interface RunOptions {
  readonly seed: number;
  readonly cuts: number;
  readonly jobs: number;
  readonly lives: number;
  /** Name of a disk that lies. */
  readonly liar: string | null;
  /** Breaches after which to stop. */
  readonly breachesMax: number;
  readonly signal: AbortSignal;
  onProgress?(totals: Totals): void;
}

const NOTHING: Totals = {
  worlds: 0,
  cuts: 0,
  starts: 0,
  linked: 0,
  commits: 0,
  published: 0,
  acknowledged: 0,
  repeated: 0,
  accounted: 0,
  breaches: [],
};

export async function runWorlds(options: RunOptions): Promise<Totals> {
  let totals = NOTHING;
  const isEnough = () => totals.cuts >= options.cuts || totals.breaches.length >= options.breachesMax || options.signal.aborted;
  const onWorld = (summary: WorldSummary) => {
    totals = sum(totals, summary);
    options.onProgress?.(totals);
  };
  await Promise.all(Array.from({ length: options.jobs }, (_, job) => runJob(job, options, onWorld, isEnough)));
  options.signal.throwIfAborted();
  return totals;
}

/** One thread: asks for the next world when it is done with the last. */
async function runJob(
  job: number,
  { seed, jobs, lives, liar }: RunOptions,
  onWorld: (summary: WorldSummary) => void,
  isEnough: () => boolean,
): Promise<void> {
  if (isEnough()) return;
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: { lives, liar } });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let next = seed + job;
  const askNext = () => {
    if (isEnough()) {
      resolve();
      return;
    }
    worker.postMessage(next);
    next += jobs;
  };
  worker.on("message", (summary: WorldSummary) => {
    onWorld(summary);
    askNext();
  });
  worker.on("error", reject).on("exit", (code) => reject(new Error(`the worker of seed ${next - jobs} ended with code ${code}`)));
  askNext();
  try {
    await promise;
  } finally {
    await worker.terminate();
  }
}

function sum(totals: Totals, world: WorldSummary): Totals {
  const { breach, seed } = world;
  return {
    worlds: totals.worlds + 1,
    cuts: totals.cuts + world.cuts,
    starts: totals.starts + world.starts,
    linked: totals.linked + world.linked,
    commits: totals.commits + world.commits,
    published: totals.published + world.published,
    acknowledged: totals.acknowledged + world.acknowledged,
    repeated: totals.repeated + world.repeated,
    accounted: totals.accounted + world.accounted,
    breaches: breach === null ? totals.breaches : [...totals.breaches, { seed, words: breach }],
  };
}
