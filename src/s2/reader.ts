// The receiving side of one connection: bytes, however they were cut on the way, to plaintext.
//
//   header ──▶ identifier ──▶ header …        (4 bytes: kind, length)      every length is judged when it is known,
//          ├─▶ data ── body, whole ──▶ plaintext lent ──▶ header …         before a byte is kept for it
//          └─▶ skippable ── counted, never kept ──▶ header …
//
// Keeps nothing between chunks but a handful of numbers; of a chunk that is not whole yet, what has come. Format: README.md.
// Tests: test/unit/s2/reader.test.ts (whole, byte by byte, at every split).

import { assert } from "#base/assert.ts";
import { ProtocolError } from "#base/errors.ts";
import { BAD_CHECKSUM, CHUNK_FAULTS, type S2Codec } from "./codec.ts";
import {
  S2_BAD_CHECKSUM,
  S2_BAD_IDENTIFIER,
  S2_CORRUPT,
  S2_CUT_SHORT,
  S2_NO_IDENTIFIER,
  S2_TOO_LARGE,
  S2_UNKNOWN_CHUNK,
} from "./errors.ts";
import { DECODER_INPUT, DECODER_OUTPUT_MAX } from "./memory-layout.ts";

/** Plaintext of one chunk that we take by default: nats-server never sends more. */
export const CHUNK_BYTES_DEFAULT = 1_048_576;
/** The most the format's streams hold, and the highest limit there is. */
export const CHUNK_BYTES_MAX = DECODER_OUTPUT_MAX;
/** Under the snappy identifier. */
const SNAPPY_BYTES_MAX = 65_536;
/** A body is at most this much longer than its plaintext: checksum, varint, a literal's header. */
const BODY_EXTRA_BYTES = 12;

const HEADER_BYTES = 4;
const CHECKSUM_BYTES = 4;
const VARINT_BYTES_MAX = 5;
const IDENTIFIER_BYTES = 6;

const COMPRESSED = 0x00;
const STORED = 0x01;
const SKIPPABLE = 0x80; // and all above, but for the identifier
const IDENTIFIER = 0xff;

export interface S2ReaderOptions {
  /** Plaintext of one chunk at most, in bytes: 1 to CHUNK_BYTES_MAX. */
  readonly chunkBytesMax?: number;
}

export class S2Reader {
  readonly #codec: S2Codec;
  readonly #chunkBytesMax: number;
  /** Plaintext that a chunk may hold under the newest identifier; 0 before the first. */
  #plainBytesMax = 0;
  /** Bytes of the stream before the chunk at hand, and before the call at hand. */
  #chunkOffset = 0;
  #offset = 0;
  /** The header as far as it has come. */
  #header = 0;
  #headerBytes = 0;
  /** The body's length, and how much of it is spilled. */
  #bodyBytes = 0;
  #spill: Buffer | undefined;
  #spillBytes = 0;
  #skipBytes = 0;
  /** Plaintext lent in the call at hand. */
  #lentBytes = 0;
  #failure: unknown;

  constructor(codec: S2Codec, { chunkBytesMax = CHUNK_BYTES_DEFAULT }: S2ReaderOptions = {}) {
    assert(
      chunkBytesMax >= 1 && chunkBytesMax <= CHUNK_BYTES_MAX,
      `S2 chunk limit of ${chunkBytesMax}, 1 to ${CHUNK_BYTES_MAX} is possible`,
    );
    this.#codec = codec;
    this.#chunkBytesMax = chunkBytesMax;
  }

