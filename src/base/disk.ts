// The disk as a seam. Everything that must survive a power cut goes through here, so that a simulated disk
// (test/support/fake-disk.ts) can lose, tear and reorder whatever was not synced. Contract: test/contract/disk.test.ts.
//
// What is durable when (POSIX, as ext4 and f2fs keep it):
//   bytes of a file         after datasync() of that file
//   size grown by a write   after datasync() of that file
//   a name (create, rename, unlink)   after syncDirectory() of its folder

import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
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
    open: async (path, mode) => new SystemFile(await fs.open(path, FLAGS[mode], 0o600), path),
    list: async (path) => (await fs.readdir(path)).sort(),
    makeDirectory: makeFolder,
    rename: (from, to) => fs.rename(from, to),
    remove: (path) => fs.unlink(path),
    async syncDirectory(path) {
      await using handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        await handle.sync();
      } catch (error) {
        throw named(error, path);
      }
    },
    async space(path) {
      const { bavail, blocks, bsize } = await fs.statfs(path);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    },
    mode: async (path) => (await fs.stat(path)).mode & 0o777,
    setMode: (path, mode) => fs.chmod(path, mode),
  };
}

/** Not `mkdir` with `recursive`: that never ends where a file system (/proc, /sys) says of a name below an existing folder that it is not there. */
async function makeFolder(path: string): Promise<void> {
  try {
    await fs.mkdir(path, 0o700);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST" && (await isFolder(path))) return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await makeLast(path);
  }
}

/** Its parent is there. */
async function makeLast(path: string): Promise<void> {
  try {
    await fs.mkdir(path, 0o700);
  } catch (error) {
    if (systemCode(error) !== "EEXIST" || !(await isFolder(path))) throw error; // somebody made it meanwhile
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await fs.stat(path).then(
    (found) => found.isDirectory(),
    () => false, // a link that leads nowhere
  );
}

class SystemFile implements DiskFile {
  readonly #handle: fs.FileHandle;
  readonly #path: string;

  constructor(handle: fs.FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    try {
      while (filled < target.length) {
        const { bytesRead } = await this.#handle.read(target, filled, target.length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (error) {
      throw named(error, this.#path);
    }
    return filled;
  }

  async write(source: Uint8Array, position: number): Promise<void> {
    let written = 0;
    try {
      while (written < source.length) {
        const { bytesWritten } = await this.#handle.write(source, written, source.length - written, position + written);
        written += bytesWritten;
      }
    } catch (error) {
      throw named(error, this.#path);
    }
  }

  async truncate(bytes: number): Promise<void> {
    try {
      await this.#handle.truncate(bytes);
    } catch (error) {
      throw named(error, this.#path);
    }
  }

  async datasync(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw named(error, this.#path);
    }
  }

  async size(): Promise<number> {
    try {
      return (await this.#handle.stat()).size;
    } catch (error) {
      throw named(error, this.#path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** The system does not say which file it was once that is open: we do. */
function named(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || "path" in error) return error;
  error.message += ` '${path}'`;
  return Object.assign(error, { path });
}

/**
 * Makes the folder and its parents so that they are still there after a power cut. One that exists is synced into its parent all the
 * same: whoever made it may have been killed in between. What is no folder, here or above, is named by the fault's path.
 */
export async function ensureDirectory(disk: Disk, path: string): Promise<void> {
  const parent = dirname(path);
  try {
    await disk.list(path);
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    await ensureDirectory(disk, parent);
    if (code === "ENOTDIR") throw error; // the parent is a folder: it is this one
    await disk.makeDirectory(path);
    await disk.syncDirectory(parent);
    return;
  }
  try {
    await disk.syncDirectory(parent);
  } catch (error) {
    if (systemCode(error) !== "EACCES") throw error; // a parent that is not ours to read: whoever made the folder in it was not us
  }
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

/** What is in a folder; nothing is in one that is not there. */
export async function listIfThere(disk: Disk, directory: string): Promise<readonly string[]> {
  try {
    return await disk.list(directory);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

export async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
