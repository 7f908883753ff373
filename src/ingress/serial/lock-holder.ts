// Who holds the lock on a device file, by the kernel's own list. A lock dies with its process: there are no stale ones to clear.
//
//   /proc/locks   12: FLOCK  ADVISORY  WRITE 812 00:05:431 0 EOF
//                                            └ process  └ device and inode of the locked file, as stat gives them

import { readFile, stat } from "node:fs/promises";

/** `minicom (process 812)`, or undefined when nobody holds it or we cannot know (no /proc, another pid namespace hides it). */
export async function findLockHolder(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    const file = `${deviceNumber(dev)}:${ino}`;
    for (const line of (await readFile("/proc/locks", "utf8")).split("\n")) {
      const [, , , , processId, locked] = line.split(/\s+/);
      if (locked === file && processId !== undefined) return await nameProcess(processId);
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

async function nameProcess(processId: string): Promise<string> {
  try {
    const name = (await readFile(`/proc/${processId}/comm`, "utf8")).trim();
    return `${name} (process ${processId})`;
  } catch {
    return `another program (process ${processId})`; // it runs outside of this container
  }
}
