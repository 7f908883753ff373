// Runs everything: the quick checks, a build, and the tests against the real thing.

import * as path from "node:path";
import { build } from "./build.ts";
import { check } from "./check.ts";
import { needPackages } from "./lib/debian.ts";
import { fuzzStep } from "./lib/fuzz/fuzz-step.ts";
import { abortOnInterrupt } from "./lib/interrupt.ts";
import { findNatsServer, TESTED_LINES } from "./lib/nats-server.ts";
import { openEvidence } from "./lib/report/evidence.ts";
import { soakStep } from "./lib/soak/soak-step.ts";
import { runInTurn, runStep, type Step, suiteStep } from "./lib/steps.ts";
import { filesOf, ROOT, SUITES, type Suite, suiteOf } from "./lib/suites.ts";
import { add, closingLine, NOTHING, type Totals } from "./lib/test-run.ts";

/** What is fed mutated input, and how long; millions of it are for scripts/fuzz. */
const FUZZED = ["leaf", "mqtt", "frames"] as const;
const FUZZ_SECONDS = 20;
/** scripts/soak takes an hour. */
const SOAK_MINUTES = 5;

const HELP = `usage: scripts/test [--only SUITE]… [FILE…]

Installs what is missing, then runs types, lint, a build, every suite of test/ (${SUITES.map(({ name }) => name).join(", ")}) and,
for ${FUZZ_SECONDS} s each from a fresh seed, the fuzzers of the leaf parser, of MQTT packets and of serial frames; beside the last of
them, for ${SOAK_MINUTES} minutes, the soak.
  --only SUITE   just that suite (may be given more than once)
  FILE…          just those test files
Ends with one line "N passed, N failed, N skipped"; exit code 1 when anything failed or nothing was run.

example: scripts/test --only integration
`;

interface Selection {
  readonly suites: readonly Suite[];
  readonly files: readonly string[];
}

function parseArguments(args: readonly string[]): Selection | string {
  const suites: Suite[] = [];
  const files: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === "--only" || word.startsWith("--only=")) {
      const name = word.startsWith("--only=") ? word.slice("--only=".length) : args[++i];
      const suite = SUITES.find((candidate) => candidate.name === name);
      if (suite === undefined) return `no suite ${name ?? "named"} here; there are ${SUITES.map((each) => each.name).join(", ")}`;
      suites.push(suite);
    } else if (word.startsWith("-")) {
      return `no option ${word} here`;
    } else if (suiteOf(word) === undefined || !word.endsWith(".test.ts")) {
      return `${word} is no test file: wanted test/SUITE/….test.ts`;
    } else {
      files.push(path.relative(ROOT, path.resolve(word)));
    }
  }
  return { suites, files };
}

/** What the suites need of the machine, installed before the first test so that no test waits for a download. */
async function prepare(suites: readonly Suite[]): Promise<void> {
  const say = (line: string) => console.log(line);
  await needPackages([...new Set(suites.flatMap(({ packages }) => packages))], say);
  if (!suites.some(({ real }) => real)) return;
  for (const line of TESTED_LINES) {
    const { version, path: binary } = await findNatsServer(line, { say });
    say(`nats-server ${line}: ${version}, ${binary}`);
  }
}

const buildStep: Step = {
  name: "build",
  async run() {
    await build();
    return { totals: NOTHING, output: "" };
  },
};

async function run({ suites, files }: Selection, signal: AbortSignal): Promise<Totals> {
  const all = suites.length === 0 && files.length === 0;
  const chosen = SUITES.filter((suite) => all || suites.includes(suite) || files.some((file) => suiteOf(file) === suite));
  await prepare(chosen);
  let totals = all ? await check(signal) : NOTHING;
  if (chosen.some(({ real }) => real)) totals = add(totals, await runStep(buildStep, signal));
  const steps: Step[] = [];
  for (const suite of chosen) {
    if (all && suite.quick) continue; // check has run them
    const its = suites.includes(suite) || all ? await filesOf(suite) : files.filter((file) => suiteOf(file) === suite);
    if (its.length > 0) steps.push(suiteStep(suite, its));
    else console.log(`no test in ${suite.name} yet`);
  }
  if (!all) return add(totals, await runInTurn(steps, signal));
  for (const target of FUZZED) steps.push(fuzzStep(target, FUZZ_SECONDS));
  // Real time matters to most; those that mind it least run while the soak waits.
  const isPatient = ({ name }: Step) => name === "image" || name === "simulation" || name.startsWith("fuzz");
  totals = add(
    totals,
    await runInTurn(
      steps.filter((step) => !isPatient(step)),
      signal,
    ),
  );
  const [soaked, others] = await Promise.all([
    runStep(soakStep(SOAK_MINUTES), signal),
    runInTurn(steps.filter(isPatient), signal),
  ]);
  return add(totals, add(soaked, others));
}

const selection = process.argv.slice(2).some((word) => word === "--help" || word === "-h")
  ? HELP
  : parseArguments(process.argv.slice(2));
if (typeof selection === "string") {
  process.exitCode = selection === HELP ? 0 : 2;
  (selection === HELP ? process.stdout : process.stderr).write(selection === HELP ? HELP : `petiole: ${selection}\n`);
} else {
  const leave = openEvidence("tests", "scripts/test");
  let totals: Totals;
  try {
    totals = await run(selection, abortOnInterrupt());
  } catch (error) {
    console.error(`petiole: ${(error as Error).message}`);
    totals = { passed: 0, failed: 1, skipped: 0 };
  }
  if (totals.passed + totals.failed === 0) console.log("no test was run");
  console.log(closingLine(totals));
  process.exitCode ||= totals.failed > 0 || totals.passed === 0 ? 1 : 0;
  const isWhole = selection.suites.length === 0 && selection.files.length === 0;
  if (isWhole) await leave(totals, Number(process.exitCode));
}
