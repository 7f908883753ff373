// The hot half of a port: chunks in, one batch out for each.
//
//   chunk ─▶ framer ─▶ decoder ─▶ batch ─▶ publish
//
// Nobody can ask a sensor for a reading twice, so readings are published durable (FLAG_DURABLE): the outbox keeps them.
// The first line after opening may be the tail of one that began before we listened: "21.4" would be read as "1.4". A JSON object
// shows whether it is whole; any other frame whose first byte came right after opening is counted as torn and passed over.

import type { Millis } from "#base/clock.ts";
import type { Env } from "#base/env.ts";
import { type Batch, flagsFor, QOS_UNSTATED } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { FrameListener, Framer } from "./framer.ts";
import { LineFramer } from "./line-framer.ts";
import type { SerialPortOptions } from "./options.ts";
import { ReadingDecoder } from "./reading.ts";
import { Tally } from "./tally.ts";

const READING_FLAGS = flagsFor(QOS_UNSTATED, true, false);
/** A first byte later than this after opening begins a frame; an earlier one may lie in the middle of one. */
const MID_FRAME_MS = 50;
/** At most one line of log about bad frames per port in this time; all are counted. */
const COMPLAINT_INTERVAL_MS = 60_000;

export class Intake implements FrameListener {
  readonly tally = new Tally();
  readonly #options: SerialPortOptions;
  readonly #env: Pick<Env, "clock" | "log">;
  readonly #publishBatch: (batch: Batch) => void;
  readonly #framer: Framer;
  readonly #decoder: ReadingDecoder;
  readonly #builder = new BatchBuilder();
  #beganAt: Millis = 0;
  /** Do we have the beginning of the frame under way? */
  #beginning: "awaited" | "doubtful" | "seen" = "awaited";
  #complainAfter: Millis = Number.NEGATIVE_INFINITY;

  /** Throws `SERIAL_SUBJECT_INVALID`. */
  constructor(options: SerialPortOptions, env: Pick<Env, "clock" | "log">, publish: (batch: Batch) => void) {
    this.#options = options;
    this.#env = env;
    this.#publishBatch = publish;
    this.#framer = new LineFramer(options.framing.maxFrame, this);
    this.#decoder = new ReadingDecoder(
      { name: options.name, subject: options.subject, decode: options.decode.type },
      (subject, bytes, start, end) => this.#add(subject, bytes.subarray(start, end)),
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
  }

  onFrame(bytes: Buffer, start: number, end: number): void {
    const isDoubtful = this.#beginning === "doubtful";
    this.#beginning = "seen";
    if (isDoubtful && !this.#decoder.showsItsBeginning(bytes, start)) {
      this.tally.torn += 1;
      return;
    }
    this.tally.frames += 1;
    this.tally.lastFrameAt = this.#env.clock.wall();
    const fault = this.#decoder.decode(bytes, start, end);
    if (fault === undefined) return;
    this.tally.bad(fault, bytes, start, end);
    this.#complain(`cannot decode a frame as ${this.#options.decode.type}: ${fault}`, { hex: this.tally.lastBadFrame });
  }

  onOversize(): void {
    this.#beginning = "seen";
    this.tally.oversized += 1;
    this.#complain(`a frame is longer than ${this.#options.framing.maxFrame} bytes; check framing and baud rate`);
  }

  #add(subject: string, payload: Buffer): void {
    if (this.#builder.isFull) {
      this.#publish();
      this.#builder.beginOwn();
    }
    this.#builder.add({ subject, payload, flags: READING_FLAGS });
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
    const { decodeErrors, oversized } = this.tally;
    this.#env.log.warn(`port ${this.#options.name}: ${what}`, { decodeErrors, oversized, ...facts });
  }
}
