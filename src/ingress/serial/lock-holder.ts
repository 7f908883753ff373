// Who holds the lock on a device file, by the kernel's own list. A lock dies with its process: there are no stale ones to clear.
//
//   /proc/locks   12: FLOCK  ADVISORY  WRITE 812 00:05:431 0 EOF
//                                            └ process  └ device and inode of the locked file, as stat gives them

import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";

/** `minicom (process 812)`, or undefined when nobody holds it or we cannot know (no /proc, another pid namespace hides it). */
export async function findLockHolder(path: string, proc = "/proc"): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    const file = `${deviceNumber(dev)}:${ino}`;
    for (const line of (await readFile(`${proc}/locks`, "utf8")).split("\n")) {
      const [, , , , processId, locked] = line.split(/\s+/);
      if (locked === file && processId !== undefined) return await nameProcess(processId, proc);
    }
  } catch {
    // the answer is a courtesy; without it the port is busy all the same
  }
  return undefined;
}

/** Source: glibc sys/sysmacros.h, gnu_dev_major and gnu_dev_minor; /proc/locks prints both with two hex digits at least. */
function deviceNumber(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xffff_f000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffff_ff00n);
  return `${major.toString(16).padStart(2, "0")}:${minor.toString(16).padStart(2, "0")}`;
}

/** Programs that run others: not their own name says who it is, but that of what they run. */
const INTERPRETER = /^(?:node|MainThread|python[\d.]*|perl|ruby|sh|bash|dash)$/;
const NAME_CHARS_MAX = 64;

/** `minicom (process 812)`. What the program calls itself is cut to what can be shown. */
export async function nameProcess(processId: string, proc = "/proc"): Promise<string> {
  try {
    const name = (await readFile(`${proc}/${processId}/comm`, "utf8")).trim().replace(/^node-/, ""); // Node's threads add theirs
    const script = INTERPRETER.test(name) ? await scriptOf(processId, proc) : undefined;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is being removed
    const shown = (script ?? name).replaceAll(/[\u0000-\u001f\u007f]/g, "?").slice(0, NAME_CHARS_MAX);
    return `${shown} (process ${processId})`;
  } catch {
    return `another program (process ${processId})`; // it runs outside of this container
  }
}

/** `petiole` of `node --flag /usr/lib/petiole/petiole.js run`; undefined where no such word is. */
async function scriptOf(processId: string, proc: string): Promise<string | undefined> {
  const words = (await readFile(`${proc}/${processId}/cmdline`, "utf8").catch(() => "")).split("\0");
  const script = words.slice(1).find((word) => word !== "" && !word.startsWith("-"));
  const name = script === undefined ? "" : basename(script).replace(/\.[cm]?[jt]s$/, "");
  return name === "" ? undefined : name;
}
