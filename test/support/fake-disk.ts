// A disk in memory that forgets what was not synced. Same contract as the system's: test/contract/disk.test.ts.
//
//   write ──▶ seen by every reader ──datasync──▶ durable         create, rename, remove, makeDirectory: the same, by
//             (page cache)           of the file                 syncDirectory of the folder the name stands in
//
//   const disk = new FakeDisk({ seed: 7 });
//   const spoke = await openSpoke({ …, disk: disk.mount() }); // one life's view of it
//   disk.powerCut();                                          // that view is dead: every call rejects with EIO
//   const again = await openSpoke({ …, disk: disk.mount() }); // what is left now was durable, or lucky
//
// A power cut keeps of every unsynced write all, nothing, the beginning, some sectors, or just its length; of the names any
// subset. `killProcess` ends a life, too, but the system goes on: nothing is lost. What a datasync that failed has left behind will never
// reach the disk; the next life still reads it, or does not. Both can be set to strike in the middle of the n-th call from now
// (`strikeAfter`), before or after it took effect.

import type { Disk, DiskFile, DiskSpace } from "#base/disk.ts";
import { type Call, type Counters, FakeFile, type FileFaults, fault, Inode } from "./fake-file.ts";
import { type Entry, Folder } from "./fake-folder.ts";
import { seededRandom } from "./seeded-random.ts";

export interface FakeDiskOptions {
  /** Same seed, same calls: same fate. */
  readonly seed?: number;
  /** Instead of a seed: uniform in [0, 1). */
  readonly random?: () => number;
}

type Strike = "power" | "kill";

/** Faults to order. Counters go down with each call and strike when they reach zero; undefined is never. */
export interface Faults {
  /** The n-th write from now fails with EIO and may have written a part. 1 is the next. */
  failWriteIn: number | undefined;
  /** The n-th datasync from now fails with EIO; like Linux, the disk then forgets what it could not write, and the next one succeeds. */
  failDatasyncIn: number | undefined;
  failSyncDirectoryIn: number | undefined;
  /** Reads that touch a byte this is true for fail with EIO. */
  isUnreadable: ((path: string, position: number) => boolean) | undefined;
  /** Every change fails with EROFS. */
  isReadOnly: boolean;
}

/** A disk of its own, empty but for "/". */
export function fakeDisk(options: FakeDiskOptions = {}): FakeDisk {
  return new FakeDisk(options);
}

export class FakeDisk implements Disk {
  readonly faults: Faults = {
    failWriteIn: undefined,
    failDatasyncIn: undefined,
    failSyncDirectoryIn: undefined,
    isUnreadable: undefined,
    isReadOnly: false,
  };
  readonly counters: Counters = { writes: 0, writtenBytes: 0, datasyncs: 0, directorySyncs: 0, calls: 0 };
  /** Size of the disk: writes beyond it fail with ENOSPC after writing what fits. */
  totalBytes = 64 * 1024 ** 3;
  /** A sync, of a file or a folder, waits for this before it has its effect: a slow disk on a fake clock. */
  beforeSync: (() => Promise<void>) | undefined;
  /** Told after a strike has happened, with the lights already out. */
  onStrike: ((strike: Strike) => void) | undefined;
  readonly #random: () => number;
  readonly #root = new Folder();
  #life = 0;
  #strike: { readonly kind: Strike; calls: number } | undefined;

  constructor(options: FakeDiskOptions = {}) {
    this.#random = options.random ?? seededRandom(options.seed ?? 1);
  }

  // ── lives ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The disk as one life sees it: after the next power cut or kill every call through it rejects with EIO, for ever. */
  mount(): Disk {
    const life = this.#life;
    const guarded = (path: string) => this.#guard(life, path);
    return {
      open: (path, mode) => this.#open(guarded(path), mode),
      list: (path) => this.#list(guarded(path)),
      makeDirectory: (path) => this.#makeDirectory(guarded(path)),
      rename: (from, to) => this.#rename(guarded(from), to),
      remove: (path) => this.#remove(guarded(path)),
      syncDirectory: (path) => this.#syncDirectory(guarded(path)),
      space: (path) => this.#space(guarded(path)),
      mode: (path) => this.#run(guarded(path), () => this.#inode(path).mode),
      setMode: (path, mode) => this.#setMode(guarded(path), mode),
    };
  }

  /** Loses what was not durable, all or some of it, as it pleases. Files that are open are dead. */
  powerCut(): void {
    this.#strike = undefined;
    this.#life += 1;
    this.#root.settle(this.#random, new Set());
    this.onStrike?.("power");
  }

  /** Memory is short: what a sync that failed has left behind in the kernel's is dropped, and from now on read from the disk. */
  dropCaches(): void {
    this.#root.evict(() => 0);
  }

  /** The process is gone, the system is not: open files are dead, nothing is lost. */
  killProcess(): void {
    this.#strike = undefined;
    this.#life += 1;
    this.#root.evict(this.#random);
    this.onStrike?.("kill");
  }

  /** Strikes in the middle of the `calls`-th call from now, 1 being the next; undefined calls it off. */
  strikeAfter(calls: number | undefined, kind: Strike = "power"): void {
    this.#strike = calls === undefined ? undefined : { kind, calls };
  }

