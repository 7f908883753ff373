// Finds processes that a run started and nobody ended, wherever they hang in the process tree: each child inherits a mark in
// its environment, and Linux shows a process's environment to its owner.

import * as fs from "node:fs/promises";

export const MARK_NAME = "TEST_RUN_MARK";

/** How long the kernel may take to end what was killed. */
const KILL_MS = 1_000;

export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

/** Processes of this user other than ourselves that carry the mark. */
export async function findLeftovers(mark: string): Promise<Leftover[]> {
  const names = await fs.readdir("/proc").catch(() => []); // no Linux: nothing can be told
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const checked = await Promise.all(pids.filter((pid) => pid !== process.pid).map((pid) => leftoverAt(pid, mark)));
  return checked.filter((found) => found !== undefined);
}

async function leftoverAt(pid: number, mark: string): Promise<Leftover | undefined> {
  try {
    const environ = await fs.readFile(`/proc/${pid}/environ`, "latin1");
    if (!environ.split("\0").includes(`${MARK_NAME}=${mark}`)) return undefined;
    const command = (await fs.readFile(`/proc/${pid}/cmdline`, "latin1")).replaceAll("\0", " ").trim();
    return { pid, command };
  } catch {
    return undefined; // somebody else's, or gone meanwhile
  }
}

/** Waits up to `graceMs` for the marked processes to end by themselves, then kills the rest and tells which they were. */
export async function endLeftovers(mark: string, graceMs: number): Promise<Leftover[]> {
  const left = await waitForEnd(mark, graceMs);
  for (const { pid } of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // gone between the look and the kill
    }
  }
  if (left.length > 0) await waitForEnd(mark, KILL_MS);
  return left;
}

/** Resolves with those still there after `limitMs`, earlier when there is none. */
async function waitForEnd(mark: string, limitMs: number): Promise<Leftover[]> {
  const until = performance.now() + limitMs;
  for (;;) {
    const left = await findLeftovers(mark);
    if (left.length === 0 || performance.now() >= until) return left;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
