// The far end of a cable with Modbus units on it, real bytes at a real speed: each answer takes its time on the line, comes after the unit
// has thought, and may have noise around it.

import type { TtyPort } from "#base/tty.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { ModbusUnits } from "./modbus-units.ts";

export interface ModbusLineOptions {
  readonly baudRate: number;
  readonly units: readonly number[];
  /** How long a unit thinks, in milliseconds. */
  readonly thinkMs: (unit: number) => number;
  /** Bytes in front of an answer that belong to nobody. */
  readonly noise: (unit: number) => Buffer;
  /** What really goes onto the line; undefined: nothing does. */
  readonly spoil?: (answer: Buffer) => Buffer | undefined;
  /** Does the adapter hear itself? */
  readonly hasEcho?: boolean;
}

export class ModbusLine implements AsyncDisposable {
  readonly units: ModbusUnits;
  readonly #port: TtyPort;
  readonly #options: ModbusLineOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  #writing = Promise.resolve();

  static async open(path: string, options: ModbusLineOptions): Promise<ModbusLine> {
    const { baudRate } = options;
    const port = await systemTty().open(path, { baudRate, dataBits: 8, parity: "none", stopBits: 1, rtscts: false });
    return new ModbusLine(port, options);
  }

  private constructor(port: TtyPort, options: ModbusLineOptions) {
    this.#port = port;
    this.#options = options;
    this.units = new ModbusUnits(options.units);
    port.onClose(() => undefined);
    port.onData((chunk) => this.#hear(chunk));
  }

  #hear(chunk: Buffer): void {
    const { thinkMs, noise, spoil, hasEcho, baudRate } = this.#options;
    if (hasEcho === true) this.#write(Buffer.from(chunk));
    for (const { unit, bytes } of this.units.hear(chunk)) {
      const answer = spoil === undefined ? bytes : spoil(bytes);
      if (answer === undefined) continue;
      const whole = Buffer.concat([noise(unit), answer]);
      const timer = setTimeout(
        () => {
          this.#timers.delete(timer);
          this.#write(whole);
        },
        thinkMs(unit) + (whole.length * 10_000) / baudRate,
      );
      this.#timers.add(timer);
    }
  }

  #write(bytes: Buffer): void {
    this.#writing = this.#writing.then(() => this.#port.write(bytes)).catch(() => undefined); // the cable is cut
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#port[Symbol.asyncDispose]();
  }
}
