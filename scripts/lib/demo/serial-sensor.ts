// The USB sensor: two ptys joined by socat are its cable, scripts/simulate-sensor.ts is the device at the far end.
//
//   spoke ── near ══ socat ══ far ── simulate-sensor.ts

import * as path from "node:path";
import type { SpawnedProcess } from "../../../test/support/processes.ts";
import { ROOT } from "../suites.ts";
import { startChild, unlessAborted, watchChild } from "./child.ts";

export interface SerialCable extends AsyncDisposable {
  /** What the spoke opens. */
  readonly near: string;
  readonly far: string;
}

export async function laySerialCable(folder: string, signal: AbortSignal, onFault: (why: Error) => void): Promise<SerialCable> {
  const [near, far] = [path.join(folder, "ttyUSB0"), path.join(folder, "ttyDEVICE")];
  const socat = await startChild("socat", ["-d", "-d", `pty,raw,echo=0,link=${near}`, `pty,raw,echo=0,link=${far}`]);
  try {
    await unlessAborted(socat.says(/starting data transfer loop/), signal);
  } catch (error) {
    await socat.stop();
    throw error;
  }
  watchChild(socat, "the serial cable (socat)", signal, onFault);
  return { near, far, [Symbol.asyncDispose]: () => socat[Symbol.asyncDispose]() };
}

export class SerialSensor implements AsyncDisposable {
  readonly #process: SpawnedProcess;
  readonly #speaking: AbortController;

  /** Speaks at once. Start it when the spoke has the port open: opening throws away what was sent before. */
  static async start(far: string, rate: number, signal: AbortSignal, onFault: (why: Error) => void): Promise<SerialSensor> {
    const args = [path.join(ROOT, "scripts/simulate-sensor.ts"), far, "--rate", String(rate)];
    const speaking = new AbortController();
    const sensor = await startChild(process.execPath, args);
    watchChild(sensor, "the USB sensor", AbortSignal.any([signal, speaking.signal]), onFault);
    return new SerialSensor(sensor, speaking);
  }

  private constructor(process: SpawnedProcess, speaking: AbortController) {
    this.#process = process;
    this.#speaking = speaking;
  }

  /** Ends it, and tells how many readings it wrote whole: 1 up to this number. */
  async stop(): Promise<number> {
    this.#speaking.abort();
    await this.#process.stop();
    const written = /\{"written":(\d+)\}/.exec(this.#process.stdout)?.[1];
    if (written === undefined)
      throw new Error(`the USB sensor ended without saying how much it wrote: ${this.#process.output.trim() || "not a word"}`);
    return Number(written);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#speaking.abort();
    await this.#process.stop();
  }
}
