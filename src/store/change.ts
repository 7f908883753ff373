// The bodies of the journal's records that a store writes. Format 1:
//
//   commit   ├ 1 ┼ version ┼ count ┼ after ┼ floor ┤      begins a commit: `count` changes follow, all of them or none count
//             u8   u8        u32     f64     f64
//   put      ├ 2 ┼ key length ┼ key ┼ value …
//             u8   u16
//   remove   ├ 3 ┼ key …
//             u8
//
// Little-endian; keys are latin1, one byte a character. `after`: seq of the last record before it that counts, so that what a power cut
// left of the commit before is told from what rot has left. `floor`: what has a seq up to it counts no more; all of it that was still
// worth something was written again behind it. Tests: test/conformance/store/change.test.ts

export const FORMAT_VERSION = 1;
export const KEY_BYTES_MAX = 4096;
export const VALUE_BYTES_MAX = 16 * 1024 * 1024;

const COMMIT = 1;
const PUT = 2;
const REMOVE = 3;

export const COMMIT_BYTES = 22;
const COUNT = 2;
const AFTER = 6;
const FLOOR = 14;
const PUT_KEY = 3;

export interface CommitFields {
  readonly count: number;
  readonly after: number;
  readonly floor: number;
}

export type Change =
  | ({ readonly is: "commit" } & CommitFields)
  /** `value` is a view. */
  | { readonly is: "put"; readonly key: string; readonly value: Buffer }
  | { readonly is: "remove"; readonly key: string };

/** Bytes of the body that says so. `value` null: there is nothing any more. */
export function changeBytes(key: string, value: Buffer | null): number {
  return value === null ? 1 + key.length : PUT_KEY + key.length + value.length;
}

export function writeCommit(slab: Buffer, at: number, { count, after, floor }: CommitFields): void {
  slab[at] = COMMIT;
  slab[at + 1] = FORMAT_VERSION;
  slab.writeUInt32LE(count, at + COUNT);
  slab.writeDoubleLE(after, at + AFTER);
  slab.writeDoubleLE(floor, at + FLOOR);
}

export function writeChange(slab: Buffer, at: number, key: string, value: Buffer | null): void {
  if (value === null) {
    slab[at] = REMOVE;
    slab.latin1Write(key, at + 1);
    return;
  }
  slab[at] = PUT;
  slab.writeUInt16LE(key.length, at + 1);
  slab.latin1Write(key, at + PUT_KEY);
  slab.set(value, at + PUT_KEY + key.length);
}

/** What the body `bytes[start, end)` says. undefined: a later version's, or none of ours. */
export function readChange(bytes: Buffer, start: number, end: number): Change | undefined {
  switch (bytes[start]) {
    case COMMIT: {
      if (end - start < COMMIT_BYTES || bytes[start + 1] !== FORMAT_VERSION) return undefined;
      const after = bytes.readDoubleLE(start + AFTER);
      const floor = bytes.readDoubleLE(start + FLOOR);
      if (!Number.isSafeInteger(after) || !Number.isSafeInteger(floor)) return undefined;
      return { is: "commit", count: bytes.readUInt32LE(start + COUNT), after, floor };
    }
    case PUT: {
      if (end - start < PUT_KEY) return undefined;
      const keyEnd = start + PUT_KEY + bytes.readUInt16LE(start + 1);
      if (keyEnd > end) return undefined;
      return { is: "put", key: bytes.latin1Slice(start + PUT_KEY, keyEnd), value: bytes.subarray(keyEnd, end) };
    }
    case REMOVE:
      return { is: "remove", key: bytes.latin1Slice(start + 1, end) };
    default:
      return undefined;
  }
}
