// One message as it lies in memory: a fixed header and an opaque body. Hot path: plain functions over slabs, nothing is allocated.
//
//   0                8        12       16       20             28
//   ├ 0 ─────────────┼ length ┼ seq ───┼ seq ───┼ time ────────┼ body …
//   │                │ u32    │ low    │ high   │ f64          │
//
// Little-endian, no padding, records end to end. So they come to `append`, and so a reader hands them out again; on flash they are
// packed (packing.ts, group.ts). Format 1 wrote them as they are, with checksums in the first 8 bytes (format-1.ts).
// Tests: test/unit/journal/record.test.ts

export const RECORD_HEADER_BYTES = 28;

/** No record claims more; checked before a byte is reserved. */
export const RECORD_BODY_BYTES_MAX = 64 * 1024 * 1024;

const LENGTH = 8;
const SEQ_LOW = 12;
const SEQ_HIGH = 16;
const TIME = 20;

/** The bits above are format 1's. */
const LENGTH_MASK = 0x07ff_ffff;
const WORD = 0x1_0000_0000;

/** Lays out the header of a record whose body of `bodyBytes` follows. `seq` is 1 … 2^53 − 1. */
export function writeHeader(slab: Buffer, at: number, bodyBytes: number, seq: number, time: number): void {
  slab.writeUInt32LE(0, at);
  slab.writeUInt32LE(0, at + 4);
  slab.writeUInt32LE(bodyBytes, at + LENGTH);
  slab.writeUInt32LE(seq % WORD, at + SEQ_LOW);
  slab.writeUInt32LE(Math.floor(seq / WORD), at + SEQ_HIGH);
  slab.writeDoubleLE(time, at + TIME);
}

/** The same through a view of the slab, for whoever writes many: several times as fast. */
export function writeHeaderIn(view: DataView, at: number, bodyBytes: number, seq: number, time: number): void {
  view.setUint32(at, 0, true);
  view.setUint32(at + 4, 0, true);
  view.setUint32(at + LENGTH, bodyBytes, true);
  view.setUint32(at + SEQ_LOW, seq % WORD, true);
  view.setUint32(at + SEQ_HIGH, Math.floor(seq / WORD), true);
  view.setFloat64(at + TIME, time, true);
}

/** Header and body. */
export function recordBytes(slab: Buffer, at: number): number {
  return RECORD_HEADER_BYTES + (slab.readUInt32LE(at + LENGTH) & LENGTH_MASK);
}

export function bodyBytes(slab: Buffer, at: number): number {
  return slab.readUInt32LE(at + LENGTH) & LENGTH_MASK;
}

export function recordSeq(slab: Buffer, at: number): number {
  return slab.readUInt32LE(at + SEQ_HIGH) * WORD + slab.readUInt32LE(at + SEQ_LOW);
}

/** Capture time in milliseconds, by whatever clock its owner stamps with. */
export function recordTime(slab: Buffer, at: number): number {
  return slab.readDoubleLE(at + TIME);
}
