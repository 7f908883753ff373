// What a process costs while it does nothing: time on a processor to the nanosecond, wake-ups, memory by its kind.
//
// Sources: /proc/PID/task/*/schedstat and status, /proc/PID/smaps_rollup (proc(5)).

import * as fs from "node:fs/promises";

export interface Awake {
  /** Of all threads. */
  readonly cpuNs: number;
  /** Times a thread had waited and was woken: voluntary context switches of all threads. */
  readonly wakeups: number;
}

export interface Memory {
  readonly rssBytes: number;
  /** Heaps and stacks: nobody else has these pages. */
  readonly anonymousBytes: number;
  /** Programs and libraries, mapped from files: the kernel may drop them and read them again. */
  readonly fileBytes: number;
}

export async function readAwake(pid: number): Promise<Awake> {
  const folder = `/proc/${pid}/task`;
  const threads = await Promise.all(
    (await fs.readdir(folder)).map(async (thread) => {
      const [schedule, status] = await Promise.all([
        fs.readFile(`${folder}/${thread}/schedstat`, "latin1").catch(() => ""), // it has ended meanwhile
        fs.readFile(`${folder}/${thread}/status`, "latin1").catch(() => ""),
      ]);
      return { cpuNs: Number(schedule.split(" ")[0] || 0), wakeups: parseWakeups(status) };
    }),
  );
  return threads.reduce((sum, each) => ({ cpuNs: sum.cpuNs + each.cpuNs, wakeups: sum.wakeups + each.wakeups }));
}

export function parseWakeups(status: string): number {
  return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1] ?? 0);
}

/** Undefined where the kernel does not tell. */
export async function readMemory(pid: number): Promise<Memory | undefined> {
  return parseMemory(await fs.readFile(`/proc/${pid}/smaps_rollup`, "latin1").catch(() => ""));
}

export function parseMemory(rollup: string): Memory | undefined {
  const field = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(rollup)?.[1] ?? Number.NaN) * 1024;
  const [rssBytes, anonymousBytes] = [field("Rss"), field("Anonymous")];
  if (Number.isNaN(rssBytes + anonymousBytes)) return undefined;
  return { rssBytes, anonymousBytes, fileBytes: rssBytes - anonymousBytes };
}
