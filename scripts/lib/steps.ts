// Steps of a check or a test run: quiet while all is well, their output when they fail, times beside their names.

import { tryCommand } from "./command.ts";
import { filesOf, ROOT, type Suite } from "./suites.ts";
import { add, NOTHING, readAllowedSkips, runTestFiles, type Totals } from "./test-run.ts";

export interface StepResult {
  readonly totals: Totals;
  /** What to print beneath the step's line. */
  readonly output: string;
}

export interface Step {
  readonly name: string;
  run(signal: AbortSignal): Promise<StepResult>;
}

const FAILED: Totals = { passed: 0, failed: 1, skipped: 0 };

/** A program that says nothing worth reading unless it fails. Counts as a failure, never as a pass: it is no test. */
export function commandStep(name: string, command: string, args: readonly string[]): Step {
  return {
    name,
    async run() {
      const { code, output } = await tryCommand(command, args, {
        cwd: ROOT,
        env: { FORCE_COLOR: process.stdout.isTTY ? "1" : "0" },
      });
      return code === 0 ? { totals: NOTHING, output: "" } : { totals: FAILED, output };
    },
  };
}

/** All test files of a suite, or those given. */
export function suiteStep(suite: Suite, files?: readonly string[], concurrency?: number): Step {
  return {
    name: suite.name,
    async run(signal) {
      const allowedSkips = await readAllowedSkips(`${ROOT}/test/allowed-skips.txt`);
      let output = "";
      const print = (text: string) => {
        output += text;
      };
      const options = {
        timeoutMs: suite.timeoutMs,
        allowedSkips,
        print,
        signal,
        sharing: suite.quick,
        compileCache: suite.quick ? `${ROOT}/build/compile-cache` : undefined,
        ...(concurrency === undefined ? {} : { concurrency }),
      };
      return { totals: await runTestFiles(files ?? (await filesOf(suite)), options), output };
    },
  };
}

/** Runs a step, prints its line, and turns a throw into a failure. */
export async function runStep(step: Step, signal: AbortSignal): Promise<Totals> {
  const startedMs = performance.now();
  let result: StepResult;
  try {
    result = await step.run(signal);
  } catch (error) {
    result = { totals: FAILED, output: (error as Error).message };
  }
  const { passed, failed, skipped } = result.totals;
  const counts = [passed && `${passed} passed`, failed && `${failed} failed`, skipped && `${skipped} skipped`]
    .filter(Boolean)
    .join(", ");
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${failed === 0 ? "✔" : "✖"} ${step.name.padEnd(12)} ${seconds.padStart(6)} s  ${counts}`);
  if (result.output.trim()) console.log(`${result.output.trimEnd()}\n`);
  return result.totals;
}

export async function runTogether(steps: readonly Step[], signal: AbortSignal): Promise<Totals> {
  const totals = await Promise.all(steps.map((step) => runStep(step, signal)));
  return totals.reduce(add, NOTHING);
}

export async function runInTurn(steps: readonly Step[], signal: AbortSignal): Promise<Totals> {
  let totals = NOTHING;
  for (const step of steps) totals = add(totals, await runStep(step, signal));
  return totals;
}
