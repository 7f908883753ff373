// One open serial device: its bytes read and written without waiting, by the poller that says when.
//
//   device ─▶ poller: can be read ─▶ one read ─▶ onData          never while paused
//   device ◀─ one write, as much as it takes ◀── poller: can be written ◀── write
//   device ─▶ poller: hung up ─▶ what it still said ─▶ onClose   also while paused
//
// Reads and writes are non-blocking calls of our own thread. So none is under way when the descriptor is closed, and its number may be
// another file's at once; and none waits in one of libuv's four threads, which fdatasync needs. What changes the line (its signals,
// dropping what it holds) and closing do go there, and are waited for one after the other.

import { readSync, writeSync } from "node:fs";
import { asyncClose, asyncFlush, asyncSet } from "@serialport/bindings-cpp/dist/load-bindings.js";
import type { Clock, Millis } from "#base/clock.ts";
import { explain, systemCode } from "#base/errors.ts";
import type { LineSignals, TtyPort, TtySettings } from "#base/tty.ts";
import type { Pollers, Polling } from "./pollers.ts";
import { bitsPerCharacter } from "./wire.ts";

/** One read at most. The kernel's line discipline holds 4 KiB. */
const READ_BYTES = 16 * 1024;
/** Reads at closing, for what the system has received already; a device that never stops must not keep us. */
const LAST_READS_MAX = 4;
/** At closing, bytes that are still to leave the system may take so long; later ones are dropped. A thread waits for them. */
const LAST_WORDS_MS: Millis = 100;

export interface OpenDevice {
  /** Of the device, open and non-blocking; the port's own from here on. */
  readonly descriptor: number;
  readonly settings: TtySettings;
  readonly lockFile: AsyncDisposable;
}

interface Outgoing {
  readonly bytes: Buffer;
  written: number;
  readonly resolve: () => void;
  readonly reject: (fault: Error) => void;
}

export class SystemTtyPort implements TtyPort {
  readonly path: string;
  readonly #device: OpenDevice;
  readonly #polling: Polling;
  readonly #clock: Clock;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #onData: ((chunk: Buffer) => void) | undefined;
  #onClose: ((fault: Error | undefined) => void) | undefined;
  #isPaused = false;
  #outgoing: Outgoing | undefined;
  /** When the last byte that the system took will have left it, if the device takes bytes at all. */
  #emptyAt: Millis = 0;
  /** The binding sets all lines at once: what was asked for so far, in its own words. */
  #signals = { dtr: true, rts: true, brk: false };
  /** Settles, always well, when the line was changed as wanted so far. */
  #lineChanged: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  /** Throws when the kernel does not poll such a file; the device is the caller's then. */
  constructor(path: string, device: OpenDevice, { pollers, clock }: { readonly pollers: Pollers; readonly clock: Clock }) {
    this.path = path;
    this.#device = device;
    this.#clock = clock;
    this.#polling = pollers.lend(device.descriptor, (isHungUp) => this.#onReady(isHungUp));
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#onData = listener;
    this.#poll();
  }

  onClose(listener: (fault: Error | undefined) => void): void {
    this.#onClose = listener;
  }

  write(bytes: Buffer): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(new Error(`${this.path} is closed`));
    if (this.#outgoing !== undefined) return Promise.reject(new Error(`${this.path}: another write is under way`));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#outgoing = { bytes, written: 0, resolve, reject };
    this.#write();
    this.#poll();
    return promise;
  }

  async setSignals(signals: LineSignals): Promise<void> {
    const change = this.#lineChanged.then(() => this.#setSignals(signals));
    this.#lineChanged = change.catch(() => undefined); // told to whoever asked
    await change;
  }

  pause(): void {
    this.#isPaused = true;
    this.#poll();
  }

  resume(): void {
    this.#isPaused = false;
    this.#poll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed === undefined) this.#readLast();
    await this.#close(undefined);
  }

  #poll(): void {
    if (this.#closed !== undefined) return;
    this.#polling.want({ toRead: this.#onData !== undefined && !this.#isPaused, toWrite: this.#outgoing !== undefined });
  }

