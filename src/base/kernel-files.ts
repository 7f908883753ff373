// What the kernel tells of the machine in small files (/proc, /sys), as a seam: the real one reads without blocking, tests bring a tree
// of their own (test/support/fake-kernel-files.ts).

import * as fs from "node:fs/promises";

/** Paths are absolute. What is not there, or not for us, is undefined or empty: boards differ, and a missing file is no fault. */
export interface KernelFiles {
  /** The beginning of the file, without white space around it. */
  read(path: string): Promise<string | undefined>;
  /** Names in the folder, sorted. */
  list(path: string): Promise<readonly string[]>;
}

/** One read at most: no file that we look at is longer. Kernel files do not know their own size. */
const READ_BYTES_MAX = 64 * 1024;

export function systemKernelFiles(): KernelFiles {
  return {
    async read(path) {
      try {
        await using file = await fs.open(path, "r");
        const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES_MAX), 0, READ_BYTES_MAX, 0);
        return buffer.toString("utf8", 0, bytesRead).trim();
      } catch {
        return undefined; // absent, not for us, or its driver cannot say at the moment
      }
    },
    async list(path) {
      try {
        return (await fs.readdir(path)).sort();
      } catch {
        return []; // as above
      }
    },
  };
}
