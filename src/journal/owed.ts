// Names of segments that could not be read at a start and may hold what was never sent: encrypted with a key that was away, refused by
// the disk, of a later version. When one of them can be read again, `freedThrough` may long have passed its numbers by; without this
// list it would be taken for done with, and removed.
//
//   owed     0000000007-3-9f1c22ab.seg␊  …  crc32c <8 hex digits over the lines above>␊
//
// There is no such file while every segment can be read. Tests: test/unit/journal/owed.test.ts

import { crc32c } from "#base/crc32c.ts";
import { type Disk, readWhole, removeIfThere, replaceWhole } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";

const NAME = "owed";
export const OWED_NAMES = [NAME, `${NAME}.new`] as const;
const FILE_BYTES_MAX = 1024 * 1024;
const SUM_BYTES = 16;

/** A file that is damaged owes nothing: then its segments are judged by their numbers alone. */
export async function readOwed(disk: Disk, directory: string): Promise<ReadonlySet<string>> {
  const bytes = await readWhole(disk, `${directory}/${NAME}`, FILE_BYTES_MAX + 1).catch((error: unknown) => {
    if (!isFault(error)) throw error;
    return undefined;
  });
  if (bytes === undefined || bytes.length <= SUM_BYTES || bytes.length > FILE_BYTES_MAX) return new Set();
  const end = bytes.length - SUM_BYTES;
  if (bytes.toString("latin1", end) !== sumLine(bytes, end)) return new Set();
  return new Set(bytes.toString("latin1", 0, end - 1).split("\n"));
}

/** Durable when it resolves; a disk that refuses is only told of, for it must not keep a journal from opening. */
export async function writeOwed(disk: Disk, directory: string, names: ReadonlySet<string>, log: Log): Promise<void> {
  try {
    if (names.size === 0) {
      await removeIfThere(disk, `${directory}/${NAME}`);
      return;
    }
    const lines = Buffer.from([...names].map((name) => `${name}\n`).join(""), "latin1");
    await replaceWhole(disk, directory, NAME, Buffer.concat([lines, Buffer.from(sumLine(lines, lines.length))]));
  } catch (error) {
    if (!isFault(error)) throw error;
    log.warn("journal: could not note which segments cannot be read now; they may be taken for done with later", {
      directory,
      error: explain(error),
    });
  }
}

function sumLine(bytes: Buffer, end: number): string {
  return `crc32c ${crc32c(bytes, 0, end).toString(16).padStart(8, "0")}\n`;
}
