// One question and its answer at a time on a two-wire bus.
//
//   ── silence ──┤ question ├── echo? ── the unit thinks ──┤ noise ├┤ answer ├── silence ──
//      3.5 chars              ▲ own bytes heard again                 found by unit, function, length and checksum
//
// What was on the line before the question is thrown away and counted, so an answer that comes too late meets nobody. An adapter on
// two wires may hear what it sends; the answer to a single write looks exactly like that. So the echo is found out with a question
// whose answer cannot look like it (a read), before the first write.
// Source for times: MODBUS over Serial Line V1.02, §2.5.1.1.

import { type Clock, type Millis, sleep } from "#base/clock.ts";
import type { PortWire } from "../port-wire.ts";
import {
  answerBytes,
  BROADCAST,
  countFrames,
  encodeRequest,
  FRAME_BYTES_MAX,
  findAnswer,
  isRead,
  looksGarbled,
  type ModbusRequest,
} from "./pdu.ts";

export interface BusOptions {
  readonly baudRate: number;
  /** Start, data, parity and stop bits: 10 or 11 as a rule. */
  readonly bitsPerCharacter: number;
  readonly timeout: Millis;
  readonly gap: Millis;
  readonly echo: "auto" | "on" | "off";
}

/**
 * `answered`: `data` is a copy. `closed`: the port is not open, and nothing was sent. `lost`: it went away behind the question, or in the
 * middle of it. `occupied`: the line was never silent. `blocked`: the device takes no bytes, as one whose flow control says stop.
 */
export type ExchangeResult =
  | { readonly at: "answered"; readonly data: Buffer }
  | { readonly at: "exception"; readonly code: number }
  | { readonly at: "silent" | "garbled" | "occupied" | "blocked" | "closed" | "lost" };

/** Above 19,200 baud the standard fixes the silence, since timers are no finer. */
const GAP_MS_MIN: Millis = 1.75;
const GAP_CHARACTERS = 3.5;
/** How long we wait for a silent line before we give up. */
const OCCUPIED_MS: Millis = 1000;
/** A damaged answer may be noise with the true one behind it; USB adapters hand bytes over every 16 ms. */
const SETTLE_MS: Millis = 50;
/** After a broadcast the units need time: nobody says when they are done. */
const BROADCAST_MS: Millis = 100;
/** Noise, an echo and an answer; what passes this is thrown away from the front. */
const RECEIVED_BYTES_MAX = 4 * FRAME_BYTES_MAX;
const PROBE: ModbusRequest = { kind: "read", table: "holding", address: 0, count: 1 };

export class Bus implements Disposable {
  /** Bytes that belonged to no answer. */
  strayBytes = 0;
  /** Whole frames that nobody had asked for: late answers, another master's traffic. */
  strayFrames = 0;
  readonly #wire: PortWire;
  readonly #options: BusOptions;
  readonly #clock: Clock;
  readonly #listening: Disposable;
  readonly #received = Buffer.allocUnsafeSlow(RECEIVED_BYTES_MAX);
  #used = 0;
  #lastByteAt: Millis;
  #hasEcho: boolean | undefined;
  #isWriting = false;
  /** Who waits for bytes now. */
  #onBytes: (() => void) | undefined;

  constructor(wire: PortWire, options: BusOptions, clock: Clock) {
    this.#wire = wire;
    this.#options = options;
    this.#clock = clock;
    this.#lastByteAt = clock.now();
    this.#hasEcho = options.echo === "auto" ? undefined : options.echo === "on";
    this.#listening = wire.onChunk((chunk) => this.#take(chunk));
  }

  /** Whether the adapter hears itself; undefined: not known yet. */
  get hasEcho(): boolean | undefined {
    return this.#hasEcho;
  }

  /** How long the whole exchange may take, silence before it not counted. */
  exchangeMs(request: ModbusRequest): Millis {
    return this.#lineMs(encodeRequest(1, request).length + answerBytes(request)) + this.#options.timeout;
  }

