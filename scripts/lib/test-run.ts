// One run of many test files: a few at a time, each its own process, results as they come, one sum at the end.
//
// Most of a short file's time is the start of its process and the loading of what it imports. So quick suites run several files in one
// process; where anything goes wrong there, each of them is run again alone and judged alone.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { type FileResult, runInProcess } from "./test-file.ts";

/** Of a suite whose files share processes. */
const FILES_PER_PROCESS = 12;

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NOTHING: Totals = { passed: 0, failed: 0, skipped: 0 };

export function add(a: Totals, b: Totals): Totals {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** The closing line, alone on its line: people and machines both read it. */
export function closingLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export interface RunOptions {
  readonly timeoutMs: number;
  /** Test files at the same time; they mostly wait, so a little more than there are cores does no harm. */
  readonly concurrency?: number;
  /** Several files run in one process. */
  readonly sharing?: boolean;
  /** Names of tests that may be skipped; any other skip is a failure. */
  readonly allowedSkips: ReadonlySet<string>;
  readonly print: (text: string) => void;
  readonly compileCache?: string | undefined;
  /** Aborting ends the run with all it started. */
  readonly signal: AbortSignal;
}

export async function runTestFiles(files: readonly string[], options: RunOptions): Promise<Totals> {
  const runFolder = await fs.mkdtemp(path.join(os.tmpdir(), "petiole-test-"));
  const run = randomBytes(6).toString("hex");
  let totals = NOTHING;
  try {
    const { timeoutMs, compileCache, signal } = options;
    let processes = 0;
    const runThese = (these: readonly string[]) => {
      processes += 1;
      return runInProcess(these, { runFolder, mark: `${run}-${processes}`, timeoutMs, compileCache, signal });
    };
    const waiting = inGroups(files, options.sharing ? FILES_PER_PROCESS : 1);
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) {
        for (const result of await runGroup(next, runThese, signal)) totals = add(totals, judge(result, options));
      }
    };
    await Promise.all(Array.from({ length: options.concurrency ?? os.availableParallelism() }, worker));
  } finally {
    await fs.rm(runFolder, { recursive: true, force: true });
  }
  options.signal.throwIfAborted();
  return totals;
}

function inGroups(files: readonly string[], size: number): (readonly string[])[] {
  return Array.from({ length: Math.ceil(files.length / size) }, (_, index) => files.slice(index * size, (index + 1) * size));
}

/** All of them in one process; if that fails, each alone, so that a fault is told of the file that has it. */
async function runGroup(
  files: readonly string[],
  run: (files: readonly string[]) => Promise<FileResult>,
  signal: AbortSignal,
): Promise<readonly FileResult[]> {
  const together = await run(files);
  if (files.length === 1 || together.faults.length === 0) return [together];
  const alone: FileResult[] = [];
  for (const file of files) if (!signal.aborted) alone.push(await run([file]));
  const isTold = alone.some(({ faults }) => faults.length > 0);
  const remark = "each of these files passes alone; together in one process they do not";
  return isTold ? alone : [{ ...together, faults: [...together.faults, remark] }];
}

/** Prints what went wrong in one process and counts it. */
function judge(result: FileResult, options: RunOptions): Totals {
  const forbidden = result.skipped.filter(({ name }) => !options.allowedSkips.has(name));
  const faults = [
    ...result.faults,
    ...forbidden.map(({ name, why }) => `${name}\nskipped${why && ` (${why})`}, and test/allowed-skips.txt does not name it`),
  ];
  if (faults.length > 0) {
    options.print(`\n✖ ${result.files.join(" ")}  (${(result.tookMs / 1000).toFixed(1)} s)\n`);
    for (const fault of faults) options.print(`${indent(fault, "  ")}\n`);
    if (result.output.trim()) options.print(`  it printed:\n${indent(result.output.trimEnd(), "  │ ")}\n`);
  }
  return {
    passed: result.passed,
    failed: result.failed + forbidden.length,
    skipped: result.skipped.length - forbidden.length,
  };
}

function indent(text: string, by: string): string {
  return text.replaceAll(/^/gm, by);
}

/** One name a line; `#` starts a remark. */
export async function readAllowedSkips(file: string): Promise<ReadonlySet<string>> {
  const text = await fs.readFile(file, "utf8").catch(() => ""); // no file: none allowed
  const names = text.split("\n").map((line) => line.replace(/(^|\s)#.*$/, "").trim());
  return new Set(names.filter(Boolean));
}
