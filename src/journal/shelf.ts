// The segments of an open journal, by number, and what they hold together. Numbers only: nothing here touches the disk.
//
//   retired ◀── segment ┼ segment ┼ segment ┼ active
//   files to be removed   first                last

import type { Segment } from "./segment.ts";

export class Shelf {
  /** None is wholly freed, but the last may be while it is active. */
  readonly #segments: Segment[];
  /** Gone, their files not removed yet. */
  #retired: Segment[];
  #records = 0;
  #bytes = 0;

  constructor(segments: readonly Segment[], retired: readonly Segment[]) {
    this.#segments = [...segments];
    this.#retired = [...retired];
    for (const { records, endBytes } of segments) this.onGrown(records, endBytes);
  }

  get first(): Segment | undefined {
    return this.#segments[0];
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hasRetired(): boolean {
    return this.#retired.length > 0;
  }

  /** Records above `freedThrough`, which stands in the first segment or before it. */
  liveRecords(freedThrough: number): number {
    const { first } = this;
    return first === undefined ? 0 : this.#records - first.records + first.liveRecords(freedThrough);
  }

  find(predicate: (segment: Segment) => boolean): Segment | undefined {
    return this.#segments.find(predicate);
  }

  /** The first segment with a record at or above `seq`. */
  segmentWith(seq: number): Segment | undefined {
    const last = this.#segments.at(-1);
    if (last === undefined || last.lastSeq < seq) return undefined;
    return this.#segments.find((segment) => segment.lastSeq >= seq);
  }

  /** A new one, behind all others. */
  add(segment: Segment): void {
    this.#segments.push(segment);
    this.onGrown(segment.records, segment.endBytes);
  }

  /** The last one holds more than it did. */
  onGrown(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
  }

  retireFirst(): void {
    const { first } = this;
    if (first !== undefined) this.replace(first, undefined);
  }

  /** False if `segment` is not there any more: then nothing is changed. */
  replace(segment: Segment, successor: Segment | undefined): boolean {
    const index = this.#segments.indexOf(segment);
    if (index < 0) return false;
    this.#segments.splice(index, 1, ...(successor === undefined ? [] : [successor]));
    this.onGrown((successor?.records ?? 0) - segment.records, (successor?.endBytes ?? 0) - segment.endBytes);
    this.retire(segment);
    return true;
  }

  /** Its file is to be removed. */
  retire(segment: Segment): void {
    segment.isGone = true;
    this.#retired.push(segment);
  }

  /** Those whose files are to be removed now. */
  takeRetired(): readonly Segment[] {
    const retired = this.#retired;
    this.#retired = [];
    return retired;
  }
}
