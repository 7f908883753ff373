// The S2 block codec as the journal asks for one (journal/packer.ts): bare blocks, no stream around them, at the fast level.
//
// The module's memory is used within each call only, so it is shared with the streams of the links: nothing here waits, and no stream
// calls it while it lends a view. Tests: test/unit/s2/packer.test.ts

import { assert } from "#base/assert.ts";
import { crc32c } from "#base/crc32c.ts";
import { PIECE_BYTES_MAX, type S2Codec } from "./codec.ts";
import { DECODER_INPUT, DECODER_OUTPUT, ENCODER_INPUT, ENCODER_OUTPUT } from "./memory-layout.ts";

const FAST = 1;
const POLYNOMIAL = 0x82f63b78;
/** Below, copying into the module costs more than it gains. */
const CHECKSUM_BYTES_MIN = 1024;
const CHECKSUM_PIECE_BYTES = 65_536;
/** What bytes 0 … 255 do to a checksum, and which of them has a given upper byte. */
const FORWARD = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});
const BACKWARD = Uint8Array.from({ length: 256 }, (_, upper) => FORWARD.findIndex((crc) => crc >>> 24 === upper));

export class S2Packer {
  readonly #codec: S2Codec;

  constructor(codec: S2Codec) {
    this.#codec = codec;
  }

  /** CRC-32C of `bytes[from, to)`, going on from `seed`: the module's is several times as quick where there is enough to do. */
  readonly checksum = (bytes: Buffer, from: number, to: number, seed: number): number => {
    if (to - from < CHECKSUM_BYTES_MIN) return crc32c(bytes, from, to, seed);
    const { decoder, decoderBytes } = this.#codec;
    let sum = seed;
    for (let at = from; at < to; at += CHECKSUM_PIECE_BYTES) {
      const end = Math.min(to, at + CHECKSUM_PIECE_BYTES);
      // It takes no seed: four bytes in front that have this checksum do the same.
      decoderBytes.writeInt32LE(bytesWithSum(sum), DECODER_INPUT);
      decoderBytes.set(bytes.subarray(at, end), DECODER_INPUT + 4);
      sum = decoder.crc32c(DECODER_INPUT, end - at + 4) >>> 0;
    }
    return sum;
  };

  /** `bytes[from, to)` as one block, smaller than it was; null if it does not get smaller. Borrowed until the codec is used again. */
  compress(bytes: Buffer, from: number, to: number): Buffer | null {
    const { encoder, encoderBytes } = this.#codec;
    const plainBytes = to - from;
    assert(plainBytes <= PIECE_BYTES_MAX, `S2 block of ${plainBytes} bytes, ${PIECE_BYTES_MAX} is the most`);
    encoderBytes.set(bytes.subarray(from, to), ENCODER_INPUT);
    const blockBytes = encoder.encodeBlock(FAST, plainBytes, ENCODER_OUTPUT);
    if (blockBytes === 0 || blockBytes >= plainBytes) return null;
    return encoderBytes.subarray(ENCODER_OUTPUT, ENCODER_OUTPUT + blockBytes);
  }

  /** Fills the whole of `target` from the block in `bytes[from, to)`; false if it is none of this size. */
  expand(bytes: Buffer, from: number, to: number, target: Buffer): boolean {
    if (target.length > PIECE_BYTES_MAX || to - from > PIECE_BYTES_MAX) return false;
    const { decoder, decoderBytes } = this.#codec;
    decoderBytes.set(bytes.subarray(from, to), DECODER_INPUT);
    const fault = decoder.decodeBlock(DECODER_INPUT, DECODER_INPUT + to - from, DECODER_OUTPUT, target.length);
    if (fault !== 0) return false;
    decoderBytes.copy(target, 0, DECODER_OUTPUT, DECODER_OUTPUT + target.length);
    return true;
  }
}

/** The four bytes, as a number in the module's order, whose CRC-32C is `sum`: the checksum run backwards. */
function bytesWithSum(sum: number): number {
  let crc = ~sum;
  for (let step = 0; step < 4; step++) {
    const byte = BACKWARD[crc >>> 24]!;
    crc = ((crc ^ FORWARD[byte]!) << 8) | byte;
  }
  return ~crc;
}
