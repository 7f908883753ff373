// Lays the records of scanned units out in memory again: groups opened, expanded, unpacked; records of format 1 as they are. Hot path.
//
// A group whose checksum holds and that yields no records all the same was forged, or is of another key: it is bad, and told so.
// Tests: test/unit/journal/packing.test.ts, encryption.test.ts

import { format2, GROUP_HEADER_BYTES, readGroupHeader, sealedHeader, TAG_BYTES } from "./group.ts";
import type { Packer } from "./packer.ts";
import { unpackRecords } from "./packing.ts";
import type { SegmentSeal } from "./sealing.ts";
import type { BadSpan, UnitRun } from "./segment-scanner.ts";

/** Whole records with rising seqs, as record.ts lays them out: `slab[start, end)`. */
export interface LaidOut {
  readonly slab: Buffer;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** Groups of the run that yielded nothing. */
  readonly bad: readonly BadSpan[];
}

const NO_SPANS: readonly BadSpan[] = [];

export class GroupReader {
  readonly #packer: Packer | undefined;
  readonly #seal: SegmentSeal | undefined;
  #packed: Buffer = Buffer.alloc(0);

  constructor(packer: Packer | undefined, seal: SegmentSeal | undefined) {
    this.#packer = packer;
    this.#seal = seal;
  }

  /** Into `target`, if it is there and large enough, or a fresh slab; records of format 1 stay in the run's own. */
  layOut(run: UnitRun, target?: Buffer): LaidOut {
    if (run.format !== format2) return { slab: run.slab, start: run.start, end: run.end, count: run.count, bad: NO_SPANS };
    const slab = target !== undefined && target.length >= run.laidOutBytes ? target : Buffer.allocUnsafeSlow(run.laidOutBytes);
    const bad: BadSpan[] = [];
    let count = 0;
    let to = 0;
    for (let at = run.start; at < run.end; ) {
      const end = at + format2.unitBytes(run.slab, at);
      const offset = run.endOffset - (run.end - at);
      if (this.#unpack(run.slab, at, offset, slab, to)) {
        to += format2.laidOutBytes(run.slab, at);
        count += format2.count(run.slab, at);
      } else {
        const seqs = { first: format2.firstSeq(run.slab, at), last: format2.lastSeq(run.slab, at) };
        bad.push({ is: "bad", from: offset, to: offset + end - at, seqs });
      }
      at = end;
    }
    return { slab, start: 0, end: to, count, bad };
  }

  /** False if the first group of the run is sealed, and not with our key, or compressed, and we have nothing to expand it with. */
  opens(run: UnitRun): boolean {
    if (run.format !== format2) return true;
    const { isSealed, isCompressed } = readGroupHeader(run.slab, run.start);
    if (!isSealed && (!isCompressed || this.#packer !== undefined)) return true;
    const target = Buffer.allocUnsafeSlow(format2.laidOutBytes(run.slab, run.start));
    return this.#unpack(run.slab, run.start, run.endOffset - (run.end - run.start), target, 0);
  }

  #unpack(slab: Buffer, at: number, offset: number, target: Buffer, to: number): boolean {
    const group = readGroupHeader(slab, at);
    let bytes = slab;
    let start = at + GROUP_HEADER_BYTES;
    let end = start + group.storedBytes;
    if (group.isSealed) {
      if (this.#seal === undefined || group.storedBytes < TAG_BYTES) return false;
      const opened = this.#seal.tryOpen(slab, start, end, sealedHeader(slab, at), offset);
      if (opened === undefined) return false;
      bytes = opened;
      start = 0;
      end = opened.length;
    }
    if (group.isCompressed) {
      if (this.#packer === undefined) return false;
      if (this.#packed.length < group.packedBytes) this.#packed = Buffer.allocUnsafeSlow(group.packedBytes);
      const expanded = this.#packed.subarray(0, group.packedBytes);
      if (!this.#packer.expand(bytes, start, end, expanded)) return false;
      bytes = expanded;
      start = 0;
      end = expanded.length;
    }
    return unpackRecords(bytes, start, end, group, target, to);
  }
}
