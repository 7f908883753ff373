// Which processor the leaf under test has for itself, and which the load, the hub and its subscriber share.

import * as fs from "node:fs/promises";
import { tryCommand } from "../command.ts";

export interface Cores {
  /** As taskset takes it, such as "1"; null when nothing is pinned. */
  readonly leaf: string | null;
  readonly load: string | null;
  /** What to print beside the figures. */
  readonly note: string;
}

export async function chooseCores(): Promise<Cores> {
  const status = await fs.readFile("/proc/self/status", "utf8");
  const allowed = parseCpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "0");
  const hasTaskset = await tryCommand("taskset", ["--version"]).then(
    ({ code }) => code === 0,
    () => false,
  );
  if (!hasTaskset) return unpinned("taskset is missing (Debian package util-linux)");
  const leaf = allowed.at(-1);
  if (leaf === undefined || allowed.length < 2) return unpinned("there is one processor only");
  const load = allowed.slice(0, -1).join(",");
  return { leaf: String(leaf), load, note: `leaf on processor ${leaf}; load, hub and subscriber on ${load}` };
}

/** "0-2,5" → 0, 1, 2, 5 */
export function parseCpuList(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** The command line that starts a program on those processors; a Go program then sees no others. */
export function pinned(cores: string | null, command: string, args: readonly string[]): [command: string, args: string[]] {
  return cores === null ? [command, [...args]] : ["taskset", ["--cpu-list", cores, command, ...args]];
}

/** The command line behind words that change where it runs, such as those of nsenter; without words as it is. */
export function within(words: readonly string[], command: string, args: readonly string[]): [command: string, args: string[]] {
  const [first = command, ...more] = [...words, command, ...args];
  return [first, more];
}

function unpinned(why: string): Cores {
  return { leaf: null, load: null, note: `not pinned, all processes share all processors: ${why}` };
}
