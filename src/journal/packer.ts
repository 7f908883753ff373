// A block compressor as a seam: the journal uses one if it is lent one (JournalEnv.packer), and knows nothing else of it.

/** CRC-32C of `bytes[from, to)`, going on from `seed`: as base/crc32c.ts, by whatever means. */
export type Checksum = (bytes: Buffer, from: number, to: number, seed: number) => number;

export interface Packer {
  /** `bytes[from, to)`, made smaller; null if that fails. Borrowed: valid until the next call. At most GROUP_BYTES_MAX bytes come. */
  compress(bytes: Buffer, from: number, to: number): Buffer | null;
  /** Fills the whole of `target` with what `bytes[from, to)` was made of. False: it was made of something else. Never throws for it. */
  expand(bytes: Buffer, from: number, to: number, target: Buffer): boolean;
  /** A quicker checksum, if it has one. */
  readonly checksum?: Checksum;
}
