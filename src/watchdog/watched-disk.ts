// A disk that knows which of its calls are under way, and since when: the oldest one is what hangs, if anything does.

import type { Disk, DiskFile } from "#base/disk.ts";

export interface DiskCall {
  /** Never used twice. */
  readonly id: number;
  /** "fdatasync of /data/outbox/…". */
  readonly what: string;
}

export class WatchedDisk implements Disk {
  readonly #disk: Disk;
  /** In the order they began. */
  readonly #calls = new Map<number, string>();
  #lastId = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** The call that has been under way for longest; undefined: none is. */
  get oldest(): DiskCall | undefined {
    for (const [id, what] of this.#calls) return { id, what };
    return undefined;
  }

  async open(path: string, mode: "read" | "update" | "create"): Promise<DiskFile> {
    const file = await this.#during(`open of ${path}`, this.#disk.open(path, mode));
    return this.#watched(file, path);
  }

  list(path: string): Promise<string[]> {
    return this.#during(`listing of ${path}`, this.#disk.list(path));
  }

  makeDirectory(path: string): Promise<void> {
    return this.#during(`making of ${path}`, this.#disk.makeDirectory(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#during(`rename to ${to}`, this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#during(`removal of ${path}`, this.#disk.remove(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#during(`sync of ${path}`, this.#disk.syncDirectory(path));
  }

  space(path: string): ReturnType<Disk["space"]> {
    return this.#during(`statfs of ${path}`, this.#disk.space(path));
  }

  mode(path: string): Promise<number> {
    return this.#during(`stat of ${path}`, this.#disk.mode(path));
  }

  setMode(path: string, mode: number): Promise<void> {
    return this.#during(`chmod of ${path}`, this.#disk.setMode(path, mode));
  }

  #watched(file: DiskFile, path: string): DiskFile {
    return {
      read: (target, position) => this.#during(`read of ${path}`, file.read(target, position)),
      write: (source, position) => this.#during(`write to ${path}`, file.write(source, position)),
      truncate: (bytes) => this.#during(`truncate of ${path}`, file.truncate(bytes)),
      datasync: () => this.#during(`fdatasync of ${path}`, file.datasync()),
      size: () => this.#during(`stat of ${path}`, file.size()),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  }

  async #during<T>(what: string, call: Promise<T>): Promise<T> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#calls.set(id, what);
    try {
      return await call;
    } finally {
      this.#calls.delete(id);
    }
  }
}
