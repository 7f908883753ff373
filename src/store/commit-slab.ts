// Lays out one commit as the journal wants it: its own record first, then a record a change, end to end in one slab.

import { bodyBytes, RECORD_HEADER_BYTES, writeHeader } from "#journal/record.ts";
import { COMMIT_BYTES, changeBytes, writeChange, writeCommit } from "./change.ts";

const SLAB_BYTES_MIN = 16 * 1024;
/** Kept between commits; a larger one is let go. */
const SLAB_BYTES_MAX = 1024 * 1024;

export class CommitSlab {
  bytes = Buffer.alloc(0);
  end = 0;
  /** Changes so far. */
  count = 0;
  #firstSeq = 0;
  #time = 0;

  /** `seq`: of the commit's own record; its changes have those behind it. */
  begin(seq: number, time: number): void {
    if (this.bytes.length > SLAB_BYTES_MAX) this.bytes = Buffer.alloc(0);
    this.#firstSeq = seq;
    this.#time = time;
    this.end = RECORD_HEADER_BYTES + COMMIT_BYTES;
    this.count = 0;
    this.#reserve(0);
  }

  /** Returns the seq it has got. */
  add(key: string, value: Buffer | null): number {
    const length = changeBytes(key, value);
    const seq = this.#header(length);
    writeChange(this.bytes, this.end, key, value);
    this.end += length;
    return seq;
  }

  /** The same for a record that is in a journal already. */
  copy(slab: Buffer, at: number): number {
    const length = bodyBytes(slab, at);
    const seq = this.#header(length);
    slab.copy(this.bytes, this.end, at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length);
    this.end += length;
    return seq;
  }

  /** Nothing is added any more. */
  finish(after: number, floor: number): void {
    writeHeader(this.bytes, 0, COMMIT_BYTES, this.#firstSeq, this.#time);
    writeCommit(this.bytes, RECORD_HEADER_BYTES, { count: this.count, after, floor });
  }

  #header(length: number): number {
    this.#reserve(RECORD_HEADER_BYTES + length);
    this.count += 1;
    const seq = this.#firstSeq + this.count;
    writeHeader(this.bytes, this.end, length, seq, this.#time);
    this.end += RECORD_HEADER_BYTES;
    return seq;
  }

  #reserve(bytes: number): void {
    if (this.end + bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES_MIN, this.bytes.length * 2, this.end + bytes));
    this.bytes.copy(larger, 0, 0, this.end);
    this.bytes = larger;
  }
}
