// The little that must be known beside the segments: how often the journal was opened, how far its records are done with, and
// the highest number used. Two files of one format: `epoch`, written at each start, and `cursor`, written now and then.
//
//   0        8         12      16      24             32         40     48     64       72        76    80
//   ├ magic ─┼ version ┼ bytes ┼ epoch ┼ freedThrough ┼ lastSeq ─┼ wall ┼ boot ┼ uptime ┼ has time┼ crc ┤
//   │PTLCURS␊│ u32     │ u32   │ u64   │ u64          │ u64      │ f64  │ uuid │ f64    │ u32     │     │
//
// The time is that of its writing, for whoever wonders how long the last life has been over; the oldest copies (48 bytes) have none.
// The three numbers only ever grow, so of two copies the larger number is the truth. Later versions may only append fields in front of
// the checksum: an older spoke, put back by a rollback, still finds what it needs.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { crc32c } from "#base/crc32c.ts";
import { type Disk, readWhole, removeIfThere, replaceWhole } from "#base/disk.ts";
import { systemCode } from "#base/errors.ts";
import { parseUuid, uuidBytes } from "./uuid.ts";

export interface Cursor {
  readonly epoch: number;
  readonly freedThrough: number;
  readonly lastSeq: number;
}

/** When a cursor was written, by both clocks. */
export interface CursorTime {
  readonly wall: WallMillis;
  /** Which boot `mono` counts from; null: not told. */
  readonly boot: string | null;
  readonly mono: Millis;
}

export function cursorTimeNow({ clock, bootId }: { readonly clock: Clock; readonly bootId?: string }): CursorTime {
  return { wall: clock.wall(), boot: bootId ?? null, mono: clock.now() };
}

export const CURSOR_NAMES = ["epoch", "cursor"] as const;
export type CursorName = (typeof CURSOR_NAMES)[number];

const VERSION = 1;
const MAGIC = "PTLCURS\n";
const CURSOR_BYTES = 80;
const CURSOR_BYTES_MIN = 48;
const TIMED_BYTES_MIN = 80;
const CURSOR_BYTES_MAX = 4096;

export interface CursorFinding {
  /** The larger of each number; all zero if there is no readable copy. */
  readonly cursor: Cursor;
  readonly found: readonly CursorName[];
  /** Copies that are there and cannot be read. */
  readonly damaged: readonly CursorName[];
  /** When the last of them was written; null: not told. */
  readonly time: CursorTime | null;
}

export async function findCursor(disk: Disk, directory: string): Promise<CursorFinding> {
  let cursor: Cursor = { epoch: 0, freedThrough: 0, lastSeq: 0 };
  const found: CursorName[] = [];
  const damaged: CursorName[] = [];
  let time: CursorTime | null = null;
  for (const name of CURSOR_NAMES) {
    const copy = await readCopy(disk, `${directory}/${name}`);
    if (copy === "absent") continue;
    if (copy === "damaged") {
      damaged.push(name);
      continue;
    }
    found.push(name);
    // Written at every start and now and then, in this order: the later name has the later time, unless it is of an earlier start.
    if (copy.time !== null && copy.cursor.epoch >= cursor.epoch) time = copy.time;
    cursor = {
      epoch: Math.max(cursor.epoch, copy.cursor.epoch),
      freedThrough: Math.max(cursor.freedThrough, copy.cursor.freedThrough),
      lastSeq: Math.max(cursor.lastSeq, copy.cursor.lastSeq),
    };
  }
  return { cursor, found, damaged, time };
}

/** Replaces one copy, durably. On a full disk, where a new file has no room, it overwrites the old one: the other copy stands by. */
export async function writeCursor(
  disk: Disk,
  directory: string,
  name: CursorName,
  cursor: Cursor,
  time: CursorTime,
): Promise<void> {
  const bytes = encodeCursor(cursor, time);
  try {
    await replaceWhole(disk, directory, name, bytes);
  } catch (error) {
    if (systemCode(error) !== "ENOSPC") throw error;
    await removeIfThere(disk, `${directory}/${name}.new`);
    await using file = await disk.open(`${directory}/${name}`, "update").catch(() => Promise.reject(error));
    await file.write(bytes, 0);
    await file.datasync();
  }
}

export function encodeCursor(cursor: Cursor, time: CursorTime): Buffer {
  const bytes = Buffer.alloc(CURSOR_BYTES);
  bytes.latin1Write(MAGIC, 0);
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(CURSOR_BYTES, 12);
  bytes.writeBigUInt64LE(BigInt(cursor.epoch), 16);
  bytes.writeBigUInt64LE(BigInt(cursor.freedThrough), 24);
  bytes.writeBigUInt64LE(BigInt(cursor.lastSeq), 32);
  bytes.writeDoubleLE(time.wall, 40);
  if (time.boot !== null) bytes.set(uuidBytes(time.boot), 48);
  bytes.writeDoubleLE(time.mono, 64);
  bytes.writeUInt32LE(1, 72);
  bytes.writeUInt32LE(crc32c(bytes, 0, CURSOR_BYTES - 4), CURSOR_BYTES - 4);
  return bytes;
}

export function tryDecodeCursor(bytes: Buffer): { readonly cursor: Cursor; readonly time: CursorTime | null } | undefined {
  if (bytes.length < CURSOR_BYTES_MIN || bytes.latin1Slice(0, 8) !== MAGIC) return undefined;
  const length = bytes.readUInt32LE(12);
  if (length < CURSOR_BYTES_MIN || length > bytes.length) return undefined;
  if (crc32c(bytes, 0, length - 4) !== bytes.readUInt32LE(length - 4)) return undefined;
  const cursor = {
    epoch: Number(bytes.readBigUInt64LE(16)),
    freedThrough: Number(bytes.readBigUInt64LE(24)),
    lastSeq: Number(bytes.readBigUInt64LE(32)),
  };
  if (length < TIMED_BYTES_MIN || bytes.readUInt32LE(72) !== 1) return { cursor, time: null };
  return { cursor, time: { wall: bytes.readDoubleLE(40), boot: parseUuid(bytes, 48), mono: bytes.readDoubleLE(64) } };
}

async function readCopy(disk: Disk, path: string): Promise<(ReturnType<typeof tryDecodeCursor> & object) | "absent" | "damaged"> {
  try {
    const bytes = await readWhole(disk, path, CURSOR_BYTES_MAX);
    return bytes === undefined ? "absent" : (tryDecodeCursor(bytes) ?? "damaged");
  } catch {
    return "damaged"; // a sector that cannot be read is as good as rot: the other copy and the segments speak
  }
}
