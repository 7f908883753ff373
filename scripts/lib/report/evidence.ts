// What runs leave behind in build/evidence, for test/REPORT.md: one file a run, the newest of its name.
//
//   bench-*.json   scripts/bench all                         in an envelope: command, when, how long, load
//   tests.json     scripts/test                              the same
//   soak.json, simulate.json, mutants.json, fuzz.txt         what the script prints, by redirection

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../suites.ts";

export const EVIDENCE_FOLDER = path.join(ROOT, "build/evidence");

const LOOK_MS = 500;

export interface Evidence {
  /** Name of the file without its ending. */
  readonly name: string;
  /** As it was typed; empty where the file does not tell. */
  readonly command: string;
  /** ISO 8601. When it began; of a redirected output, when it ended. */
  readonly at: string;
  readonly seconds: number | null;
  /** Load average of a minute before and after; null where the file does not tell. */
  readonly load: readonly [before: number, after: number] | null;
  /** Of all processors, what was in use before it began, 0 to 1: others' work. Absent where nobody looked. */
  readonly others?: number;
  /** 0 unless something failed; null where the file does not tell. */
  readonly exitCode: number | null;
  /** What the script said: parsed JSON, or text. */
  readonly outcome: unknown;
}

/** Begins the account of a run; what it hands back ends it and leaves the file. `others`: what `otherWork` has found. */
export function openEvidence(
  name: string,
  command: string,
  others?: number,
): (outcome: unknown, exitCode: number) => Promise<string> {
  const at = new Date().toISOString();
  const startedAt = performance.now();
  const before = loadNow();
  return async (outcome, exitCode) => {
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    const evidence: Evidence = {
      name,
      command,
      at,
      seconds,
      load: [before, loadNow()],
      exitCode,
      outcome,
      ...(others === undefined ? {} : { others }),
    };
    const file = path.join(EVIDENCE_FOLDER, `${name}.json`);
    await fs.mkdir(EVIDENCE_FOLDER, { recursive: true });
    await fs.writeFile(file, `${JSON.stringify(evidence, undefined, 2)}\n`);
    return file;
  };
}

/** How much of all processors is in use while we do nothing for half a second. The load average still remembers our own run before. */
export async function otherWork(): Promise<number> {
  const before = times();
  await sleep(LOOK_MS);
  const after = times();
  return Math.round(((after.busy - before.busy) / (after.all - before.all)) * 1000) / 1000;
}

function times(): { readonly busy: number; readonly all: number } {
  let busy = 0;
  let all = 0;
  for (const { times } of os.cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busy += used;
    all += used + times.idle;
  }
  return { busy, all };
}

/** All there is, by name. A file that cannot be read as what it should be is told by name and left out. */
export async function readEvidence(folder: string, say: (line: string) => void): Promise<ReadonlyMap<string, Evidence>> {
  const found = new Map<string, Evidence>();
  const files = await fs.readdir(folder).catch(() => []); // nothing was run yet
  for (const file of files.sort()) {
    const name = path.parse(file).name;
    if (!/\.(json|txt)$/.test(file)) continue;
    const { mtime } = await fs.stat(path.join(folder, file));
    const text = await fs.readFile(path.join(folder, file), "utf8");
    try {
      found.set(name, file.endsWith(".txt") ? bare(name, mtime, text) : parseEvidence(name, mtime, text));
    } catch (error) {
      say(`${file} is left out: ${(error as Error).message}`);
    }
  }
  return found;
}

export function parseEvidence(name: string, mtime: Date, text: string): Evidence {
  const value = JSON.parse(text) as Partial<Evidence>;
  const isEnvelope = typeof value === "object" && value !== null && "outcome" in value && typeof value.at === "string";
  return isEnvelope ? ({ exitCode: null, ...value, name } as Evidence) : bare(name, mtime, value);
}

function bare(name: string, mtime: Date, outcome: unknown): Evidence {
  return { name, command: "", at: mtime.toISOString(), seconds: null, load: null, exitCode: null, outcome };
}

function loadNow(): number {
  return Math.round(os.loadavg()[0]! * 100) / 100;
}
