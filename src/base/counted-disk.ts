// A disk that tells how much was written to which file. Costs one call per write, and writes are batches.

import type { Disk, DiskFile } from "./disk.ts";
import { diskWith } from "./disk-with.ts";

export function countedDisk(disk: Disk, onWritten: (path: string, bytes: number) => void): Disk {
  return diskWith(disk, {
    async open(path, mode) {
      const file = await disk.open(path, mode);
      return mode === "read" ? file : new CountedFile(file, (bytes) => onWritten(path, bytes));
    },
  });
}

class CountedFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #onWritten: (bytes: number) => void;

  constructor(file: DiskFile, onWritten: (bytes: number) => void) {
    this.#file = file;
    this.#onWritten = onWritten;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#file.read(target, position);
  }

  /** What was tried counts: a write that failed half-way may have worn the flash all the same. */
  write(source: Uint8Array, position: number): Promise<void> {
    this.#onWritten(source.length);
    return this.#file.write(source, position);
  }

  truncate(bytes: number): Promise<void> {
    return this.#file.truncate(bytes);
  }

  datasync(): Promise<void> {
    return this.#file.datasync();
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}
