// Records packed for the flash, and laid out again. Hot path.
//
//   ├ length, varint ┼ seq step ──────────┼ time step ─────────────────┼ body ┤ …
//   │                │ varint, less one;  │ zigzag varint against the  │
//   │                │ absent where seqs  │ one before; or f64 where a │
//   │                │ have no gaps       │ time is no whole number    │
//
// The first record's seq is the group's first, its time stands against the group's newest. Unpacking believes nothing: a body that
// does not come out as its header says is refused, whatever its checksum. Tests: test/unit/journal/packing.test.ts

import type { GroupFields } from "./group.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordBytes, recordSeq, recordTime, writeHeaderIn } from "./record.ts";

/** Steps between times up to here stay safe integers when they are doubled for the zigzag. */
const TIME_MAX = 2 ** 50;

/** True if this time can be told in steps. */
export function isWhole(time: number): boolean {
  return Number.isInteger(time) && time <= TIME_MAX && time >= -TIME_MAX && !Object.is(time, -0);
}

/** Packs the records of `slab[start, end)` into `target` from `at`, which has room for `end - start` bytes. Returns where it ended. */
export function packRecords(
  slab: Buffer,
  start: number,
  end: number,
  group: Pick<GroupFields, "count" | "firstSeq" | "lastSeq" | "newestTime" | "hasExactTimes">,
  target: Buffer,
  at: number,
): number {
  const isDense = group.lastSeq - group.firstSeq === group.count - 1;
  let seq = group.firstSeq - 1;
  let time = group.newestTime;
  let to = at;
  for (let from = start; from < end; from += recordBytes(slab, from)) {
    const bytes = bodyBytes(slab, from);
    to = writeVarint(target, to, bytes);
    if (!isDense) {
      const own = recordSeq(slab, from);
      to = writeVarint(target, to, own - seq - 1);
      seq = own;
    }
    const own = recordTime(slab, from);
    if (group.hasExactTimes) to = target.writeDoubleLE(own, to);
    else {
      const step = own - time;
      to = writeVarint(target, to, step >= 0 ? step * 2 : -step * 2 - 1);
      time = own;
    }
    const body = from + RECORD_HEADER_BYTES;
    slab.copy(target, to, body, body + bytes);
    to += bytes;
  }
  return to;
}

/** Lays out the records packed in `packed[start, end)` at `target[at …]`, which has room for what the group says. False: it is none. */
export function unpackRecords(
  packed: Buffer,
  start: number,
  end: number,
  group: GroupFields,
  target: Buffer,
  at: number,
): boolean {
  const isDense = group.lastSeq - group.firstSeq === group.count - 1;
  const source = new VarintReader(packed, start, end);
  const headers = new DataView(target.buffer, target.byteOffset, target.length);
  const targetEnd = at + group.laidOutBytes;
  let seq = group.firstSeq - 1;
  let time = group.newestTime;
  let to = at;
  for (let left = group.count; left > 0; left--) {
    const bytes = source.next();
    seq += isDense ? 1 : 1 + source.next();
    if (group.hasExactTimes) time = source.nextDouble();
    else {
      const step = source.next();
      time += step % 2 === 0 ? step / 2 : -(step + 1) / 2;
    }
    if (source.isBroken || bytes > end - source.at || bytes > targetEnd - to - RECORD_HEADER_BYTES) return false;
    if (seq > group.lastSeq) return false;
    writeHeaderIn(headers, to, bytes, seq, time);
    to += RECORD_HEADER_BYTES;
    packed.copy(target, to, source.at, source.at + bytes);
    to += bytes;
    source.at += bytes;
  }
  return source.at === end && to === targetEnd && seq === group.lastSeq;
}

function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  let to = at;
  while (rest >= 0x80) {
    target[to++] = (rest % 0x80) + 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[to++] = rest;
  return to;
}

class VarintReader {
  at: number;
  /** Something was cut short, or larger than a number may be: all that was read since is nothing. */
  isBroken = false;
  readonly #bytes: Buffer;
  readonly #end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  next(): number {
    const first = this.at < this.#end ? this.#bytes[this.at]! : 0xff;
    if (first >= 0x80) return this.#long();
    this.at += 1;
    return first;
  }

  nextDouble(): number {
    if (this.at + 8 > this.#end) return this.#break();
    this.at += 8;
    return this.#bytes.readDoubleLE(this.at - 8);
  }

  #long(): number {
    let value = 0;
    for (let scale = 1; this.at < this.#end; scale *= 0x80) {
      const byte = this.#bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER || scale > Number.MAX_SAFE_INTEGER) break;
      if (byte < 0x80) return value;
    }
    return this.#break();
  }

  #break(): number {
    this.isBroken = true;
    return 0;
  }
}
