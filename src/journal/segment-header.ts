// Name and first bytes of a segment file.
//
//   0000000012-3-9f1c22ab.seg      number (they sort by it), epoch, salt
//
//   0        8         12       16      24      32          40     48     52           56     72       80     96    104       112
//   ├ magic ─┼ version ┼ header ┼ number┼ epoch ┼ first seq ┼ born ┼ salt ┼ generation ┼ boot ┼ uptime ┼ seed ┼ stale ┼ 0 … crc ┤ the same again ┤ groups …
//   │PTLJRNL␊│ u32     │ bytes  │ u64   │ u64   │ u64       │ f64  │ u32  │ u32        │ uuid │ f64    │      │ f64   │         │
//
// Little-endian. The checksum stands in the last four bytes of the header, in every version to come, so an older spoke can tell
// a newer segment from a rotten one. Name and header both hold what is needed to find the groups: either may rot. What only the header
// has (boot, seed) stands in the file twice. Format 1 has 64 bytes, up to the salt and its checksum, once.

import { crc32c } from "#base/crc32c.ts";
import { parseUuid, uuidBytes } from "./uuid.ts";

export const SEGMENT_VERSION = 2;
/** Where the first group begins: behind two copies of the header. */
export const SEGMENT_START = 224;
/** A header of any version is shorter. */
export const SEGMENT_HEADER_BYTES_MAX = 4096;
export const SEED_BYTES = 16;

/** One copy of the header. */
export const HEADER_BYTES = 112;
const HEADER_1_BYTES = 64;
const MAGIC = "PTLJRNL\n";
const NAME = /^(\d{10})-(\d{1,15})-([0-9a-f]{8})\.seg$/;
/** No boot has it: the segment's header is lost, and with it which boot its times are of. */
const LOST_BOOT = "ffffffff-ffff-ffff-ffff-ffffffffffff";

export interface SegmentIdentity {
  readonly number: number;
  readonly epoch: number;
  /** Where the checksums of its records start from. */
  readonly salt: number;
}

export interface SegmentHeader extends SegmentIdentity {
  readonly version: number;
  /** No record in it has a lower seq. */
  readonly firstSeq: number;
  /** Wall clock at its birth, in milliseconds since 1970. For people. */
  readonly born: number;
  /** The monotonic clock then. */
  readonly uptime: number;
  /** How often it was rewritten. While two files of one number are there, the lower one counts. */
  readonly generation: number;
  /** Which boot of the system its records' times are of; null: not told, they are wall times. */
  readonly boot: string | null;
  /** Random, and no other segment's: its key is made from it. */
  readonly seed: Buffer;
  /** Length of the file when it was given to this segment, full of what it held before; 0: it was new. Keys are made without it. */
  readonly staleBytes: number;
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

/** What is known of a segment whose header is lost. */
export function headerFromName(identity: SegmentIdentity, version: number): SegmentHeader {
  const boot = version === 1 ? null : LOST_BOOT;
  return {
    ...identity,
    version,
    firstSeq: 1,
    born: 0,
    uptime: 0,
    generation: 0,
    boot,
    seed: Buffer.alloc(SEED_BYTES),
    staleBytes: 0,
  };
}

/** SEGMENT_START bytes: the header, twice. */
export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_START);
  bytes.latin1Write(MAGIC, 0);
  bytes.writeUInt32LE(SEGMENT_VERSION, 8);
  bytes.writeUInt32LE(HEADER_BYTES, 12);
  bytes.writeBigUInt64LE(BigInt(header.number), 16);
  bytes.writeBigUInt64LE(BigInt(header.epoch), 24);
  bytes.writeBigUInt64LE(BigInt(header.firstSeq), 32);
  bytes.writeDoubleLE(header.born, 40);
  bytes.writeUInt32LE(header.salt, 48);
  bytes.writeUInt32LE(header.generation, 52);
  if (header.boot !== null) bytes.set(uuidBytes(header.boot), 56);
  bytes.writeDoubleLE(header.uptime, 72);
  header.seed.copy(bytes, 80, 0, SEED_BYTES);
  bytes.writeDoubleLE(header.staleBytes, 96);
  bytes.writeUInt32LE(crc32c(bytes, 0, HEADER_BYTES - 4), HEADER_BYTES - 4);
  bytes.copy(bytes, HEADER_BYTES, 0, HEADER_BYTES);
  return bytes;
}

/** Was it made for the file of this name? If not, the file was given to a new segment which never began: nothing in it counts. */
export function isHeaderOf({ number, epoch, salt }: SegmentHeader, name: SegmentIdentity): boolean {
  return number === name.number && epoch === name.epoch && salt === name.salt;
}

/** `bytes` is the beginning of the file, as much of it as SEGMENT_HEADER_BYTES_MAX allows. */
export function inspectHeader(bytes: Buffer): HeaderFinding {
  const finding = inspectCopy(bytes);
  if (finding.is !== "rotten" || bytes.length < SEGMENT_START) return finding;
  const second = inspectCopy(bytes.subarray(HEADER_BYTES, SEGMENT_START));
  return second.is === "ours" ? second : finding;
}

function inspectCopy(bytes: Buffer): HeaderFinding {
  if (bytes.length < HEADER_1_BYTES || bytes.latin1Slice(0, 8) !== MAGIC) return { is: "rotten" };
  const length = bytes.readUInt32LE(12);
  if (length < 20 || length > bytes.length || crc32c(bytes, 0, length - 4) !== bytes.readUInt32LE(length - 4))
    return { is: "rotten" };
  const version = bytes.readUInt32LE(8);
  const isOurs = (version === 1 && length === HEADER_1_BYTES) || (version === SEGMENT_VERSION && length === HEADER_BYTES);
  if (!isOurs) return { is: "newer", version };
  const identity = {
    number: Number(bytes.readBigUInt64LE(16)),
    epoch: Number(bytes.readBigUInt64LE(24)),
    salt: bytes.readUInt32LE(48),
  };
  const header = {
    ...headerFromName(identity, version),
    firstSeq: Number(bytes.readBigUInt64LE(32)),
    born: bytes.readDoubleLE(40),
  };
  if (version === 1) return { is: "ours", header };
  return {
    is: "ours",
    header: {
      ...header,
      generation: bytes.readUInt32LE(52),
      boot: parseUuid(bytes, 56),
      uptime: bytes.readDoubleLE(72),
      seed: Buffer.from(bytes.subarray(80, 80 + SEED_BYTES)),
      staleBytes: countAt(bytes, 96),
    },
  };
}

function countAt(bytes: Buffer, at: number): number {
  const value = bytes.readDoubleLE(at);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}
