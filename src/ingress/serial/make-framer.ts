// The framer that the settings ask for.

import type { Clock, Millis } from "#base/clock.ts";
import type { FrameListener, Framer } from "./framer.ts";
import { CheckedFrames, Checksum } from "./framers/checksum.ts";
import { CobsFramer } from "./framers/cobs-framer.ts";
import { DelimiterFramer } from "./framers/delimiter-framer.ts";
import { IdleGapFramer } from "./framers/idle-gap-framer.ts";
import { LineFramer } from "./framers/line-framer.ts";
import { ModbusFramer, modbusGap } from "./framers/modbus-framer.ts";
import { NmeaFramer } from "./framers/nmea-framer.ts";
import { SizedFramer, type SizedFrames } from "./framers/sized-framer.ts";
import { SlipFramer } from "./framers/slip-framer.ts";
import { StartEndFramer } from "./framers/start-end-framer.ts";
import type { FramingOptions, FramingType } from "./framing-options.ts";

const IDLE_GAP_MS_MIN: Millis = 50;

/** How fast characters come: for framings that are told apart by time. */
export interface LineSpeed {
  readonly baudRate: number;
  /** Start, data, parity and stop bits. */
  readonly bitsPerCharacter: number;
}

/** `clock`: frames that silence ends come out of its timers, outside of `feed`. */
export function makeFramer(
  options: FramingOptions,
  listener: FrameListener,
  line: LineSpeed,
  clock: Pick<Clock, "now" | "after">,
): Framer {
  const checksum = options.checked === undefined ? null : new Checksum(options.checked);
  if (checksum === null || isSized(options.type)) return plainFramer(options, { listener, line, clock, checksum });
  const framer = plainFramer(options, { listener: new CheckedFrames(checksum, listener), line, clock, checksum: null });
  return { showsBeginning: true, feed: (chunk) => framer.feed(chunk), reset: () => framer.reset() };
}

/** These look at the checksum themselves: it helps them to find the next beginning. */
function isSized(type: FramingType): boolean {
  return type === "fixed" || type === "length_prefix";
}

interface FramerDeps {
  readonly listener: FrameListener;
  readonly line: LineSpeed;
  readonly clock: Pick<Clock, "now" | "after">;
  readonly checksum: Checksum | null;
}

function plainFramer(options: FramingOptions, { listener, line, clock, checksum }: FramerDeps): Framer {
  const { maxFrame } = options;
  switch (options.type) {
    case "line":
      return new LineFramer(maxFrame, listener);
    case "delimiter":
      return new DelimiterFramer(maxFrame, options.delimiter, false, listener);
    case "start_end":
      return options.start === options.end
        ? new DelimiterFramer(maxFrame, options.start, true, listener)
        : new StartEndFramer(maxFrame, options, listener);
    case "fixed": {
      const { start: mark, gap, length } = options;
      return new SizedFramer(maxFrame, { mark, gap, headerBytes: 0, sizeOf: () => length, checksum }, clock, listener);
    }
    case "length_prefix":
      return new SizedFramer(maxFrame, { ...prefixed(options), checksum }, clock, listener);
    case "cobs":
      return new CobsFramer(maxFrame, listener);
    case "slip":
      return new SlipFramer(maxFrame, listener);
    case "idle_gap":
      return new IdleGapFramer(maxFrame, options.gap ?? idleGap(line), clock, listener);
    case "nmea":
      return new NmeaFramer(maxFrame, options.checksum, listener);
    case "modbus_rtu":
      return new ModbusFramer(maxFrame, options.gap ?? modbusGap(line), clock, listener);
  }
}

/** A USB adapter alone may hold bytes back for 16 ms; on a slow line one character takes longer than that. */
function idleGap({ baudRate, bitsPerCharacter }: LineSpeed): Millis {
  return Math.max(IDLE_GAP_MS_MIN, (3.5 * bitsPerCharacter * 1000) / baudRate);
}

function prefixed(options: FramingOptions & { type: "length_prefix" }): Omit<SizedFrames, "checksum"> {
  const { start, gap, headerOffset, lengthBytes, endian, lengthIncludesHeader, lengthAdd } = options;
  const headerBytes = headerOffset + lengthBytes;
  const beside = lengthAdd + (lengthIncludesHeader ? 0 : headerBytes);
  return {
    mark: start,
    gap,
    headerBytes,
    sizeOf: (header) =>
      beside + (endian === "big" ? header.readUIntBE(headerOffset, lengthBytes) : header.readUIntLE(headerOffset, lengthBytes)),
  };
}
