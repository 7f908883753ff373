// The hot half of a port: chunks in, one batch out for each.
//
//   chunk ─▶ framer ─▶ decoder ─▶ batch ─▶ publish        frames that silence ends come from the framer's own timer, and are
//                                                          published then: see onHeard
//
// Nobody can ask a sensor for a reading twice, so readings are published durable (FLAG_DURABLE): the outbox keeps them.
// The first frame after opening may be the tail of one that began before we listened: "21.4" would be read as "1.4". A start mark or a
// checksum shows that it is whole, and so does a JSON object; any other whose first byte came right after opening is counted as torn and
// passed over.

import type { Clock, Millis } from "#base/clock.ts";
import type { Env } from "#base/env.ts";
import { type Batch, flagsFor, QOS_UNSTATED } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Decoder } from "./decoder.ts";
import { adviceFor, FrameFaults, shownHex } from "./frame-faults.ts";
import type { FrameFault, FrameListener, Framer } from "./framer.ts";
import { makeDecoder } from "./make-decoder.ts";
import { makeFramer } from "./make-framer.ts";
import type { SerialPortOptions } from "./options.ts";
import { Tally } from "./tally.ts";
import { bitsPerCharacter } from "./wire.ts";

const READING_FLAGS = flagsFor(QOS_UNSTATED, true, false);
/** A first byte later than this after opening begins a frame; an earlier one may lie in the middle of one. */
const MID_FRAME_MS = 50;
/** At most one line of log about bad frames per port in this time; all are counted. */
const COMPLAINT_INTERVAL_MS = 60_000;

export class Intake implements FrameListener {
  readonly tally = new Tally();
  readonly faults = new FrameFaults();
  readonly #options: SerialPortOptions;
  readonly #env: Pick<Env, "clock" | "log">;
  readonly #publishBatch: (batch: Batch) => void;
  readonly #onHeard: () => void;
  readonly #framer: Framer;
  readonly #decoder: Decoder;
  readonly #builder = new BatchBuilder();
  #beganAt: Millis = 0;
  /** Do we have the beginning of the frame under way? */
  #beginning: "awaited" | "doubtful" | "seen" = "awaited";
  /** Whoever waits for an answer; empty most of the time. */
  readonly #taps = new Set<(frame: Buffer) => void>();
  #complainAfter: Millis = Number.NEGATIVE_INFINITY;

  /** Throws `SERIAL_SUBJECT_INVALID`. `onHeard`: frames came by the clock, outside of `feed`. */
  constructor(
    options: SerialPortOptions,
    env: Pick<Env, "clock" | "log">,
    publish: (batch: Batch) => void,
    onHeard: () => void = () => undefined,
  ) {
    this.#options = options;
    this.#env = env;
    this.#publishBatch = publish;
    this.#onHeard = onHeard;
    const { name, subject, decode, framing, baudRate } = options;
    this.#framer = makeFramer(framing, this, { baudRate, bitsPerCharacter: bitsPerCharacter(options) }, this.#timers());
    this.#decoder = makeDecoder({ name, subject, decode }, (on, bytes, start, end, headers) =>
      this.#add(on, bytes.subarray(start, end), headers),
    );
  }

  /** The device has just been opened. */
  begin(): void {
    this.tally.opens += 1;
    this.#beganAt = this.#env.clock.now();
    this.#beginning = "awaited";
  }

  feed(chunk: Buffer): void {
    if (this.#beginning === "awaited") {
      this.#beginning = this.#env.clock.now() - this.#beganAt < MID_FRAME_MS ? "doubtful" : "seen";
    }
    this.tally.bytes += chunk.length;
    this.#builder.beginOwn();
    this.#framer.feed(chunk);
    this.#publish();
  }

  /** The device is gone, and with it the rest of the frame under way. */
  end(): void {
    if (this.#framer.reset() > 0) this.tally.torn += 1;
    this.#decoder.reset();
  }

  /** Shows each frame, borrowed, until disposed. One that is shown and cannot be decoded is an answer to a command, no error. */
  tapFrames(listener: (frame: Buffer) => void): Disposable {
    this.#taps.add(listener);
    return { [Symbol.dispose]: () => void this.#taps.delete(listener) };
  }

  onFrame(bytes: Buffer, start: number, end: number): void {
    const isShown = this.#taps.size > 0;
    if (isShown) for (const tap of this.#taps) tap(bytes.subarray(start, end));
    const isDoubtful = this.#beginning === "doubtful";
    this.#beginning = "seen";
    if (isDoubtful && !this.#framer.showsBeginning && !this.#decoder.showsItsBeginning(bytes, start, end)) {
      this.tally.torn += 1;
      return;
    }
    this.tally.frames += 1;
    this.tally.lastFrameAt = this.#env.clock.wall();
    const fault = this.#decoder.decode(bytes, start, end);
    if (fault === undefined || isShown) return;
    this.tally.bad(fault, bytes, start, end);
    this.#complain(`cannot decode a frame as ${this.#options.decode.type}: ${fault}`, { hex: this.tally.lastBadFrame });
  }

  onOversize(): void {
    this.#beginning = "seen";
    this.tally.oversized += 1;
    this.#complain(`a frame is longer than ${this.#options.framing.maxFrame} bytes; check framing and baud rate`);
  }

  onFault(fault: FrameFault, bytes: number, sample?: Buffer): void {
    this.#beginning = "seen"; // whatever comes next begins anew
    this.#decoder.onPassed?.(bytes);
    if (fault === "torn") this.tally.torn += 1;
    else this.faults.count(fault, bytes);
    if (sample === undefined) {
      this.#complain(adviceFor(fault));
      return;
    }
    const hex = shownHex(sample, bytes);
    this.tally.lastError = adviceFor(fault);
    this.tally.lastBadFrame = hex;
    this.#complain(adviceFor(fault), { hex });
  }

  #add(subject: string, payload: Buffer, headers: Buffer | undefined): void {
    if (this.#builder.isFull) {
      this.#publish();
      this.#builder.beginOwn();
    }
    if (headers === undefined) this.#builder.add({ subject, payload, flags: READING_FLAGS });
    else this.#builder.add({ subject, headers, payload, flags: READING_FLAGS });
  }

  /** The clock, such that frames which a timer brings are published, too. */
  #timers(): Pick<Clock, "now" | "after"> {
    const { clock } = this.#env;
    const after = (delay: Millis, action: () => void): Disposable =>
      clock.after(delay, () => {
        const { frames } = this.tally;
        this.#builder.beginOwn();
        action();
        this.#publish();
        if (this.tally.frames !== frames) this.#onHeard();
      });
    return { now: () => clock.now(), after };
  }

  #publish(): void {
    if (this.#builder.count === 0) return;
    this.tally.messages += this.#builder.count;
    this.#publishBatch(this.#builder);
  }

  #complain(what: string, facts: { readonly hex?: string | null } = {}): void {
    const now = this.#env.clock.now();
    if (now < this.#complainAfter) return;
    this.#complainAfter = now + COMPLAINT_INTERVAL_MS;
    const { decodeErrors, oversized, torn } = this.tally;
    this.#env.log.warn(`port ${this.#options.name}: ${what}`, { decodeErrors, oversized, torn, ...this.faults, ...facts });
  }
}
