// The quick checks: types, lint and every test that needs neither network nor other programs. Meant for before each commit.

import { abortOnInterrupt } from "./lib/interrupt.ts";
import { commandStep, runTogether, type Step, suiteStep } from "./lib/steps.ts";
import { filesOf, SUITES } from "./lib/suites.ts";
import { closingLine, type Totals } from "./lib/test-run.ts";

/** Runs them all side by side and prints a line for each. */
export async function check(signal: AbortSignal): Promise<Totals> {
  const suites: Step[] = [];
  for (const suite of SUITES) {
    if (suite.quick && (await filesOf(suite)).length > 0) suites.push(suiteStep(suite));
  }
  const tools = [
    commandStep("types", "tsc", ["--noEmit", "--pretty", "false"]),
    commandStep("types of the page", "tsc", ["--noEmit", "--pretty", "false", "--project", "src/web/page"]),
    commandStep("lint", "biome", ["check", "--error-on-warnings", "--colors=off", "."]),
  ];
  return await runTogether([...tools, ...suites], signal);
}

if (import.meta.main) {
  const startedMs = performance.now();
  const totals = await check(abortOnInterrupt());
  if (totals.passed + totals.failed === 0) console.log("no test was run");
  console.log(`in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  console.log(closingLine(totals));
  process.exitCode ||= totals.failed > 0 || totals.passed === 0 ? 1 : 0;
}
