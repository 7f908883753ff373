// A segment is units end to end, each with a header that has a checksum of its own: records in format 1, groups of records in
// format 2. What the scanner must know of either, and nothing else, stands here. Hot path: plain functions over slabs.

import type { Checksum } from "./packer.ts";

export interface UnitFormat {
  readonly version: number;
  /** Where in the file the first unit begins. */
  readonly start: number;
  readonly headerBytes: number;
  /** True if the header at `at`, which lies wholly in `slab`, is one of ours and unharmed. Cheap for bytes that are no header. */
  headerHolds(slab: Buffer, at: number, salt: number): boolean;
  /** The first place from `at` on, `last` at most, where a header is not out of the question; above `last`: there is none. */
  mayBegin(slab: Buffer, at: number, last: number): number;
  /** True if the body, which lies wholly in `slab` behind a header that holds, is unharmed. */
  bodyHolds(slab: Buffer, at: number, salt: number, checksum?: Checksum): boolean;
  /** Header and body. */
  unitBytes(slab: Buffer, at: number): number;
  /** 0: a filler, bytes to skip. */
  firstSeq(slab: Buffer, at: number): number;
  lastSeq(slab: Buffer, at: number): number;
  count(slab: Buffer, at: number): number;
  newestTime(slab: Buffer, at: number): number;
  /** What its records take when they are laid out in memory (record.ts). */
  laidOutBytes(slab: Buffer, at: number): number;
  /** True if this unit was the first of its append. */
  beginsAppend(slab: Buffer, at: number): boolean;
  /** A header that says: skip from here `bytes` in all. It has no body checksum, what it covers is garbage. */
  filler(bytes: number, salt: number): Buffer;
}
