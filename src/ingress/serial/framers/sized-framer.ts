// Frames that know their length: a fixed one, or one that stands in front of them. With a mark or without.
//
//   ├ mark ┼ … ┼ length ┼────── as long as that says ──────┤├ mark ┼ …
//
// A length is a claim: it is checked against `maxFrame` before a byte is kept for it. How the beginning of the next frame is found again
// after noise:
//
//   with a mark     the next mark is looked for; what lies before it is noise, counted
//   with a checksum that is wrong: the frame is thrown away but for its first byte, since what looked like a beginning may have stood
//                   within another frame. Where the beginning shows itself (a mark, a checksum of 16 bits) the next one is looked for
//                   in what is held, if that is no more than 64 bytes, so that no noise costs more than 64 looks at a byte
//   without         silence: what was under way is torn and counted, and the next byte begins a frame. A claim that is too long ends in
//                   silence, too. Where neither mark nor gap is set, the next byte is tried as a beginning: better set one of them.

import type { Clock, Millis } from "#base/clock.ts";
import type { FrameListener, Framer } from "../framer.ts";
import type { Checksum } from "./checksum.ts";
import { FrameSlab } from "./frame-slab.ts";
import { Silence } from "./silence.ts";

export interface SizedFrames {
  /** Bytes in a string (latin1); "": none. */
  readonly mark: string;
  /** 0: silence means nothing. */
  readonly gap: Millis;
  /** Bytes at the front that tell the length, mark included; 0: it is always the same. */
  readonly headerBytes: number;
  /** Length of the whole frame that begins with these bytes, at least `headerBytes`; NaN: no frame has such a length. */
  sizeOf(header: Buffer): number;
  /** At the end of each frame; null: none. */
  readonly checksum: Checksum | null;
}

/** A frame with a wrong checksum that is longer is thrown away as a whole: at 64, noise of 921,600 baud costs a fifth of a small core. */
const SEARCHED_BYTES_MAX = 64;

export class SizedFramer implements Framer {
  readonly showsBeginning: boolean;
  readonly #listener: FrameListener;
  readonly #maxFrame: number;
  readonly #frames: SizedFrames;
  readonly #mark: Buffer;
  /** Mark and length. */
  readonly #headerBytes: number;
  readonly #held: FrameSlab;
  readonly #silence: Silence;
  /** Of the frame under way; 0: not known yet. */
  #size = 0;
  #noise = 0;
  /** Bytes at the front of what is held that were counted with a frame whose checksum was wrong. */
  #spoilt = 0;
  #isSkipping = false;

  constructor(maxFrame: number, frames: SizedFrames, clock: Pick<Clock, "now" | "after">, listener: FrameListener) {
    this.showsBeginning = frames.mark !== "" || frames.checksum !== null;
    this.#listener = listener;
    this.#maxFrame = maxFrame;
    this.#frames = frames;
    this.#mark = Buffer.from(frames.mark, "latin1");
    this.#headerBytes = Math.max(1, this.#mark.length, frames.headerBytes);
    this.#held = new FrameSlab(Math.max(maxFrame, this.#headerBytes));
    this.#silence = new Silence(clock, frames.gap, () => this.#onSilence());
  }

  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#isSkipping) {
      const wanted = (this.#size === 0 ? this.#headerBytes : this.#size) - this.#held.used;
      const end = Math.min(chunk.length, at + wanted);
      this.#held.append(chunk, at, end);
      at = end;
      this.#look();
    }
    this.#tellNoise();
    if (this.#held.used > 0 || this.#isSkipping) this.#silence.touch();
  }

  reset(): number {
    const held = this.#held.used;
    this.#begin();
    this.#isSkipping = false;
    this.#silence.stop();
    return held;
  }

  /** Does what can be done with the bytes that are held. */
  #look(): void {
    for (;;) {
      if (this.#size === 0) this.#findSize();
      const size = this.#size;
      if (size === 0 || this.#held.used < size) return;
      this.#tellNoise();
      this.#size = 0;
      if (this.#give(size)) {
        this.#held.drop(size);
        this.#spoilt = Math.max(0, this.#spoilt - size);
      } else {
        this.#spoilt = Math.max(this.#spoilt, size);
        this.#skip(this.#isFindable(size) ? 1 : size);
      }
    }
  }

  /** False: it is none after all. */
  #give(size: number): boolean {
    const { checksum } = this.#frames;
    const { bytes } = this.#held;
    if (checksum === null) this.#listener.onFrame(bytes, 0, size);
    else if (checksum.isRight(bytes, 0, size)) this.#listener.onFrame(bytes, 0, size - checksum.bytes);
    else {
      if (this.#spoilt === 0) this.#listener.onFault("checksum", size, bytes.subarray(0, size));
      return false;
    }
    return true;
  }

  /** Is there another beginning to be found in a frame that was none? Not by a checksum of 8 bits alone, which is right by chance. */
  #isFindable(size: number): boolean {
    const { checksum } = this.#frames;
    return size <= SEARCHED_BYTES_MAX && (this.#mark.length > 0 || (checksum !== null && checksum.bytes > 1));
  }

  /** Bytes that are no beginning; those of a spoilt frame have been counted. */
  #skip(count: number): void {
    const counted = Math.min(count, this.#spoilt);
    this.#spoilt -= counted;
    this.#noise += count - counted;
    this.#held.drop(count);
  }

  /** Slides on, one byte after the other, until what is held is the beginning of a frame or the beginning of its header. */
  #findSize(): void {
    while (this.#held.used > 0) {
      if (!this.#mayBegin()) {
        this.#skip(1);
      } else if (this.#held.used < this.#headerBytes) {
        return;
      } else {
        const size = this.#frames.sizeOf(this.#held.bytes);
        if (size >= this.#headerBytes && size <= this.#maxFrame) {
          this.#size = size;
          return;
        }
        if (this.#spoilt > 0) {
          this.#skip(1); // no claim: it stands in the middle of a frame that was spoilt
          continue;
        }
        this.#tellNoise();
        this.#listener.onOversize();
        if (this.#mark.length === 0 && this.#frames.gap > 0) {
          this.#held.used = 0;
          this.#isSkipping = true;
        } else {
          this.#skip(1);
        }
      }
    }
  }

  /** Does what is held begin like the mark, as far as it has come? */
  #mayBegin(): boolean {
    const { bytes, used } = this.#held;
    const length = Math.min(used, this.#mark.length);
    return bytes.compare(this.#mark, 0, length, 0, length) === 0;
  }

  #begin(): void {
    this.#held.used = 0;
    this.#size = 0;
    this.#spoilt = 0;
  }

  #onSilence(): void {
    this.#isSkipping = false;
    const torn = this.#held.used;
    this.#begin();
    if (torn > 0) this.#listener.onFault("torn", torn, this.#held.bytes.subarray(0, torn));
  }

  #tellNoise(): void {
    if (this.#noise === 0) return;
    const noise = this.#noise;
    this.#noise = 0;
    this.#listener.onFault("noise", noise);
  }
}