  #onReady(isHungUp: boolean): void {
    if (this.#outgoing !== undefined) this.#write();
    if (this.#closed !== undefined) return;
    const outcome = this.#isPaused ? "nothing" : this.#read();
    if (outcome instanceof Error) void this.#close(outcome);
    else if (isHungUp && outcome === "nothing") void this.#close(this.#readLast() ?? new Error("unplugged"));
    else this.#poll();
  }

  /** Why there is no more, or undefined. */
  #readLast(): Error | undefined {
    for (let i = 0; i < LAST_READS_MAX; i++) {
      const outcome = this.#read();
      if (outcome !== "data") return outcome === "nothing" ? undefined : outcome;
    }
    return undefined;
  }

  #read(): "data" | "nothing" | Error {
    if (this.#onData === undefined) return "nothing";
    let bytes: number;
    try {
      bytes = readSync(this.#device.descriptor, this.#buffer, 0, READ_BYTES, null);
    } catch (error) {
      if (isTryAgain(error)) return "nothing";
      return deviceFault(error);
    }
    if (bytes === 0) return new Error("unplugged"); // end of file: how a hung-up device reads
    this.#onData(this.#buffer.subarray(0, bytes));
    return "data";
  }

  #write(): void {
    const outgoing = this.#outgoing!;
    try {
      outgoing.written += this.#writeSome(outgoing.bytes, outgoing.written);
    } catch (error) {
      this.#onWriteFault(outgoing, error);
      return;
    }
    if (outgoing.written < outgoing.bytes.length) return;
    this.#outgoing = undefined;
    outgoing.resolve();
  }

  #onWriteFault(outgoing: Outgoing, error: unknown): void {
    if (isGone(error)) {
      void this.#close(deviceFault(error)); // which ends the write as well
      return;
    }
    this.#outgoing = undefined;
    outgoing.reject(deviceFault(error));
  }

  /** How many bytes the system took. */
  #writeSome(bytes: Buffer, start: number): number {
    if (bytes.length === start) return 0;
    try {
      const taken = writeSync(this.#device.descriptor, bytes, start, bytes.length - start);
      const { settings } = this.#device;
      const lineMs = (1000 * taken * bitsPerCharacter(settings)) / settings.baudRate;
      this.#emptyAt = Math.max(this.#emptyAt, this.#clock.now()) + lineMs;
      return taken;
    } catch (error) {
      if (isTryAgain(error)) return 0;
      throw error;
    }
  }

  async #setSignals(signals: LineSignals): Promise<void> {
    if (this.#closed !== undefined) throw new Error(`${this.path} is closed`);
    const wanted = { ...this.#signals, ...signals };
    await asyncSet(this.#device.descriptor, wanted);
    this.#signals = wanted;
  }

  #close(fault: Error | undefined): Promise<void> {
    this.#closed ??= this.#end(fault);
    return this.#closed;
  }

  async #end(fault: Error | undefined): Promise<void> {
    const { descriptor, lockFile } = this.#device;
    const outgoing = this.#outgoing;
    this.#outgoing = undefined;
    this.#polling.end();
    await this.#lineChanged;
    if (outgoing !== undefined || this.#mayTakeLong) await asyncFlush(descriptor).catch(() => undefined); // it is gone: nothing to drop
    await asyncClose(descriptor).catch(() => undefined); // Linux gives the descriptor back even then; nothing is left to do
    await lockFile[Symbol.asyncDispose]();
    this.#onClose?.(fault);
    outgoing?.reject(new Error(`${this.path} was closed meanwhile`));
  }

  /** The system waits up to half a minute for bytes to leave, in a thread that others need. With `rtscts` the device may say stop. */
  get #mayTakeLong(): boolean {
    return this.#device.settings.rtscts || this.#emptyAt - this.#clock.now() > LAST_WORDS_MS;
  }
}

function isTryAgain(error: unknown): boolean {
  const code = systemCode(error);
  return code === "EAGAIN" || code === "EINTR";
}

function isGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === "EIO" || code === "ENXIO" || code === "ENODEV";
}

function deviceFault(error: unknown): Error {
  return new Error(isGone(error) ? "unplugged" : explain(error), { cause: error });
}
