// The fuzzer as a step of a test run.

import { programStep } from "../program-step.ts";
import type { Step } from "../steps.ts";

/** What starting up and shortening a finding may take beyond the fuzzing itself. */
const GRACE_MS = 60_000;

export function fuzzStep(target: string, seconds: number): Step {
  return programStep({
    name: `fuzz ${target}`,
    args: ["scripts/fuzz.ts", target, "--seconds", String(seconds)],
    timeoutMs: seconds * 1000 + GRACE_MS,
    onLate: "it was still busy; the seed above replays it",
  });
}
