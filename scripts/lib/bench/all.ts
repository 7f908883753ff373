// `scripts/bench all`: every part, one after the other, each a process of its own, within a quarter of an hour. Leaves what each found in
// build/evidence as JSON, and drawings of it as SVG; scripts/report makes test/REPORT.md of them.
//
// The order is that of importance: what no longer fits into the time is left out, and said.

import { spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { needPackages } from "../debian.ts";
import { EVIDENCE_FOLDER, type Evidence, openEvidence, otherWork } from "../report/evidence.ts";
import { ROOT } from "../suites.ts";
import { whyNoLine } from "./packet-line.ts";
import { plotsOf } from "./plots.ts";

const HELP = `usage: scripts/bench all [--quick] [--only PART]…

Runs the parts of the bench in turn and leaves their figures in build/evidence: bench-PART.json, and drawings as .svg.
  --quick      shorter and fewer: three minutes instead of fifteen
  --only PART  just that part (may be given more than once)
Exit code 1 when a part could not be run or a promise was broken; parts left out for want of time are named.
`;

interface Part {
  readonly name: string;
  readonly args: readonly string[];
  /** What it takes on a quiet machine of two processors. */
  readonly seconds: number;
  /** Why it cannot be run here; undefined when it can. */
  readonly whyNot?: () => Promise<string | undefined>;
}

/** What peers and lines are made of. Who may not install them does without what wants them. */
const PACKAGES = ["mosquitto", "socat", "iproute2", "util-linux"];
const MINUTES = 15;
const QUICK_MINUTES = 3;
/** A part that takes so many times what it should, plus half a minute, is ended. */
const PATIENCE = 3;
const GRACE_SECONDS = 30;

const QUICK: readonly Part[] = [
  { name: "main", args: ["--quick", "--rounds", "1"], seconds: 44 },
  { name: "site", args: ["site", "--quick"], seconds: 26 },
  { name: "thin", args: ["thin", "--quick"], seconds: 18, whyNot: whyNoLine },
  { name: "start", args: ["start", "--quick", "--rounds", "1"], seconds: 12 },
  { name: "interest", args: ["interest", "--quick"], seconds: 14 },
  { name: "idle", args: ["idle", "--quick", "--seconds", "8"], seconds: 17 },
  { name: "hostile", args: ["hostile", "--quick", "--seconds", "1"], seconds: 33 },
];

const FULL: readonly Part[] = [
  { name: "main", args: ["--quick", "--rounds", "3"], seconds: 95 },
  { name: "site", args: ["site"], seconds: 128 },
  { name: "thin", args: ["thin"], seconds: 85, whyNot: whyNoLine },
  { name: "hostile", args: ["hostile", "--seconds", "3"], seconds: 56 },
  { name: "start", args: ["start", "--rounds", "2"], seconds: 30 },
  { name: "outbox", args: ["outbox", "--quick"], seconds: 110 },
  { name: "idle", args: ["idle", "--seconds", "57"], seconds: 102 },
  { name: "interest", args: ["interest", "--quick"], seconds: 14 },
  { name: "serial", args: ["serial", "--seconds", "10"], seconds: 20 },
  { name: "s2", args: ["s2", "--quick"], seconds: 24 },
  { name: "nats", args: ["nats", "--quick"], seconds: 75 },
  { name: "mqtt", args: ["mqtt", "--quick"], seconds: 124 },
  { name: "floor", args: ["floor", "--quick"], seconds: 22 },
];

export async function benchAll(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const plan = values.quick ? QUICK : FULL;
  const unknown = values.only.find((name) => !plan.some((part) => part.name === name));
  if (unknown !== undefined) throw new Error(`--only wants one of ${plan.map(({ name }) => name).join(", ")}, got "${unknown}"`);
  const parts = plan.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  if (process.getuid?.() === 0) await needPackages(PACKAGES, (line) => void process.stderr.write(`petiole: ${line}\n`));
  const endAt = performance.now() + (values.quick ? QUICK_MINUTES : MINUTES) * 60_000;
  const failed: string[] = [];
  for (const part of parts) {
    signal.throwIfAborted();
    if (performance.now() + part.seconds * 1000 > endAt) {
      console.log(`${part.name.padEnd(9)} left out: it takes ${part.seconds} s, more than are left`);
      continue;
    }
    const why = await part.whyNot?.();
    if (why !== undefined) {
      console.log(`${part.name.padEnd(9)} left out: ${why}`);
      continue;
    }
    const { exitCode, seconds, load } = await runPart(part, signal);
    if (exitCode !== 0) failed.push(part.name);
    const state = exitCode === 0 ? "done" : `ended with code ${exitCode}`;
    console.log(`${part.name.padEnd(9)} ${state} in ${seconds} s, load average ${load!.join(" → ")}`);
  }
  console.log(`in ${path.relative(ROOT, EVIDENCE_FOLDER)}; scripts/report makes test/REPORT.md of it`);
  if (failed.length > 0) throw new Error(`not all is well: ${failed.join(", ")}`);
}

async function runPart({ name, args, seconds }: Part, signal: AbortSignal): Promise<Evidence> {
  const leave = openEvidence(`bench-${name}`, `scripts/bench ${args.join(" ")}`, await otherWork());
  const { stdout, exitCode } = await run([...args, "--json"], seconds * PATIENCE + GRACE_SECONDS, signal);
  signal.throwIfAborted();
  const outcome = tryParse(stdout);
  const file = await leave(outcome ?? stdout, outcome === undefined ? exitCode || 1 : exitCode);
  const evidence = JSON.parse(await fs.readFile(file, "utf8")) as Evidence;
  const note = `${evidence.at.slice(0, 10)}, ${evidence.command}, load average ${evidence.load!.join(" → ")}`;
  for (const plot of outcome === undefined ? [] : plotsOf(name, outcome, note))
    await fs.writeFile(path.join(EVIDENCE_FOLDER, `bench-${plot.name}.svg`), plot.svg);
  return evidence;
}

async function run(args: readonly string[], limitSeconds: number, signal: AbortSignal) {
  const child = spawn(process.execPath, [path.join(ROOT, "scripts/bench.ts"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (stdout += text));
  const onLate = () => void child.kill("SIGTERM");
  const timer = setTimeout(onLate, limitSeconds * 1000);
  signal.addEventListener("abort", onLate, { once: true });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve(code ?? 128));
  });
  clearTimeout(timer);
  signal.removeEventListener("abort", onLate);
  return { stdout, exitCode };
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it ended early and said why on stderr
  }
}