  /** One question at a time: the caller waits for each result. Rejects only if `signal` is aborted. */
  async exchange(unit: number, request: ModbusRequest, signal: AbortSignal): Promise<ExchangeResult> {
    if (this.#hasEcho === undefined && !isRead(request) && unit !== BROADCAST) {
      const probed = await this.#ask(unit, PROBE, signal);
      if (probed.at === "lost") return { at: "closed" }; // of what was asked for, nothing was sent
      if (probed.at !== "answered" && probed.at !== "exception") return probed;
    }
    return await this.#ask(unit, request, signal);
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  async #ask(unit: number, request: ModbusRequest, signal: AbortSignal): Promise<ExchangeResult> {
    if (!(await this.#awaitSilence(signal))) return { at: "occupied" };
    this.#forget();
    const question = encodeRequest(unit, request);
    const outcome = await this.#send(question);
    if (outcome !== "sent") return { at: outcome };
    const sent = this.#lineMs(question.length);
    this.#lastByteAt = this.#clock.now() + sent;
    if (unit === BROADCAST) {
      await sleep(this.#clock, sent + BROADCAST_MS, signal);
      return { at: "answered", data: Buffer.alloc(0) };
    }
    return await this.#listen(unit, request, question, signal);
  }

  /** A write that does not end is left alone, and nothing else is written before it has ended. */
  async #send(question: Buffer): Promise<"sent" | "closed" | "lost" | "blocked"> {
    if (!this.#wire.isOpen) return "closed";
    if (this.#isWriting) return "blocked";
    const { promise, resolve } = Promise.withResolvers<"sent" | "lost" | "blocked">();
    this.#isWriting = true;
    const end = (outcome: "sent" | "lost") => {
      this.#isWriting = false;
      resolve(outcome);
    };
    this.#wire.write(question).then(
      () => end("sent"),
      () => end("lost"), // the port says why, in its own state
    );
    using _deadline = this.#clock.after(this.#lineMs(question.length) + this.#options.timeout, () => resolve("blocked"));
    return await promise;
  }

  async #listen(unit: number, request: ModbusRequest, question: Buffer, signal: AbortSignal): Promise<ExchangeResult> {
    const { promise, resolve } = Promise.withResolvers<ExchangeResult>();
    let settling: Disposable | undefined;
    const look = () => {
      const result = this.#look(unit, request, question);
      if (result !== undefined) resolve(result);
      else if (
        settling === undefined &&
        looksGarbled(this.#received, this.#echoEnd(request, question), this.#used, unit, request)
      )
        settling = this.#clock.after(SETTLE_MS, () => resolve({ at: "garbled" }));
    };
    const onAbort = () => resolve({ at: "lost" });
    using _deadline = this.#clock.after(this.exchangeMs(request), () => resolve({ at: "silent" }));
    using _changes = this.#wire.onChange((isOpen) => isOpen || resolve({ at: "lost" }));
    signal.addEventListener("abort", onAbort, { once: true });
    this.#onBytes = look;
    look(); // a fast device answers before the write is done
    const result = await promise;
    this.#onBytes = undefined;
    settling?.[Symbol.dispose]();
    signal.removeEventListener("abort", onAbort);
    signal.throwIfAborted();
    if (result.at === "silent" && this.#options.echo === "auto" && isRead(request) && this.#echoEnd(request, question) > 0)
      this.#hasEcho = true; // a dead unit tells as much
    return result;
  }

  #look(unit: number, request: ModbusRequest, question: Buffer): ExchangeResult | undefined {
    const start = this.#echoEnd(request, question);
    if (this.#hasEcho === true && start === 0 && !isRead(request)) return undefined; // the first copy is still to come
    const found = findAnswer(this.#received, start, this.#used, unit, request, question);
    if (found === undefined) return undefined;
    if (this.#options.echo === "auto" && isRead(request)) this.#hasEcho = start > 0;
    const result: ExchangeResult =
      "exception" in found
        ? { at: "exception", code: found.exception }
        : { at: "answered", data: Buffer.from(this.#received.subarray(found.data, found.dataEnd)) };
    this.strayBytes += found.at - start;
    this.#received.copyWithin(0, found.end, this.#used); // what follows it is the next question's noise
    this.#used -= found.end;
    return result;
  }

  /** Just behind our own question, where it is heard; 0 where it is not, or where the answer may look like it. */
  #echoEnd(request: ModbusRequest, question: Buffer): number {
    if (this.#options.echo === "off" || (this.#hasEcho === false && !isRead(request))) return 0;
    const at = this.#received.subarray(0, this.#used).indexOf(question);
    return at < 0 ? 0 : at + question.length;
  }

  async #awaitSilence(signal: AbortSignal): Promise<boolean> {
    const characters = this.#lineMs(GAP_CHARACTERS);
    const gap = Math.max(GAP_MS_MIN, characters) + this.#options.gap;
    const giveUpAt = this.#clock.now() + gap + OCCUPIED_MS;
    for (;;) {
      const now = this.#clock.now();
      const left = this.#lastByteAt + gap - now;
      if (left <= 0) return true;
      if (now >= giveUpAt) return false;
      await sleep(this.#clock, left, signal);
    }
  }

  #take(chunk: Buffer): void {
    this.#lastByteAt = this.#clock.now();
    let bytes = chunk;
    if (bytes.length > RECEIVED_BYTES_MAX) {
      this.strayBytes += bytes.length - RECEIVED_BYTES_MAX;
      bytes = bytes.subarray(bytes.length - RECEIVED_BYTES_MAX);
    }
    const excess = this.#used + bytes.length - RECEIVED_BYTES_MAX;
    if (excess > 0) {
      this.strayBytes += excess;
      this.#received.copyWithin(0, excess, this.#used);
      this.#used -= excess;
    }
    bytes.copy(this.#received, this.#used);
    this.#used += bytes.length;
    this.#onBytes?.();
  }

  #forget(): void {
    this.strayBytes += this.#used;
    this.strayFrames += countFrames(this.#received, 0, this.#used);
    this.#used = 0;
  }

  #lineMs(characters: number): Millis {
    return (characters * this.#options.bitsPerCharacter * 1000) / this.#options.baudRate;
  }
}
