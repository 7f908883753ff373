// Name and first bytes of a segment file.
//
//   0000000012-3-9f1c22ab.seg      number (they sort by it), epoch, salt
//
//   0        8         12       16       24      32          40      48     52    60    64
//   ├ magic ─┼ version ┼ header ┼ number ┼ epoch ┼ first seq ┼ born ─┼ salt ┼ 0 ──┼ crc ┼ records …
//   │PTLJRNL␊│ u32     │ bytes  │ u64    │ u64   │ u64       │ f64   │ u32  │     │     │
//
// Little-endian. The checksum stands in the last four bytes of the header, in every version to come, so an older spoke can tell
// a newer segment from a rotten one. Name and header both hold what is needed to read the records: either may rot.

import { crc32c } from "#base/crc32c.ts";

export const SEGMENT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 64;
/** A header of any version is shorter. */
export const SEGMENT_HEADER_BYTES_MAX = 4096;

const MAGIC = "PTLJRNL\n";
const NAME = /^(\d{10})-(\d{1,15})-([0-9a-f]{8})\.seg$/;

export interface SegmentIdentity {
  readonly number: number;
  readonly epoch: number;
  /** Where the checksums of its records start from. */
  readonly salt: number;
}

export interface SegmentHeader extends SegmentIdentity {
  /** No record in it has a lower seq. */
  readonly firstSeq: number;
  /** Wall clock at its birth, in milliseconds since 1970. For people. */
  readonly born: number;
}

export type HeaderFinding =
  | { readonly is: "ours"; readonly header: SegmentHeader }
  | { readonly is: "newer"; readonly version: number }
  | { readonly is: "rotten" };

export function formatName(identity: SegmentIdentity): string {
  const number = String(identity.number).padStart(10, "0");
  return `${number}-${identity.epoch}-${identity.salt.toString(16).padStart(8, "0")}.seg`;
}

export function tryParseName(name: string): SegmentIdentity | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  return { number: Number(match[1]), epoch: Number(match[2]), salt: Number.parseInt(match[3]!, 16) };
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.latin1Write(MAGIC, 0);
  bytes.writeUInt32LE(SEGMENT_VERSION, 8);
  bytes.writeUInt32LE(SEGMENT_HEADER_BYTES, 12);
  bytes.writeBigUInt64LE(BigInt(header.number), 16);
  bytes.writeBigUInt64LE(BigInt(header.epoch), 24);
  bytes.writeBigUInt64LE(BigInt(header.firstSeq), 32);
  bytes.writeDoubleLE(header.born, 40);
  bytes.writeUInt32LE(header.salt, 48);
  bytes.writeUInt32LE(crc32c(bytes, 0, SEGMENT_HEADER_BYTES - 4), SEGMENT_HEADER_BYTES - 4);
  return bytes;
}

/** `bytes` is the beginning of the file, as much of it as SEGMENT_HEADER_BYTES_MAX allows. */
export function inspectHeader(bytes: Buffer): HeaderFinding {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.latin1Slice(0, 8) !== MAGIC) return { is: "rotten" };
  const length = bytes.readUInt32LE(12);
  if (length < 20 || length > bytes.length || crc32c(bytes, 0, length - 4) !== bytes.readUInt32LE(length - 4))
    return { is: "rotten" };
  const version = bytes.readUInt32LE(8);
  if (version !== SEGMENT_VERSION || length !== SEGMENT_HEADER_BYTES) return { is: "newer", version };
  return {
    is: "ours",
    header: {
      number: Number(bytes.readBigUInt64LE(16)),
      epoch: Number(bytes.readBigUInt64LE(24)),
      firstSeq: Number(bytes.readBigUInt64LE(32)),
      born: bytes.readDoubleLE(40),
      salt: bytes.readUInt32LE(48),
    },
  };
}
