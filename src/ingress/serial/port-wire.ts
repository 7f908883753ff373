// The wire of one open port, for whoever speaks on it by himself: a Modbus master, write-back, the raw view.
//
//   port ──▶ onChunk ──▶ master          bytes as they come; borrowed until the call returns
//   port ◀── write ◀──── master          one writer at a time: whoever is given the wire has it alone
//
// The wire outlives the device: it is there while the port is configured, and `isOpen` says whether somebody is at the other end.

import type { LineSignals } from "#base/tty.ts";

export interface PortWire {
  readonly isOpen: boolean;
  /**
   * Hands the bytes to the system; resolves when it has taken all of them, which at low speed is before the device has them: see
   * `drain`. The bytes are not ours to change until then. Rejects with a `SerialError`: SERIAL_ABSENT when the port is not open,
   * SERIAL_LOST when the device went away meanwhile.
   */
  write(bytes: Buffer): Promise<void>;
  /** Resolves when all that was written has left the system's buffer. Rejects as `write` does. */
  drain(): Promise<void>;
  /** Rejects as `write` does, and with SERIAL_SIGNAL_FAILED when the device has no such lines. */
  setSignals(signals: LineSignals): Promise<void>;
  /** Calls `listener` with each chunk until disposed. */
  onChunk(listener: (chunk: Buffer) => void): Disposable;
  /** Calls `listener` after each change of `isOpen` until disposed. */
  onChange(listener: (isOpen: boolean) => void): Disposable;
}
