// The checksum at the end of a frame, for the framings that have none of their own.
//
//   ├ mark ┼ data ───────────┼ checksum ┤
//   └ from ┘└── it is of these ┘              `from` bytes at the front do not count
//
// A frame whose checksum is right is handed on without it; any other is counted and thrown away.
// Names and values of the CRCs are those of the "Catalogue of parametrised CRC algorithms" (RevEng): what each gives for "123456789" is
// its test.

import type { FrameListener } from "../framer.ts";

export type ChecksumName = keyof typeof SUMS;

export interface ChecksumOptions {
  readonly type: ChecksumName;
  /** Bytes at the front of the frame that are not counted. */
  readonly from: number;
  readonly endian: "big" | "little";
  /** As bytes, or as twice as many hex digits in either case. */
  readonly as: "bytes" | "hex";
}

interface Sum {
  readonly bytes: 1 | 2 | 4;
  /** Which byte of it most devices send first. */
  readonly endian: "big" | "little";
  of(bytes: Buffer, start: number, end: number): number;
}

const SUMS = {
  sum8: { bytes: 1, endian: "big", of: (bytes, start, end) => plainSum(bytes, start, end) & 0xff },
  /** Modbus ASCII's: what makes the sum of all 0. */
  lrc8: { bytes: 1, endian: "big", of: (bytes, start, end) => -plainSum(bytes, start, end) & 0xff },
  xor8: { bytes: 1, endian: "big", of: exclusiveOr },
  crc8: { bytes: 1, endian: "big", of: forward(8, 0x07, 0) },
  crc8_maxim: { bytes: 1, endian: "big", of: reflected(0x8c, 0) },
  sum16: { bytes: 2, endian: "big", of: (bytes, start, end) => plainSum(bytes, start, end) & 0xffff },
  crc16_modbus: { bytes: 2, endian: "little", of: reflected(0xa001, 0xffff) },
  crc16_arc: { bytes: 2, endian: "little", of: reflected(0xa001, 0) },
  crc16_kermit: { bytes: 2, endian: "little", of: reflected(0x8408, 0) },
  crc16_x25: { bytes: 2, endian: "little", of: reflected(0x8408, 0xffff, 0xffff) },
  crc16_ccitt: { bytes: 2, endian: "big", of: forward(16, 0x1021, 0xffff) },
  crc16_xmodem: { bytes: 2, endian: "big", of: forward(16, 0x1021, 0) },
  crc32: { bytes: 4, endian: "little", of: reflected(0xedb88320, 0xffff_ffff, 0xffff_ffff) },
} as const satisfies Readonly<Record<string, Sum>>;

export const CHECKSUM_NAMES: readonly ChecksumName[] = Object.keys(SUMS) as ChecksumName[];

/** For a checksum of which nobody said more. */
export function usualEndian(type: ChecksumName): "big" | "little" {
  return SUMS[type].endian;
}

/** Looks at frames; also where it is one of several witnesses. */
export class Checksum {
  /** Of the checksum itself, as it stands in the frame. */
  readonly bytes: number;
  readonly #sum: Sum;
  readonly #options: ChecksumOptions;

  constructor(options: ChecksumOptions) {
    this.#sum = SUMS[options.type];
    this.#options = options;
    this.bytes = this.#sum.bytes * (options.as === "hex" ? 2 : 1);
  }

  /** Of a whole frame, which must hold something beside the checksum. */
  isRight(bytes: Buffer, start: number, end: number): boolean {
    const at = end - this.bytes;
    const from = start + this.#options.from;
    if (at < from || at <= start) return false;
    return this.#told(bytes, at, end) === this.#sum.of(bytes, from, at);
  }

  /** What the frame says it is; NaN for what are no hex digits. */
  #told(bytes: Buffer, at: number, end: number): number {
    const { endian, as } = this.#options;
    const size = this.#sum.bytes;
    if (as === "bytes") return endian === "big" ? bytes.readUIntBE(at, size) : bytes.readUIntLE(at, size);
    const digits = bytes.latin1Slice(at, end);
    if (!/^[0-9a-fA-F]+$/.test(digits)) return Number.NaN;
    const value = Buffer.from(digits, "hex");
    return endian === "big" ? value.readUIntBE(0, size) : value.readUIntLE(0, size);
  }
}

/** Stands between a framer and its listener. */
export class CheckedFrames implements FrameListener {
  readonly #checksum: Checksum;
  readonly #listener: FrameListener;

  constructor(checksum: Checksum, listener: FrameListener) {
    this.#checksum = checksum;
    this.#listener = listener;
  }

  onFrame(bytes: Buffer, start: number, end: number): void {
    if (this.#checksum.isRight(bytes, start, end)) this.#listener.onFrame(bytes, start, end - this.#checksum.bytes);
    else this.#listener.onFault("checksum", end - start, bytes.subarray(start, end));
  }

  onOversize(): void {
    this.#listener.onOversize();
  }

  onFault(...fault: Parameters<FrameListener["onFault"]>): void {
    this.#listener.onFault(...fault);
  }
}

function plainSum(bytes: Buffer, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum += bytes[at]!;
  return sum;
}

function exclusiveOr(bytes: Buffer, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum ^= bytes[at]!;
  return sum;
}

/** A CRC whose lowest bit comes first; `polynomial` reflected, up to 32 bits. */
function reflected(polynomial: number, initial: number, last = 0): Sum["of"] {
  let table: Uint32Array | undefined;
  return (bytes, start, end) => {
    table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
      let crc = byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
      return crc;
    });
    let crc = initial;
    for (let at = start; at < end; at++) crc = table[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
    return (crc ^ last) >>> 0;
  };
}

/** A CRC whose highest bit comes first, of 8 or 16 bits. */
function forward(width: 8 | 16, polynomial: number, initial: number): Sum["of"] {
  const shift = width - 8;
  const mask = 2 ** width - 1;
  const top = 2 ** (width - 1);
  let table: Uint32Array | undefined;
  return (bytes, start, end) => {
    table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
      let crc = byte << shift;
      for (let bit = 0; bit < 8; bit++) crc = ((crc & top ? (crc << 1) ^ polynomial : crc << 1) & mask) >>> 0;
      return crc;
    });
    let crc = initial;
    for (let at = start; at < end; at++) crc = (table[((crc >>> shift) ^ bytes[at]!) & 0xff]! ^ (crc << 8)) & mask;
    return crc;
  };
}
