// One file of the fake disk (fake-disk.ts): what readers see, what is durable, and what lies between.

import type { DiskFile } from "#base/disk.ts";

const SECTOR_BYTES = 512;

export interface Call {
  readonly path: string;
  isAlive(): boolean;
}

export interface Counters {
  writes: number;
  writtenBytes: number;
  datasyncs: number;
  directorySyncs: number;
  /** All calls of every kind. */
  calls: number;
}

export interface FileFaults {
  beforeRead(position: number, length: number): void;
  mayChange(): void;
  fits(grown: number): number;
  writeFails(): boolean;
  /** A sync waits for what this gives. */
  beforeSync(): Promise<void> | undefined;
  datasyncFails(): boolean;
  readonly random: () => number;
  readonly counters: Counters;
}

interface Write {
  readonly kind: "write";
  readonly position: number;
  readonly bytes: Uint8Array;
}

type Unsynced = Write | { readonly kind: "truncate"; readonly size: number };

export class Inode {
  /** As every reader sees it. */
  now = new Content();
  /** As it would be found after a power cut that keeps nothing. */
  durable = new Content();
  /** As `create` makes it. */
  mode = 0o600;
  #unsynced: Unsynced[] = [];
  #hasForgotten = false;

  write(bytes: Uint8Array, position: number): void {
    this.now.write(bytes, position);
    this.#unsynced.push({ kind: "write", position, bytes });
  }

  truncate(size: number): void {
    this.now.truncate(size);
    this.#unsynced.push({ kind: "truncate", size });
  }

  sync(): void {
    for (const change of this.#unsynced) {
      if (change.kind === "write") this.durable.write(change.bytes, change.position);
      else this.durable.truncate(change.size);
    }
    this.#unsynced = [];
  }

  /** A sync that failed: readers still see it all, but what the kernel could not write it calls clean and never writes. */
  forget(): void {
    this.#hasForgotten ||= this.#unsynced.length > 0;
    this.#unsynced = [];
  }

  /** A new life may find what the kernel called clean dropped from its memory: then the disk is read, and that never had it. */
  evict(random: () => number): void {
    if (!this.#hasForgotten || random() >= 0.5) return;
    this.now = this.durable.copy();
    for (const change of this.#unsynced) {
      if (change.kind === "write") this.now.write(change.bytes, change.position);
      else this.now.truncate(change.size);
    }
    this.#hasForgotten = false;
  }

  /** The power is gone: of each unsynced change keeps all, nothing or pieces. */
  settle(random: () => number): void {
    if (this.#unsynced.length === 0 && !this.#hasForgotten) return;
    const fate = random();
    for (const change of this.#unsynced) {
      if (fate < 0.25) continue;
      const isWhole = fate < 0.4 || (fate < 0.7 && random() < 0.5);
      if (change.kind === "truncate") {
        if (isWhole || random() < 0.5) this.durable.truncate(change.size);
      } else if (isWhole) this.durable.write(change.bytes, change.position);
      else tear(this.durable, change, random);
    }
    this.now = this.durable.copy();
    this.#unsynced = [];
    this.#hasForgotten = false;
  }
}

/** Writes some of it: the beginning, the mere length, or a choice of sectors. The same bytes once more are no danger to those that are there. */
function tear(content: Content, write: Write, random: () => number): void {
  const { bytes, position } = write;
  const fate = random();
  if (fate < 0.2) return;
  if (fate < 0.45) content.write(bytes.subarray(0, Math.floor(random() * bytes.length)), position);
  else if (fate < 0.55) content.write(zerosButFor(content.view(), bytes, position), position);
  else {
    if (random() < 0.5) content.grow(position + bytes.length);
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES));
      if (random() < 0.5) content.write(bytes.subarray(at, end), position + at);
      at = end;
    }
  }
}

function zerosButFor(there: Uint8Array, bytes: Uint8Array, position: number): Uint8Array {
  return Uint8Array.from(bytes, (byte, i) => (there[position + i] === byte ? byte : 0));
}

export class FakeFile implements DiskFile {
  readonly #inode: Inode;
  readonly #isWritable: boolean;
  readonly #call: Call;
  readonly #run: <T>(effect: () => T) => Promise<T>;
  readonly #faults: FileFaults;
  #isClosed = false;

  constructor(inode: Inode, isWritable: boolean, call: Call, run: <T>(effect: () => T) => Promise<T>, faults: FileFaults) {
    this.#inode = inode;
    this.#isWritable = isWritable;
    this.#call = call;
    this.#run = run;
    this.#faults = faults;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#effect(false, () => {
      const content = this.#inode.now;
      const length = Math.max(0, Math.min(target.length, content.size - position));
      this.#faults.beforeRead(position, length);
      target.set(content.view().subarray(position, position + length));
      return length;
    });
  }

  write(source: Uint8Array, position: number): Promise<void> {
    return this.#effect(true, () => {
      this.#faults.mayChange();
      const bytes = Uint8Array.from(source);
      const grown = Math.max(0, position + bytes.length - this.#inode.now.size);
      const short = grown - this.#faults.fits(grown);
      this.#faults.counters.writes += 1;
      if (this.#faults.writeFails()) {
        this.#put(bytes.subarray(0, Math.floor(this.#faults.random() * bytes.length)), position);
        throw fault("EIO", "write", this.#call.path);
      }
      this.#put(bytes.subarray(0, bytes.length - short), position);
      if (short > 0) throw fault("ENOSPC", "write", this.#call.path);
    });
  }

  truncate(size: number): Promise<void> {
    return this.#effect(true, () => {
      this.#faults.mayChange();
      this.#inode.truncate(size);
    });
  }

  async datasync(): Promise<void> {
    await this.#faults.beforeSync();
    await this.#effect(false, () => {
      this.#faults.counters.datasyncs += 1;
      if (this.#faults.datasyncFails()) {
        this.#inode.forget();
        throw fault("EIO", "fdatasync", this.#call.path);
      }
      this.#inode.sync();
    });
  }

  size(): Promise<number> {
    return this.#effect(false, () => this.#inode.now.size);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
  }

  #put(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    this.#faults.counters.writtenBytes += bytes.length;
    this.#inode.write(bytes, position);
  }

  async #effect<T>(isChange: boolean, effect: () => T): Promise<T> {
    if (this.#isClosed || (isChange && !this.#isWritable)) throw fault("EBADF", "call", this.#call.path);
    return this.#run(effect);
  }
}

/** Bytes that grow by doubling; a gap reads as zeros. */
export class Content {
  size = 0;
  #bytes = new Uint8Array(0);

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }

  copy(): Content {
    const copy = new Content();
    copy.write(this.view(), 0);
    return copy;
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    this.grow(position + bytes.length);
    this.#bytes.set(bytes, position);
  }

  grow(size: number): void {
    if (size > this.#bytes.length) {
      const wider = new Uint8Array(Math.max(size, this.#bytes.length * 2, 256));
      wider.set(this.view());
      this.#bytes = wider;
    }
    this.size = Math.max(this.size, size);
  }

  truncate(size: number): void {
    this.grow(size);
    this.#bytes.fill(0, size, this.size);
    this.size = size;
  }
}

/** Shaped as the system's faults are. */
export function fault(code: string, syscall: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path });
}
