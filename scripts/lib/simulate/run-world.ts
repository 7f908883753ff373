// Runs worlds of the simulation (test/simulation/spoke-world.ts) and says what came of them.

import type { S2Codec } from "#s2/codec.ts";
import { SpokeWorld, type WorldOptions } from "../../../test/simulation/spoke-world.ts";

export interface WorldResult {
  readonly seed: number;
  readonly cuts: number;
  readonly starts: number;
  readonly published: number;
  readonly acknowledged: number;
  /** Arrived at the hub again under the same id, and were dropped there. */
  readonly repeated: number;
  /** Said by the spoke to be lost, for a reason it may have. */
  readonly accounted: number;
  /** Starts after which the link came up, and group commits to flash. */
  readonly linked: number;
  readonly commits: number;
  /** What was broken; null: nothing. */
  readonly breach: Error | null;
}

export interface RunOptions extends Omit<WorldOptions, "codec"> {
  readonly codec: S2Codec;
  /** Lives before the last one. */
  readonly lives: number;
}

/** One world from its first start to its last end. Never rejects for what the spoke does. */
export async function runWorld(seed: number, options: RunOptions): Promise<WorldResult> {
  let breach: Error | null = null;
  const onStray = (error: unknown) => {
    breach ??= new Error("nobody caught this", { cause: error });
  };
  process.on("uncaughtException", onStray).on("unhandledRejection", onStray);
  let world: SpokeWorld | undefined;
  try {
    world = await SpokeWorld.open(seed, options);
    for (let i = 0; i < options.lives && breach === null; i++) await world.live();
    if (breach === null) await world.settle();
  } catch (error) {
    breach ??= error as Error;
  } finally {
    process.off("uncaughtException", onStray).off("unhandledRejection", onStray);
  }
  return {
    seed,
    cuts: world?.cuts ?? 0,
    starts: world?.starts ?? 0,
    published: world?.truth.sent.length ?? 0,
    acknowledged: world?.truth.acknowledged ?? 0,
    repeated: world?.truth.doubles ?? 0,
    accounted: world?.accounted ?? 0,
    linked: world?.linked ?? 0,
    commits: world?.commits ?? 0,
    breach,
  };
}