  // ── the disk itself, for those who live only once ───────────────────────────────────────────────────────────────────

  open(path: string, mode: "read" | "update" | "create"): Promise<DiskFile> {
    return this.mount().open(path, mode);
  }
  list(path: string): Promise<string[]> {
    return this.mount().list(path);
  }
  makeDirectory(path: string): Promise<void> {
    return this.mount().makeDirectory(path);
  }
  rename(from: string, to: string): Promise<void> {
    return this.mount().rename(from, to);
  }
  remove(path: string): Promise<void> {
    return this.mount().remove(path);
  }
  syncDirectory(path: string): Promise<void> {
    return this.mount().syncDirectory(path);
  }
  space(path: string): Promise<DiskSpace> {
    return this.mount().space(path);
  }
  mode(path: string): Promise<number> {
    return this.mount().mode(path);
  }
  setMode(path: string, mode: number): Promise<void> {
    return this.mount().setMode(path, mode);
  }

  // ── looking and meddling from outside: at once, and durable ─────────────────────────────────────────────────────────

  /** Paths of all files below `path`, sorted. */
  files(path = "/"): string[] {
    const found: string[] = [];
    const walk = (folder: Folder, prefix: string) => {
      for (const [name, entry] of folder.now) {
        if (entry instanceof Folder) walk(entry, `${prefix}${name}/`);
        else found.push(`${prefix}${name}`);
      }
    };
    const entry = this.#find(path);
    if (entry instanceof Folder) walk(entry, path.endsWith("/") ? path : `${path}/`);
    return found.sort();
  }

  peek(path: string): Buffer {
    return Buffer.from(this.#inode(path).now.view());
  }

  /** Makes or replaces the file and the folders above it. */
  plant(path: string, bytes: Uint8Array): void {
    const { parent, name } = split(path);
    const inode = new Inode();
    inode.now.write(bytes, 0);
    inode.durable = inode.now.copy();
    let folder = this.#root;
    for (const part of parts(parent)) {
      const next = folder.now.get(part) ?? new Folder();
      if (!(next instanceof Folder)) throw fault("ENOTDIR", "plant", path);
      folder.now.set(part, next);
      folder.durable.set(part, next);
      folder = next;
    }
    folder.now.set(name, inode);
    folder.durable.set(name, inode);
  }

  /** Rot: flips the bits of `mask` in one byte. */
  rot(path: string, position: number, mask = 1): void {
    const inode = this.#inode(path);
    for (const content of [inode.now, inode.durable]) {
      if (position < content.size) content.view()[position]! ^= mask;
    }
  }

  /** Bytes in files. */
  get usedBytes(): number {
    let bytes = 0;
    const walk = (folder: Folder) => {
      for (const entry of folder.now.values()) {
        if (entry instanceof Folder) walk(entry);
        else bytes += entry.now.size;
      }
    };
    walk(this.#root);
    return bytes;
  }

  // ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(call: Call, mode: "read" | "update" | "create"): Promise<DiskFile> {
    const inode = await this.#run(call, () => {
      const { folder, name } = this.#place(call.path, "open");
      const entry = folder.now.get(name);
      if (mode === "create") {
        if (entry !== undefined) throw fault("EEXIST", "open", call.path);
        this.#mayChange("open", call.path);
        const made = new Inode();
        folder.change({ kind: "set", name, entry: made });
        return made;
      }
      if (entry === undefined) throw fault("ENOENT", "open", call.path);
      if (entry instanceof Folder) {
        // Linux opens a folder for reading and refuses the first read; we refuse at once, both are EISDIR.
        throw fault("EISDIR", "open", call.path);
      }
      if (mode === "update") this.#mayChange("open", call.path);
      return entry;
    });
    return new FakeFile(inode, mode !== "read", call, (effect) => this.#run(call, effect), this.#fileFaults(call.path));
  }

