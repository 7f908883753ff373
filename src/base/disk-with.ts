// Another disk over one: some calls of our own, all others handed on. By name, since a disk may be of a class, whose calls no spread copies.

import type { Disk } from "./disk.ts";

export function diskWith(disk: Disk, own: Partial<Disk>): Disk {
  return {
    open: (path, mode) => disk.open(path, mode),
    list: (path) => disk.list(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    space: (path) => disk.space(path),
    mode: (path) => disk.mode(path),
    setMode: (path, mode) => disk.setMode(path, mode),
    ...own,
  };
}