  /**
   * Takes the next bytes, which are not kept, and lends each chunk's plaintext; a view is valid until `onPlain` returns, which may
   * write through any S2Writer. Throws a ProtocolError on a breach, and whatever `onPlain` throws; after either the reader is
   * dead, and throws the same again.
   *
   * Stops after the chunk with which `lentBytesMax` bytes of plaintext are reached, and returns how many bytes it took: the rest is
   * to be given again. A few bytes of a stream may unpack to a megabyte.
   */
  read(bytes: Buffer, onPlain: (view: Buffer) => void, lentBytesMax = Number.POSITIVE_INFINITY): number {
    if (this.#failure !== undefined) throw this.#failure;
    let taken: number;
    try {
      taken = this.#readUpTo(bytes, onPlain, lentBytesMax);
    } catch (error) {
      this.#failure = error;
      this.#dropSpill();
      throw error;
    }
    this.#offset += taken;
    return taken;
  }

  /** To be told that the peer has ended: throws a ProtocolError if a chunk was left incomplete. */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#headerBytes === 0 && this.#skipBytes === 0) return;
    const missing = this.#headerBytes < HEADER_BYTES ? "header" : "body";
    this.#dropSpill();
    throw (this.#failure = this.#breach(S2_CUT_SHORT, this.#offset, `the stream ends within the ${missing}, wanted it whole`));
  }

  #readUpTo(bytes: Buffer, onPlain: (view: Buffer) => void, lentBytesMax: number): number {
    let at = 0;
    this.#lentBytes = 0;
    while (at < bytes.length && this.#lentBytes < lentBytesMax) {
      if (this.#skipBytes > 0) {
        const skipped = Math.min(this.#skipBytes, bytes.length - at);
        this.#skipBytes -= skipped;
        at += skipped;
      } else if (this.#headerBytes < HEADER_BYTES) {
        if (this.#headerBytes === 0) this.#chunkOffset = this.#offset + at;
        this.#header |= bytes[at]! << (this.#headerBytes * 8);
        this.#headerBytes += 1;
        at += 1;
        if (this.#headerBytes === HEADER_BYTES) this.#begin(this.#header & 0xff, this.#header >>> 8);
      } else {
        const bodyEnd = at + this.#bodyBytes - this.#spillBytes;
        if (bodyEnd > bytes.length) {
          this.#keep(bytes, at);
          return bytes.length;
        }
        this.#finish(bytes, at, bodyEnd, onPlain);
        at = bodyEnd;
      }
    }
    return at;
  }

  /** Judges a header. */
  #begin(kind: number, bytes: number): void {
    if (this.#plainBytesMax === 0 && kind !== IDENTIFIER) {
      const found = `the stream begins with ${describe(kind)}`;
      throw this.#breach(S2_NO_IDENTIFIER, this.#chunkOffset, `${found}, wanted an identifier (0xff)`);
    }
    this.#bodyBytes = bytes;
    if (kind === IDENTIFIER) {
      if (bytes === IDENTIFIER_BYTES) return;
      throw this.#breach(S2_BAD_IDENTIFIER, this.#chunkOffset, `identifier of ${bytes} bytes, wanted ${IDENTIFIER_BYTES}`);
    }
    if (kind >= SKIPPABLE) {
      this.#reset();
      this.#skipBytes = bytes;
      return;
    }
    if (kind > STORED)
      throw this.#breach(S2_UNKNOWN_CHUNK, this.#chunkOffset, `${describe(kind)}, wanted one we know or may skip`);
    if (bytes < CHECKSUM_BYTES)
      throw this.#breach(
        S2_CORRUPT,
        this.#chunkOffset,
        `data of ${bytes} bytes, wanted ${CHECKSUM_BYTES} for the checksum at least`,
      );
    const bytesMax = kind === STORED ? this.#plainBytesMax + CHECKSUM_BYTES : this.#chunkBytesMax + BODY_EXTRA_BYTES;
    if (bytes > bytesMax) throw this.#breach(S2_TOO_LARGE, this.#chunkOffset, `data of ${bytes} bytes, limit is ${bytesMax}`);
  }

  /** Keeps what came of an incomplete body. Memory follows what has come, not what was announced. */
  #keep(bytes: Buffer, from: number): void {
    const needed = this.#spillBytes + bytes.length - from;
    const old = this.#spill;
    if (old === undefined || needed > old.length) {
      this.#spill = this.#codec.takeSpill(needed, this.#bodyBytes);
      if (old !== undefined) {
        old.copy(this.#spill, 0, 0, this.#spillBytes);
        this.#codec.giveBackSpill(old);
      }
    }
    bytes.copy(this.#spill!, this.#spillBytes, from);
    const isJudged = this.#spillBytes >= CHECKSUM_BYTES + VARINT_BYTES_MAX;
    this.#spillBytes = needed;
    if (!isJudged && (this.#header & 0xff) === COMPRESSED) this.#plainBytes(this.#spill!, CHECKSUM_BYTES, needed);
  }

  /** The body is whole: what is spilled, and `bytes[from, to)`. */
  #finish(bytes: Buffer, from: number, to: number, onPlain: (view: Buffer) => void): void {
    const codec = this.#codec;
    const bodyBytes = this.#bodyBytes;
    if (this.#spillBytes > 0) codec.loadBody(this.#spill!, 0, this.#spillBytes, 0);
    codec.loadBody(bytes, from, to, this.#spillBytes);
    const kind = this.#header & 0xff;
    this.#dropSpill();
    if (kind === IDENTIFIER) this.#identify(codec.decoderBytes.latin1Slice(DECODER_INPUT - 4, DECODER_INPUT + 2));
    else if (kind === STORED) {
      const plainBytes = codec.checkStored(bodyBytes);
      if (plainBytes < 0) throw this.#fault(plainBytes);
      this.#reset();
      this.#lentBytes += plainBytes;
      if (plainBytes > 0) codec.lendStored(plainBytes, onPlain);
    } else {
      const announced = this.#plainBytes(codec.decoderBytes, DECODER_INPUT, DECODER_INPUT + bodyBytes - CHECKSUM_BYTES);
      if (announced < 0) throw this.#breach(S2_CORRUPT, this.#chunkOffset, "the block has no length, wanted a varint that ends");
      const prefixBytes = announced % 8;
      const plainBytes = codec.decodeChunk(bodyBytes, prefixBytes, (announced - prefixBytes) / 8);
      if (plainBytes < 0) throw this.#fault(plainBytes);
      this.#reset();
      this.#lentBytes += plainBytes;
      if (plainBytes > 0) codec.lendDecoded(plainBytes, onPlain);
    }
  }

  #identify(text: string): void {
    if (text === "S2sTwO") this.#plainBytesMax = this.#chunkBytesMax;
    else if (text === "sNaPpY") this.#plainBytesMax = Math.min(this.#chunkBytesMax, SNAPPY_BYTES_MAX);
    else
      throw this.#breach(S2_BAD_IDENTIFIER, this.#chunkOffset, `identifier ${JSON.stringify(text)}, wanted "S2sTwO" or "sNaPpY"`);
    this.#reset();
  }

  /**
   * Judges the length that a block begins with, if it is in `bytes[from, to)`. Returns it times 8 plus the bytes it takes (so that
   * both fit one number), or -1 if it does not end there.
   */
  #plainBytes(bytes: Buffer, from: number, to: number): number {
    let value = 0;
    let scale = 1;
    const last = Math.min(to, from + VARINT_BYTES_MAX);
    for (let at = from; at < last; at++) {
      const group = bytes[at]!;
      value += (group & 0x7f) * scale;
      if (group < 0x80) {
        if (value > 0xffff_ffff) throw this.#breach(S2_CORRUPT, this.#chunkOffset, `block of ${value} bytes, wanted 32 bits`);
        if (value > this.#plainBytesMax)
          throw this.#breach(S2_TOO_LARGE, this.#chunkOffset, `block of ${value} bytes, limit is ${this.#plainBytesMax}`);
        return value * 8 + at - from + 1;
      }
      scale *= 128;
    }
    if (last === from + VARINT_BYTES_MAX)
      throw this.#breach(
        S2_CORRUPT,
        this.#chunkOffset,
        `the block's length has more than ${VARINT_BYTES_MAX} bytes, wanted fewer`,
      );
    return -1;
  }

  #fault(fault: number): ProtocolError {
    if (fault === BAD_CHECKSUM)
      return this.#breach(S2_BAD_CHECKSUM, this.#chunkOffset, "the checksum is not that of the data, wanted them to agree");
    const offset = this.#chunkOffset + HEADER_BYTES + this.#codec.refusedAt();
    return this.#breach(S2_CORRUPT, offset, CHUNK_FAULTS[fault] ?? `fault ${fault}`);
  }

  #breach(code: string, offset: number, found: string): ProtocolError {
    const where = offset === this.#chunkOffset ? "" : `, byte ${offset}`;
    return new ProtocolError(code, `S2 chunk at byte ${this.#chunkOffset}${where}: ${found}`, { offset });
  }

  #reset(): void {
    this.#header = 0;
    this.#headerBytes = 0;
  }

  #dropSpill(): void {
    if (this.#spill !== undefined) this.#codec.giveBackSpill(this.#spill);
    this.#spill = undefined;
    this.#spillBytes = 0;
  }
}

function describe(kind: number): string {
  return `a chunk of kind 0x${kind.toString(16).padStart(2, "0")}`;
}
