// Lets the whole spoke live and die in simulated worlds, thousands of times, and checks what it promised each time.
// Worlds: test/simulation/spoke-world.ts. How they are run: lib/simulate/.

import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { openS2Codec } from "#s2/codec.ts";
import { abortOnInterrupt } from "./lib/interrupt.ts";
import { MUTANTS, tryMutant } from "./lib/simulate/mutants.ts";
import { runWorld } from "./lib/simulate/run-world.ts";
import { runWorlds, type Totals } from "./lib/simulate/run-worlds.ts";

const LIVES = 20;
const CUTS = 1000;
/** The rarest shows after some 3,000: its window is one rename wide. */
const MUTANT_CUTS = 15_000;
const PROGRESS_MS = 10_000;

const HELP = `usage: scripts/simulate [--cuts N] [--jobs N] [--seed S] [--lives N] [--json]
       scripts/simulate --seed S [--verbose]
       scripts/simulate --mutants [--cuts N] [--jobs N] [--seed S] [--json]

The whole spoke on a fake clock, disk, network and serial port, with devices and a hub that misbehave. The power fails and the process
is killed again and again; in the end everything must work, start and arrive. One seed decides all of a world.
  --cuts N     power cuts and kills in all (default ${CUTS}; a release wants 20000), over as many worlds as it takes
  --jobs N     worlds at the same time (default 1)
  --lives N    lives of a world before its last one (default ${LIVES})
  --seed S     the first world; alone: just that world
  --verbose    with --seed alone: what happens in it, line by line
  --mutants    breaks one safeguard after the other (${MUTANTS.map(({ name }) => name).join(", ")}) and shows that it is noticed;
               each within --cuts (default ${MUTANT_CUTS})
  --json       the outcome as JSON
Exit code 1 when a promise was broken, with the command to replay it; or when a broken safeguard was not noticed.

example: scripts/simulate --cuts 20000 --jobs 2
`;

interface Options {
  readonly seed: number;
  readonly cuts: number | undefined;
  readonly jobs: number;
  readonly lives: number;
  readonly isJson: boolean;
  readonly signal: AbortSignal;
}

async function main(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      cuts: { type: "string" },
      jobs: { type: "string", default: "1" },
      lives: { type: "string", default: String(LIVES) },
      verbose: { type: "boolean", default: false },
      mutants: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return true;
  }
  const options: Options = {
    seed: wholeNumber("--seed", values.seed ?? String(randomInt(2 ** 31))),
    cuts: values.cuts === undefined ? undefined : wholeNumber("--cuts", values.cuts),
    jobs: Math.max(1, wholeNumber("--jobs", values.jobs)),
    lives: wholeNumber("--lives", values.lives),
    isJson: values.json,
    signal: abortOnInterrupt(),
  };
  if (values.mutants) return await showMutants(options);
  if (values.seed !== undefined && options.cuts === undefined) return await replay(options, values.verbose);
  return await release(options);
}

/** One world, told line by line. */
async function replay({ seed, lives, isJson }: Options, isVerbose: boolean): Promise<boolean> {
  const trace = (line: string) => console.log(line);
  const result = await runWorld(seed, { codec: openS2Codec(), lives, ...(isVerbose ? { trace } : {}) });
  const { breach, ...figures } = result;
  if (isJson) console.log(JSON.stringify({ ...figures, breach: breach?.message ?? null }));
  else if (breach === null) console.log(`world ${seed}: ${figures.cuts} cuts, ${figures.acknowledged} acknowledged, all well`);
  else
    console.log(
      `world ${seed}: ${breach.stack ?? breach.message}${breach.cause === undefined ? "" : `\ncaused by ${String(breach.cause)}`}`,
    );
  return breach === null;
}

async function release(options: Options): Promise<boolean> {
  const { seed, cuts = CUTS, jobs, lives, isJson, signal } = options;
  const started = performance.now();
  let toldAt = started;
  const onProgress = (totals: Totals) => {
    if (isJson || performance.now() - toldAt < PROGRESS_MS) return;
    toldAt = performance.now();
    console.log(`… ${totals.cuts} cuts, ${totals.acknowledged} acknowledged, ${totals.breaches.length} promises broken`);
  };
  if (!isJson) console.log(`from seed ${seed}`);
  const totals = await runWorlds({ seed, cuts, jobs, lives, signal, liar: null, breachesMax: 1, onProgress });
  const seconds = (performance.now() - started) / 1000;
  if (isJson) console.log(JSON.stringify({ seed, ...totals, seconds }));
  else console.log(summary(totals, seconds));
  for (const breach of totals.breaches) {
    if (isJson) continue;
    console.log(`world ${breach.seed}: ${breach.words}`);
    console.log(`replay: scripts/simulate --seed ${breach.seed}${lives === LIVES ? "" : ` --lives ${lives}`} --verbose`);
  }
  return totals.breaches.length === 0;
}

function summary(totals: Totals, seconds: number): string {
  const { cuts, worlds, published, acknowledged, repeated, accounted, starts, linked, commits, breaches } = totals;
  const verdict = breaches.length === 0 ? "lost 0, doubled 0" : `${breaches.length} promises broken`;
  return (
    `${cuts} cuts in ${worlds} worlds: ${published} published, ${acknowledged} acknowledged, ${verdict}; ` +
    `${starts} starts (${linked} with a link), ${commits} commits, ${repeated} sent again under the same id, ` +
    `${accounted} given up and accounted for; ${seconds.toFixed(0)} s, ${(cuts / seconds).toFixed(0)} cuts/s`
  );
}

async function showMutants({ seed, cuts = MUTANT_CUTS, jobs, lives, isJson, signal }: Options): Promise<boolean> {
  const results = [];
  for (const { name } of MUTANTS) {
    const result = await tryMutant(name, { seed, cuts, jobs, lives, signal });
    results.push(result);
    if (isJson) continue;
    const fate =
      result.cuts === null
        ? `NOT NOTICED within ${cuts} cuts`
        : `noticed after ${result.cuts} cuts: ${result.breach!.slice(0, 140)}`;
    console.log(`${name}: ${result.words}\n    ${fate}`);
  }
  if (isJson) console.log(JSON.stringify({ seed, mutants: results }));
  return results.every((result) => result.cuts !== null);
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new Error(`${option} wants a whole number, got "${text}"`);
  return value;
}

try {
  if (!(await main(process.argv.slice(2)))) process.exitCode ||= 1;
} catch (error) {
  console.error(`petiole: ${(error as Error).message}`);
  process.exitCode ||= 1;
}
