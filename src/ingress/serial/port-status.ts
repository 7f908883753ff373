// What people and metrics are told of one port.

import type { WallMillis } from "#base/clock.ts";
import type { SerialCode } from "./errors.ts";
import type { ModbusStatus } from "./modbus/master.ts";
import type { PortLife } from "./port-life.ts";

export interface SerialPortStatus {
  readonly name: string;
  /** What the settings ask for, in words. */
  readonly match: string;
  readonly path: string | null;
  readonly identity: string | null;
  readonly state: PortLife["at"];
  /** Why it is not open: code and plain words; null while all is well. */
  readonly code: SerialCode | null;
  readonly cause: string | null;
  readonly since: WallMillis;
  readonly isSilent: boolean;
  /** What is wrong with an open port though everything was tried, with a remedy; null: nothing. */
  readonly degraded: string | null;
  /** Not read because something downstream is full. */
  readonly isPaused: boolean;
  readonly bytes: number;
  readonly frames: number;
  readonly messages: number;
  readonly decodeErrors: number;
  readonly oversized: number;
  readonly torn: number;
  /** Bytes outside of any frame, and frames that were damaged on the way. */
  readonly noiseBytes: number;
  readonly checksumErrors: number;
  readonly escapeErrors: number;
  readonly overruns: number;
  readonly opens: number;
  /** Times it was opened anew because it said nothing, or nonsense, and times its USB device was taken off the bus. */
  readonly reopens: number;
  readonly powerCycles: number;
  readonly lastFrameAt: WallMillis | null;
  readonly lastError: string | null;
  readonly lastBadFrame: string | null;
  readonly commands: {
    readonly waiting: number;
    readonly done: number;
    readonly refused: number;
    readonly late: number;
    readonly failed: number;
    readonly lastFault: string | null;
  };
  /** Units of a Modbus bus; null: it is none. */
  readonly modbus: ModbusStatus | null;
}
