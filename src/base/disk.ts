// The disk as a seam. Everything that must survive a power cut goes through here, so that a simulated disk
// (test/support/fake-disk.ts) can lose, tear and reorder whatever was not synced. Contract: test/contract/disk.test.ts.
//
// What is durable when (POSIX, as ext4 and f2fs keep it):
//   bytes of a file         after datasync() of that file
//   size grown by a write   after datasync() of that file
//   a name (create, rename, unlink)   after syncDirectory() of its folder

import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { systemCode } from "./errors.ts";

export interface DiskFile extends AsyncDisposable {
  /** Fills `target` from `position`; returns the bytes read, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes the whole of `source` at `position`; the buffer is not ours to change until this resolves. */
  write(source: Uint8Array, position: number): Promise<void>;
  truncate(bytes: number): Promise<void>;
  datasync(): Promise<void>;
  size(): Promise<number>;
}

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Paths are absolute. Faults are the system's (`ENOENT`, `ENOSPC`, `EIO`, `EROFS`, `EEXIST`). */
export interface Disk {
  /** `read`: must exist. `update`: must exist, read and write. `create`: must not exist, read and write, mode 0600. */
  open(path: string, mode: "read" | "update" | "create"): Promise<DiskFile>;
  /** Names in the folder, sorted. */
  list(path: string): Promise<string[]>;
  /** Makes the folder and its parents, mode 0700; fine if it exists. */
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  space(path: string): Promise<DiskSpace>;
  /** Who may do what with the file: the nine bits of its mode, such as 0o600. */
  mode(path: string): Promise<number>;
  setMode(path: string, mode: number): Promise<void>;
}

const FLAGS = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;

export function systemDisk(): Disk {
  return {
    open: async (path, mode) => new SystemFile(await fs.open(path, FLAGS[mode], 0o600)),
    list: async (path) => (await fs.readdir(path)).sort(),
    makeDirectory: async (path) => void (await fs.mkdir(path, { recursive: true, mode: 0o700 })),
    rename: (from, to) => fs.rename(from, to),
    remove: (path) => fs.unlink(path),
    async syncDirectory(path) {
      await using handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
      await handle.sync();
    },
    async space(path) {
      const { bavail, blocks, bsize } = await fs.statfs(path);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    },
    mode: async (path) => (await fs.stat(path)).mode & 0o777,
    setMode: (path, mode) => fs.chmod(path, mode),
  };
}

class SystemFile implements DiskFile {
  readonly #handle: fs.FileHandle;

  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await this.#handle.read(target, filled, target.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  async write(source: Uint8Array, position: number): Promise<void> {
    let written = 0;
    while (written < source.length) {
      const { bytesWritten } = await this.#handle.write(source, written, source.length - written, position + written);
      written += bytesWritten;
    }
  }

  truncate(bytes: number): Promise<void> {
    return this.#handle.truncate(bytes);
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/**
 * Makes the folder and its parents so that they are still there after a power cut. One that exists is synced into its parent all the
 * same: whoever made it may have been killed in between.
 */
export async function ensureDirectory(disk: Disk, path: string): Promise<void> {
  const parent = path.slice(0, path.replace(/\/+$/, "").lastIndexOf("/")) || "/";
  try {
    await disk.list(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    await ensureDirectory(disk, parent);
    await disk.makeDirectory(path);
  }
  await disk.syncDirectory(parent);
}

/** The whole file, or undefined if there is none. Longer than `bytesMax`: the first `bytesMax` bytes. */
export async function readWhole(disk: Disk, path: string, bytesMax: number): Promise<Buffer | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(path, "read");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  await using open = file;
  const buffer = Buffer.alloc(Math.min(await open.size(), bytesMax));
  return buffer.subarray(0, await open.read(buffer, 0));
}

/** Puts `bytes` at `path` so that a power cut at any moment leaves either the old content or the new, whole. */
export async function replaceWhole(disk: Disk, directory: string, name: string, bytes: Uint8Array): Promise<void> {
  const path = `${directory}/${name}`;
  const temporary = `${path}.new`;
  await removeIfThere(disk, temporary);
  {
    await using file = await disk.open(temporary, "create");
    await file.write(bytes, 0);
    await file.datasync();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(directory);
}

export async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
