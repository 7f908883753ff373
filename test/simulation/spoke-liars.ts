// Disks that lie, each in one way: what the spoke does at the right moment has no effect, or has it at the wrong one. A simulation
// that does not notice would not notice a spoke that forgets to do it either.

import type { Disk, DiskFile } from "#base/disk.ts";

export interface Liar {
  readonly name: string;
  /** What is broken, in words. */
  readonly words: string;
  /** One life's view of the disk, spoilt. */
  wrap(disk: Disk): Disk;
}

const isSegment = (path: string) => /\.seg(\.new)?$/.test(path);
const isCursor = (path: string) => path.endsWith("/cursor");
const isEpoch = (path: string) => path.endsWith("/epoch");

export const LIARS: readonly Liar[] = [
  {
    name: "fsync",
    words: "the fdatasync of a commit does nothing",
    wrap: (disk) => withFiles(disk, (path, file) => (isSegment(path) ? withoutSync(file) : file)),
  },
  {
    name: "directory-fsync",
    words: "the fsync of a directory does nothing",
    wrap: (disk) => ({ ...disk, syncDirectory: async () => undefined }),
  },
  {
    name: "cursor-order",
    words: "the cursor is written after the removal of the segments it is about",
    wrap: (disk) => withLateRename(disk, isCursor),
  },
  {
    name: "epoch-order",
    words: "the epoch is written down at the end of a start, if at all, instead of before the first record",
    wrap: (disk) => withLateRename(disk, isEpoch),
  },
];

function withFiles(disk: Disk, wrap: (path: string, file: DiskFile) => DiskFile): Disk {
  return { ...disk, open: async (path, mode) => wrap(path, await disk.open(path, mode)) };
}

function withoutSync(file: DiskFile): DiskFile {
  return {
    read: (target, position) => file.read(target, position),
    write: (source, position) => file.write(source, position),
    truncate: (bytes) => file.truncate(bytes),
    datasync: async () => undefined,
    size: () => file.size(),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

/** What is renamed to such a name gets it when the next file of the folder has been removed. */
function withLateRename(disk: Disk, isLate: (path: string) => boolean): Disk {
  const late = new Map<string, () => Promise<void>>();
  return {
    ...disk,
    rename: async (from, to) => {
      if (!isLate(to)) return await disk.rename(from, to);
      late.set(folderOf(to), () => disk.rename(from, to));
    },
    remove: async (path) => {
      await disk.remove(path);
      if (!path.endsWith(".seg")) return; // the cursor of next time, which replaces it
      const rename = late.get(folderOf(path));
      late.delete(folderOf(path));
      if (rename === undefined) return;
      await rename();
      await disk.syncDirectory(folderOf(path));
    },
  };
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