  #list(call: Call): Promise<string[]> {
    return this.#run(call, () => [...this.#folder(call.path, "scandir").now.keys()].sort());
  }

  #makeDirectory(call: Call): Promise<void> {
    return this.#run(call, () => {
      let folder = this.#root;
      for (const name of parts(call.path)) {
        let next = folder.now.get(name);
        if (next === undefined) {
          this.#mayChange("mkdir", call.path);
          next = new Folder();
          folder.change({ kind: "set", name, entry: next });
        }
        if (!(next instanceof Folder)) throw fault(call.path.endsWith(`/${name}`) ? "EEXIST" : "ENOTDIR", "mkdir", call.path);
        folder = next;
      }
    });
  }

  #rename(call: Call, to: string): Promise<void> {
    return this.#run(call, () => {
      const source = this.#place(call.path, "rename");
      const target = this.#place(to, "rename");
      const entry = source.folder.now.get(source.name);
      if (entry === undefined) throw fault("ENOENT", "rename", call.path);
      this.#mayChange("rename", call.path);
      if (source.folder !== target.folder) throw fault("EXDEV", "rename", call.path); // nobody needs it
      if (source.name === target.name) return;
      source.folder.change({ kind: "rename", from: source.name, name: target.name, entry });
    });
  }

  #remove(call: Call): Promise<void> {
    return this.#run(call, () => {
      const { folder, name } = this.#place(call.path, "unlink");
      const entry = folder.now.get(name);
      if (entry === undefined) throw fault("ENOENT", "unlink", call.path);
      if (entry instanceof Folder) throw fault("EISDIR", "unlink", call.path);
      this.#mayChange("unlink", call.path);
      folder.change({ kind: "remove", name });
    });
  }

  async #syncDirectory(call: Call): Promise<void> {
    await this.beforeSync?.();
    await this.#run(call, () => {
      const folder = this.#folder(call.path, "open");
      this.counters.directorySyncs += 1;
      if (this.#strikes("failSyncDirectoryIn")) throw fault("EIO", "fsync", call.path);
      folder.sync();
    });
  }

  #space(call: Call): Promise<DiskSpace> {
    return this.#run(call, () => {
      if (this.#find(call.path) === undefined) throw fault("ENOENT", "statfs", call.path);
      return { freeBytes: Math.max(0, this.totalBytes - this.usedBytes), totalBytes: this.totalBytes };
    });
  }

  /** At once and for good: nobody needs a mode to be lost. */
  #setMode(call: Call, mode: number): Promise<void> {
    return this.#run(call, () => {
      const inode = this.#inode(call.path);
      this.#mayChange("chmod", call.path);
      inode.mode = mode;
    });
  }

  // ── how a call goes ─────────────────────────────────────────────────────────────────────────────────────────────────

  #guard(life: number, path: string): Call {
    return { path, isAlive: () => this.#life === life };
  }

  /** A call takes its turn, has its effect, and is answered; the lights may go out at each of these moments. */
  async #run<T>(call: Call, effect: () => T): Promise<T> {
    this.counters.calls += 1;
    const strikesNow = this.#strike !== undefined && --this.#strike.calls === 0 && call.isAlive() ? this.#strike.kind : undefined;
    const isBefore = strikesNow !== undefined && this.#random() < 0.5;
    await undefined;
    if (isBefore) this.#strikeNow(strikesNow);
    if (!call.isAlive()) throw fault("EIO", "call", call.path);
    let result: T;
    try {
      result = effect();
    } finally {
      if (strikesNow !== undefined && !isBefore) this.#strikeNow(strikesNow);
    }
    await undefined;
    if (!call.isAlive()) throw fault("EIO", "call", call.path);
    return result;
  }

  #strikeNow(kind: Strike): void {
    if (kind === "power") this.powerCut();
    else this.killProcess();
  }

  #strikes(counter: "failWriteIn" | "failDatasyncIn" | "failSyncDirectoryIn"): boolean {
    const left = this.faults[counter];
    if (left === undefined) return false;
    this.faults[counter] = left > 1 ? left - 1 : undefined;
    return left <= 1;
  }

  #mayChange(call: string, path: string): void {
    if (this.faults.isReadOnly) throw fault("EROFS", call, path);
  }

  #fileFaults(path: string): FileFaults {
    return {
      beforeRead: (position, length) => {
        const isUnreadable = this.faults.isUnreadable;
        if (isUnreadable === undefined) return;
        for (let at = position; at < position + length; at++) if (isUnreadable(path, at)) throw fault("EIO", "read", path);
      },
      mayChange: () => this.#mayChange("write", path),
      /** How many of `grown` further bytes fit; fewer make an ENOSPC. */
      fits: (grown) => Math.max(0, Math.min(grown, this.totalBytes - this.usedBytes)),
      writeFails: () => this.#strikes("failWriteIn"),
      beforeSync: () => this.beforeSync?.(),
      datasyncFails: () => this.#strikes("failDatasyncIn"),
      random: this.#random,
      counters: this.counters,
    };
  }

  // ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #find(path: string): Entry | undefined {
    let entry: Entry | undefined = this.#root;
    for (const name of parts(path)) {
      if (!(entry instanceof Folder)) return undefined;
      entry = entry.now.get(name);
    }
    return entry;
  }

  #folder(path: string, call: string): Folder {
    const entry = this.#find(path);
    if (entry === undefined) throw fault("ENOENT", call, path);
    if (!(entry instanceof Folder)) throw fault("ENOTDIR", call, path);
    return entry;
  }

  #inode(path: string): Inode {
    const entry = this.#find(path);
    if (!(entry instanceof Inode)) throw fault("ENOENT", "open", path);
    return entry;
  }

  #place(path: string, call: string): { readonly folder: Folder; readonly name: string } {
    const { parent, name } = split(path);
    return { folder: this.#folder(parent, call), name };
  }
}

function parts(path: string): string[] {
  if (!path.startsWith("/")) throw new Error(`fake disk: wants an absolute path, got ${path}`);
  return path.split("/").filter((part) => part !== "");
}

function split(path: string): { readonly parent: string; readonly name: string } {
  const all = parts(path);
  const name = all.pop();
  if (name === undefined) throw new Error("fake disk: the root is no file");
  return { parent: `/${all.join("/")}`, name };
}
