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
    words: "the epoch is written down when the first segment is done with, instead of before the first record",
    wrap: (disk) => withLateRename(disk, (path) => isEpoch(path) || isCursor(path)), // the cursor has it, too
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

/** What is renamed to such a name gets it when the next segment of the folder is gone: removed, or kept for another. */
function withLateRename(disk: Disk, isLate: (path: string) => boolean): Disk {
  const late = new Map<string, () => Promise<void>>();
  const onGone = async (path: string) => {
    if (!path.endsWith(".seg")) return; // the cursor of next time, which replaces it
    for (const [to, rename] of [...late]) {
      if (folderOf(to) !== folderOf(path)) continue;
      late.delete(to);
      await rename();
      await disk.syncDirectory(folderOf(path));
    }
  };
  return {
    ...disk,
    rename: async (from, to) => {
      if (isLate(to)) {
        late.set(to, () => disk.rename(from, to));
        return;
      }
      await disk.rename(from, to);
      await onGone(from);
    },
    remove: async (path) => {
      await disk.remove(path);
      await onGone(path);
    },
  };
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
