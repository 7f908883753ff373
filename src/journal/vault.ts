// What it takes to read and write groups, besides their bytes: the compressor that was lent to us, and the key.

import { crc32c } from "#base/crc32c.ts";
import { GroupReader } from "./group-reader.ts";
import type { Checksum, Packer } from "./packer.ts";
import { SegmentSeal } from "./sealing.ts";
import type { SegmentHeader } from "./segment-header.ts";

export class Vault {
  readonly packer: Packer | undefined;
  readonly #key: Buffer | undefined;
  readonly #isEncrypting: boolean;

  /** `isEncrypting` false: the key is for reading what was encrypted before. */
  constructor(packer: Packer | undefined, key: Buffer | undefined, isEncrypting = true) {
    this.packer = packer;
    this.#key = key;
    this.#isEncrypting = isEncrypting;
  }

  get checksum(): Checksum {
    return this.packer?.checksum ?? crc32c;
  }

  /** What is written from now on is sealed. */
  get isEncrypting(): boolean {
    return this.#isEncrypting && this.hasKey;
  }

  get hasKey(): boolean {
    return this.#key !== undefined;
  }

  /** For a new segment; undefined: it stays plain. */
  sealFor(header: SegmentHeader): SegmentSeal | undefined {
    return this.#isEncrypting ? this.#openerFor(header) : undefined;
  }

  readerFor(header: SegmentHeader): GroupReader {
    return new GroupReader(this.packer, this.#openerFor(header));
  }

  #openerFor(header: SegmentHeader): SegmentSeal | undefined {
    return this.#key === undefined || header.version === 1 ? undefined : new SegmentSeal(this.#key, header);
  }
}
