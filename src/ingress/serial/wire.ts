// The wire of one port: the same object over all openings of the device. Interface: port-wire.ts.
//
// How long bytes take is reckoned, not asked: the system's own call for it waits in one of the few threads that fsync needs, for as long
// as a device holds the line.

import type { Clock, Millis } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { LineSignals, TtyPort, TtySettings } from "#base/tty.ts";
import { SerialError } from "./errors.ts";
import type { PortWire } from "./port-wire.ts";

export class Wire implements PortWire {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #byteMs: Millis;
  readonly #onChunk = new Set<(chunk: Buffer) => void>();
  readonly #onChange = new Set<(isOpen: boolean) => void>();
  #tty: TtyPort | undefined;
  /** Those who wait for the device, to be told when it goes. A promise would remember each of them for as long as the port is open. */
  readonly #waiting = new Set<(fault: SerialError) => void>();
  /** When the last byte written so far will have left. */
  #emptyAt: Millis = 0;

  constructor(name: string, line: Pick<TtySettings, "baudRate" | "dataBits" | "parity" | "stopBits">, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
    this.#byteMs = (1000 * bitsPerCharacter(line)) / line.baudRate;
  }

  get isOpen(): boolean {
    return this.#tty !== undefined;
  }

  /** How long so many bytes take on the line. */
  lineTime(bytes: number): Millis {
    return bytes * this.#byteMs;
  }

  async write(bytes: Buffer): Promise<void> {
    const tty = this.#device("write to");
    try {
      await this.#orGone(tty.write(bytes));
    } catch (cause) {
      if (cause instanceof SerialError) throw cause;
      throw new SerialError("SERIAL_WRITE_FAILED", `port ${this.#name}: ${tty.path} does not take ${bytes.length} bytes`, {
        cause,
      });
    }
    this.#emptyAt = Math.max(this.#emptyAt, this.#clock.now()) + this.lineTime(bytes.length);
  }

  async drain(): Promise<void> {
    this.#device("wait for");
    const rest = this.#emptyAt - this.#clock.now();
    if (rest <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#clock.after(rest, resolve);
    await this.#orGone(promise);
  }

  async setSignals(signals: LineSignals): Promise<void> {
    const tty = this.#device("move the lines of");
    try {
      await this.#orGone(tty.setSignals(signals));
    } catch (cause) {
      if (cause instanceof SerialError) throw cause;
      const words = `port ${this.#name}: ${tty.path} does not let its lines be moved (${explain(cause)}); not every device has them`;
      throw new SerialError("SERIAL_SIGNAL_FAILED", words, { cause });
    }
  }

  onChunk(listener: (chunk: Buffer) => void): Disposable {
    this.#onChunk.add(listener);
    return { [Symbol.dispose]: () => void this.#onChunk.delete(listener) };
  }

  onChange(listener: (isOpen: boolean) => void): Disposable {
    this.#onChange.add(listener);
    return { [Symbol.dispose]: () => void this.#onChange.delete(listener) };
  }

  /** For the port: the device is open. */
  attach(tty: TtyPort): void {
    this.#tty = tty;
    this.#emptyAt = 0;
    for (const listener of this.#onChange) listener(true);
  }

  /** For the port: the device is gone, or about to be closed. */
  detach(): void {
    if (this.#tty === undefined) return;
    const { path } = this.#tty;
    this.#tty = undefined;
    const fault = new SerialError("SERIAL_LOST", `port ${this.#name}: ${path} was closed meanwhile; send the command again`);
    for (const tell of this.#waiting) tell(fault);
    for (const listener of this.#onChange) listener(false);
  }

  /** For the port. */
  hear(chunk: Buffer): void {
    for (const listener of this.#onChunk) listener(chunk);
  }

  async #orGone(work: Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(reject);
    work.then(resolve, reject);
    try {
      await promise;
    } finally {
      this.#waiting.delete(reject);
    }
  }

  #device(what: string): TtyPort {
    if (this.#tty !== undefined) return this.#tty;
    throw new SerialError("SERIAL_ABSENT", `cannot ${what} port ${this.#name}: its device is not open; look at the port's state`);
  }
}

/** Start bit, data, parity, stop. */
export function bitsPerCharacter(line: Pick<TtySettings, "dataBits" | "parity" | "stopBits">): number {
  return 1 + line.dataBits + (line.parity === "none" ? 0 : 1) + line.stopBits;
}
