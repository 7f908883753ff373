// A short soak as a step of a test run. It mostly waits, so others may run beside it.

import { programStep } from "../program-step.ts";
import type { Step } from "../steps.ts";

/** Preparing, draining and closing. */
const GRACE_MS = 180_000;

export function soakStep(minutes: number): Step {
  return programStep({
    name: "soak",
    args: ["scripts/soak.ts", "--minutes", String(minutes)],
    timeoutMs: minutes * 60_000 + GRACE_MS,
    onLate: "it did not come to an end",
  });
}
