// The sending side of one connection: plaintext to chunks.
//
//   write(plain) ──▶ identifier, once ─ chunk ─ chunk ─ …      a chunk per 64 KiB begun; each can be decoded as soon as it is there

import { PIECE_BYTES_MAX, type S2Codec, type S2Level } from "./codec.ts";

export class S2Writer {
  readonly #codec: S2Codec;
  #hasBegun = false;

  constructor(codec: S2Codec) {
    this.#codec = codec;
  }

  /**
   * Hands out all of `plain`, in chunks; nothing is held back, and nothing comes of nothing. A chunk's view is valid until `onChunk`
   * returns, and no writer of the same codec may be called before that. If `onChunk` throws, what it got counts as sent and the
   * rest of `plain` as never given.
   */
  write(plain: Uint8Array, level: S2Level, onChunk: (view: Buffer) => void): void {
    for (let from = 0; from < plain.length; from += PIECE_BYTES_MAX) {
      const isFirst = !this.#hasBegun;
      this.#hasBegun = true;
      this.#codec.encode(plain, from, Math.min(from + PIECE_BYTES_MAX, plain.length), level, isFirst, onChunk);
    }
  }
}
