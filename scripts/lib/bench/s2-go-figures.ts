// What klauspost/compress s2 v1.19.1 (Go 1.27, amd64 assembly, one processor) did with the same `lmsg` bytes, recorded once on a
// shared two-core x86-64 server with other work running. Speeds in MB/s of plaintext. On another machine compare sizes freely,
// speeds with care; absent figures were not recorded.

import type { S2Level } from "#s2/codec.ts";

export const BATCH_BYTES = [256, 1024, 4096, 16_384, 65_536] as const;

/** Whole chunks as a share of the plaintext: header, checksum and varint counted, identifier not; by BATCH_BYTES. */
export const GO_SIZE: Readonly<Partial<Record<S2Level, readonly number[]>>> = {
  fast: [0.947, 0.498, 0.364, 0.29, 0.232],
  better: [0.936, 0.494, 0.348, 0.274, 0.217],
  best: [0.901, 0.479, 0.332, 0.257, 0.202],
};

/** Of blocks: no header, no checksum. */
export const GO_ENCODE: Readonly<Partial<Record<S2Level, readonly number[]>>> = {
  fast: [930, 874, 873, 758, 856],
  better: [624, 426, 461, 365, 574],
  best: [4, 12, 21, 31, 42],
};

/** At 64 KiB. */
export const GO_DECODE: Readonly<Partial<Record<S2Level, number>>> = { fast: 1974, better: 2112, best: 2334 };

/** At 64 KiB, as nats-server uses them: checksum, framing, fresh buffers. Level fast. */
export const GO_STREAM_WRITER = 683;
export const GO_STREAM_READER = 1751;

/** The quotients that are wanted of ours to Go's, and what else is. */
export const BARS = {
  decodeBlock: 0.9,
  decodeChunk: 0.85,
  encodeBlock: 0.6,
  encodeChunk: 0.9,
  /** Ours at fast may be this much larger than Go's. */
  sizeFast: 1.01,
  /** Ours at best must not be larger than Go's, up to 16 KiB, at this many times its speed. */
  sizeBest: 1,
  speedBest: 3,
  speedBestBytesMax: 16_384,
  /** MB/s at 16 KiB. */
  checksum: 4000,
} as const;
