// A serial line as levels over time, so that listening to it at the wrong speed gives what a real receiver would hear.
//
//   idle ‾‾‾\_start_/ d0 d1 … d7 [parity] ‾stop‾‾‾‾      one level per bit of the sender; the receiver samples the middle of its own bits
//
// As the system sets it up for us (IGNPAR, no parity check), a character whose stop bit is not there is dropped, and parity is not looked at.

import type { Clock } from "#base/clock.ts";
import type { Tty, TtyPort, TtySettings } from "#base/tty.ts";

export interface UartSettings {
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
}

/** A message and the silence behind it, in milliseconds. */
export interface Burst {
  readonly bytes: Buffer;
  readonly pauseMs: number;
}

/** What a device says, again and again. */
export class UartLine {
  readonly #baudRate: number;
  readonly #levels: Uint8Array;
  /** For each bit the next one, itself included, that begins a zero after a one; the length where there is none. */
  readonly #falls: Uint32Array;

  constructor(settings: UartSettings, bursts: readonly Burst[]) {
    this.#baudRate = settings.baudRate;
    const levels: number[] = [];
    for (const { bytes, pauseMs } of bursts) {
      for (const byte of bytes) levels.push(...bitsOf(byte, settings));
      for (let i = 0; i < (pauseMs * settings.baudRate) / 1000; i++) levels.push(1);
    }
    this.#levels = Uint8Array.from(levels);
    const { length } = levels;
    this.#falls = new Uint32Array(length);
    let fall = length;
    for (let i = 2 * length - 1; i >= 0; i--) {
      if (levels[i % length] === 0 && levels[(i + length - 1) % length] === 1) fall = i;
      if (i < length) this.#falls[i] = fall;
    }
  }

  /** What a receiver hears from `from` to `to` (ms), with the time of each character's end. */
  hear(receiver: UartSettings, from: number, to: number): readonly { readonly at: number; readonly byte: number }[] {
    const bit = 1000 / receiver.baudRate;
    const heard: { at: number; byte: number }[] = [];
    const parityBits = receiver.parity === "none" ? 0 : 1;
    let at = from;
    while (at < to) {
      at = this.#nextFall(at);
      if (at >= to) break;
      if (this.#level(at + bit / 2) === 1) {
        at += bit / 2; // a spike
        continue;
      }
      let byte = 0;
      for (let i = 0; i < receiver.dataBits; i++) byte |= this.#level(at + bit * (1.5 + i)) << i;
      const stop = at + bit * (1.5 + receiver.dataBits + parityBits);
      if (this.#level(stop) === 1) heard.push({ at: stop, byte });
      at = stop;
    }
    return heard;
  }

  #nextFall(at: number): number {
    const { length } = this.#levels;
    const bits = Math.ceil((at * this.#baudRate) / 1000 - 1e-6);
    const fall = this.#falls[bits % length]!;
    if (fall === length && !this.#levels.includes(0)) return Number.POSITIVE_INFINITY; // nobody ever speaks
    return ((bits - (bits % length) + fall) * 1000) / this.#baudRate;
  }

  #level(at: number): number {
    const index = Math.floor((at * this.#baudRate) / 1000 + 1e-6) % this.#levels.length;
    return this.#levels[index]!;
  }
}

function bitsOf(byte: number, { dataBits, parity, stopBits }: UartSettings): readonly number[] {
  const data = Array.from({ length: dataBits }, (_, i) => (byte >>> i) & 1);
  const ones = data.reduce((sum, bit) => sum + bit, 0);
  const check = parity === "none" ? [] : [(ones & 1) ^ (parity === "odd" ? 1 : 0)];
  return [0, ...data, ...check, ...new Array<number>(stopBits).fill(1)];
}

/** The line behind a port that can be opened at any speed. Chunks come every 16 ms, as from a USB adapter. */
export class UartTty implements Pick<Tty, "open"> {
  readonly opened: TtySettings[] = [];
  readonly #line: UartLine;
  readonly #clock: Clock;

  constructor(line: UartLine, clock: Clock) {
    this.#line = line;
    this.#clock = clock;
  }

  async open(path: string, settings: TtySettings): Promise<TtyPort> {
    this.opened.push(settings);
    let listener: (chunk: Buffer) => void = () => undefined;
    let heardUntil = this.#clock.now();
    const ticker = this.#clock.every(16, () => {
      const now = this.#clock.now();
      const heard = this.#line.hear(settings, heardUntil, now);
      // A character under way is heard with the next chunk.
      heardUntil = heard.length === 0 ? now - 12_000 / settings.baudRate : heard.at(-1)!.at;
      if (heard.length > 0) listener(Buffer.from(heard.map(({ byte }) => byte)));
    });
    const port = {
      path,
      onData: (each: (chunk: Buffer) => void) => void (listener = each),
      onClose: () => undefined,
      write: () => Promise.reject(new Error("a guess must not write")),
      pause: () => undefined,
      resume: () => undefined,
      [Symbol.asyncDispose]: async () => ticker[Symbol.dispose](),
    };
    return port as unknown as TtyPort; // what else a port can do, a guess must not
  }
}
