// A thread that runs the worlds it is told to, one at a time.

import { parentPort, workerData } from "node:worker_threads";
import { openS2Codec } from "#s2/codec.ts";
import { LIARS } from "../../../test/simulation/spoke-liars.ts";
import { runWorld, type WorldResult } from "./run-world.ts";

/** What may pass between threads. */
export type WorldSummary = Omit<WorldResult, "breach"> & { readonly breach: string | null };

const { lives, liar: liarName } = workerData as { readonly lives: number; readonly liar: string | null };
const liar = LIARS.find(({ name }) => name === liarName);
const codec = openS2Codec();

parentPort!.on("message", async (seed: number) => {
  const { breach, ...result } = await runWorld(seed, { codec, lives, ...(liar === undefined ? {} : { liar }) });
  parentPort!.postMessage({ ...result, breach: breach === null ? null : words(breach) });
});

/** With its causes. */
function words(error: Error): string {
  const cause = error.cause instanceof Error ? `: ${words(error.cause)}` : "";
  return `${error.message}${cause}`;
}
