// Runs one test file as a process of its own, or a few in one, and judges it. A file fails by a failed test, by crashing, by holding no
// test, by not ending (a handle left open, a wait that never came true), or by leaving a process behind.

import { spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { endLeftovers, MARK_NAME } from "./leftovers.ts";
import type { TestEvent } from "./test-events.ts";

export interface FileResult {
  readonly files: readonly string[];
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
  /** One paragraph per fault; empty when all is well. */
  readonly faults: readonly string[];
  /** What the file printed, both streams. */
  readonly output: string;
  readonly tookMs: number;
}

export interface FileOptions {
  /** Folder for this run's scratch files, shared by its test files through TEST_RUN_FOLDER. */
  readonly runFolder: string;
  /** Unique in the machine; marks every process the file starts. */
  readonly mark: string;
  readonly timeoutMs: number;
  /** Folder where Node keeps modules stripped of their types, for the files to come: half of a short file's start is that. */
  readonly compileCache?: string | undefined;
  /** Aborting kills the file and all it started. */
  readonly signal: AbortSignal;
}

/** How long processes that were told to end may take for it. */
const LEFTOVER_GRACE_MS = 2_000;
const OUTPUT_BYTES_MAX = 256 * 1024;
const REPORTER = path.join(import.meta.dirname, "test-events.ts");

export async function runInProcess(files: readonly string[], options: FileOptions): Promise<FileResult> {
  const startedMs = performance.now();
  const eventsFile = path.join(options.runFolder, `${options.mark}.events`);
  const together = files.length > 1 ? ["--test", "--test-isolation=none"] : [];
  const args = [...together, "--test-reporter", REPORTER, "--test-reporter-destination", eventsFile, ...files];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    // NODE_TEST_CONTEXT would make the file speak to a `node --test` further up instead of to our reporter.
    env: {
      ...process.env,
      NODE_TEST_CONTEXT: undefined,
      NODE_COMPILE_CACHE: options.compileCache,
      [MARK_NAME]: options.mark,
      TEST_RUN_FOLDER: options.runFolder,
    },
  });
  let output = "";
  const keep = (text: string) => {
    output = (output + text).slice(-OUTPUT_BYTES_MAX);
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  const ended = Promise.withResolvers<string>();
  child.once("error", ended.reject);
  child.once("exit", (code, signal) => ended.resolve(signal ?? `code ${code}`));

  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, options.timeoutMs);
  const onAbort = () => child.kill("SIGKILL");
  options.signal.addEventListener("abort", onAbort, { once: true });
  const end = await ended.promise.finally(() => {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", onAbort);
  });
  const leftovers = await endLeftovers(options.mark, late || options.signal.aborted ? 0 : LEFTOVER_GRACE_MS);
  child.stdout.destroy(); // a leftover may have held the pipe
  child.stderr.destroy();

  const events = await readEvents(eventsFile);
  const totals = events.findLast((event) => event.kind === "totals");
  const faults = events.flatMap((event) =>
    event.kind === "failed" ? [`${event.name}  (line ${event.line})\n${event.error}`] : [],
  );
  let failed = totals?.failed ?? faults.length;
  const fault = (words: string) => {
    faults.push(words);
    failed += 1;
  };
  const skipped = events.filter((event) => event.kind === "skipped");
  const astray = events.flatMap((event) => (event.kind === "astray" ? [event.words] : []));
  if (late) fault(`did not end within ${options.timeoutMs / 1000} s and was killed: ${whyLate(events)}`);
  else if (events.length === 0 && end === "code 0") fault("holds no test, or ended before its first");
  else if (totals?.passed === 0 && failed === 0 && skipped.length === 0) fault("holds no test");
  else if (end !== "code 0" && failed === 0) fault([`ended with ${end}`, ...astray].join("\n"));
  else if (totals === undefined && failed === 0) fault(`ended before its tests did: ${whyLate(events)}`);
  else if (failed === 0 && files.length > 1) {
    const holding = new Set(events.flatMap((event) => (event.kind === "held" ? [path.resolve(event.file)] : [])));
    for (const file of files.filter((each) => !holding.has(path.resolve(each)))) fault(`${file} holds no test`);
  }
  if (leftovers.length > 0 && !late) {
    fault(`left processes behind (killed now): ${leftovers.map(({ pid, command }) => `${pid} ${command}`).join("; ")}`);
  }
  return { files, passed: totals?.passed ?? 0, failed, skipped, faults, output, tookMs: performance.now() - startedMs };
}

/** Which tests had begun and not ended. */
function whyLate(events: readonly TestEvent[]): string {
  const open = new Map<number, string>();
  for (const event of events) {
    if (event.kind === "began") open.set(event.id, event.name);
    if (event.kind === "ended") open.delete(event.id);
  }
  if (open.size > 0) return `"${[...open.values()].join('", "')}" never came to an end`;
  return events.length > 0
    ? "its tests were done, something was left open"
    : "its first test, or the file itself, never came to an end";
}

async function readEvents(file: string): Promise<TestEvent[]> {
  const text = await fs.readFile(file, "utf8").catch(() => ""); // it never came so far
  const lines = text.split("\n").slice(0, -1); // what follows the last newline is nothing, or torn
  return lines.map((line) => JSON.parse(line) as TestEvent);
}
