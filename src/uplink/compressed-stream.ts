// S2 on one connection, from the switch on: both directions, and the level of what we send. Source: spec/leafnode-protocol.md §§7.3–7.7.

import type { Millis } from "#base/clock.ts";
import { IDENTIFIER, type S2Codec, type S2Level } from "#s2/codec.ts";
import { S2Reader } from "#s2/reader.ts";
import { S2Writer } from "#s2/writer.ts";
import { type Agreement, type Compression, levelFor } from "./compression.ts";

/** Both directions of one connection, from the switch on. */
export class CompressedStream implements Compression {
  level: S2Level;
  readonly #thresholds: readonly number[] | null;
  readonly #writer: S2Writer;
  readonly #reader: S2Reader;
  #hasSwitched = false;

  /** `rtt`: what is known of the round trip so far. */
  constructor(codec: S2Codec, announced: NonNullable<Agreement["announce"]>, thresholds: readonly number[], rtt: Millis) {
    this.#writer = new S2Writer(codec);
    this.#reader = new S2Reader(codec);
    this.#thresholds = announced === "s2_auto" ? thresholds : null;
    this.level = announced === "s2_auto" ? levelFor(rtt, thresholds) : (announced.slice(3) as S2Level);
  }

  onRoundTrip(rtt: Millis): void {
    if (this.#thresholds !== null) this.level = levelFor(rtt, this.#thresholds);
  }

  /** Compresses one flush. What `emit` gets is the receiver's own. */
  write(plain: Buffer, emit: (bytes: Buffer) => void): void {
    this.#writer.write(plain, this.level, (view) => emit(Buffer.from(view)));
  }

  /** Views are borrowed: valid until `onPlain` returns. Returns how much of the chunk was taken (S2Reader.read). Throws ProtocolError. */
  read(chunk: Buffer, onPlain: (view: Buffer) => void, plainBytesMax = Number.POSITIVE_INFINITY): number {
    // A hub that refuses us before it has switched says so in plain text (spec §7.2); a stream begins with FF, which no text has.
    let bytes = chunk;
    if (!this.#hasSwitched) {
      const start = chunk.indexOf(IDENTIFIER[0]!);
      this.#hasSwitched = start >= 0;
      const plainBytes = start < 0 ? chunk.length : start;
      if (plainBytes > 0) onPlain(chunk.subarray(0, plainBytes));
      bytes = chunk.subarray(plainBytes);
    }
    if (bytes.length === 0) return chunk.length;
    return chunk.length - bytes.length + this.#reader.read(bytes, onPlain, plainBytesMax);
  }
}
