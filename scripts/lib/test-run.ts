// One run of many test files: a few at a time, each its own process, results as they come, one sum at the end.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { type FileResult, runTestFile } from "./test-file.ts";

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
    const waiting = files.map((file, index) => ({ file, mark: `${run}-${index}` }));
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined && !options.signal.aborted; next = waiting.shift()) {
        const { timeoutMs, compileCache, signal } = options;
        const result = await runTestFile(next.file, { runFolder, mark: next.mark, timeoutMs, compileCache, signal });
        totals = add(totals, judge(result, options));
      }
    };
    await Promise.all(Array.from({ length: options.concurrency ?? os.availableParallelism() }, worker));
  } finally {
    await fs.rm(runFolder, { recursive: true, force: true });
  }
  options.signal.throwIfAborted();
  return totals;
}

/** Prints what went wrong in one file and counts it. */
function judge(result: FileResult, options: RunOptions): Totals {
  const forbidden = result.skipped.filter(({ name }) => !options.allowedSkips.has(name));
  const faults = [
    ...result.faults,
    ...forbidden.map(({ name, why }) => `${name}\nskipped${why && ` (${why})`}, and test/allowed-skips.txt does not name it`),
  ];
  if (faults.length > 0) {
    options.print(`\n✖ ${result.file}  (${(result.tookMs / 1000).toFixed(1)} s)\n`);
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
