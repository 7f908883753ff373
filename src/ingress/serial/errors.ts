// What can go wrong with a serial port, each with a stable code and a sentence a technician can act on.

import { PetioleError, type Remedy } from "#base/errors.ts";

const REMEDY = {
  /** No device matches, or the device file is not there. */
  SERIAL_ABSENT: "retry",
  /** Several devices match and nothing tells them apart. */
  SERIAL_AMBIGUOUS: "never",
  /** Another program, or another port of ours, holds the device. */
  SERIAL_BUSY: "backoff",
  SERIAL_FORBIDDEN: "backoff",
  SERIAL_OPEN_FAILED: "backoff",
  /** The device went away or failed while it was open. */
  SERIAL_LOST: "retry",
  /** The port said nothing, or nonsense, and is opened anew. */
  SERIAL_TROUBLED: "retry",
  /** The device does not take bytes, or not in time. */
  SERIAL_WRITE_FAILED: "backoff",
  /** The device has no such lines, or did not obey. */
  SERIAL_SIGNAL_FAILED: "never",
  /** A command came, or its turn came, after its deadline: it was not carried out. */
  SERIAL_LATE: "retry",
  /** A command's deadline is a time of day, and the time of day is not known here. */
  SERIAL_CLOCK_UNSET: "backoff",
  /** Too many commands wait for the port. */
  SERIAL_QUEUE_FULL: "backoff",
  /** A command is not what the settings say commands are. */
  SERIAL_COMMAND_INVALID: "never",
  /** A command was carried out, and the device did not answer in time. */
  SERIAL_NO_ANSWER: "retry",
  SERIAL_POWER_CYCLE_FAILED: "never",
  /** The system's list of devices cannot be read. */
  SERIAL_LIST_FAILED: "backoff",
  SERIAL_SUBJECT_INVALID: "never",
  /** A recorded capture is damaged, or is none. */
  SERIAL_CAPTURE_INVALID: "never",
  /** A unit on a Modbus bus did not answer, or only garbage came. */
  SERIAL_MODBUS_NO_ANSWER: "backoff",
  /** A unit on a Modbus bus refused, and said why. */
  SERIAL_MODBUS_EXCEPTION: "never",
  /** A command to a Modbus bus that makes no sense. */
  SERIAL_MODBUS_COMMAND_INVALID: "never",
} as const satisfies Readonly<Record<string, Remedy>>;

export type SerialCode = keyof typeof REMEDY;

export const SERIAL_CODES = Object.keys(REMEDY) as readonly SerialCode[];

/** What may heal a fault of this kind. */
export function remedyOf(code: SerialCode): Remedy {
  return REMEDY[code];
}

export class SerialError extends PetioleError {
  override readonly name = "SerialError";
  declare readonly code: SerialCode;

  constructor(code: SerialCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, { remedy: REMEDY[code], ...(options.cause === undefined ? {} : { cause: options.cause }) });
  }
}

export function absentError(path: string): SerialError {
  return new SerialError("SERIAL_ABSENT", `there is no ${path}; plug the device in, or give this container access to it`);
}

/** `holder`: the program that has it, such as "minicom (process 812)", where known. */
export function busyError(path: string, holder?: string): SerialError {
  return new SerialError("SERIAL_BUSY", `busy: ${path} is held by ${holder ?? "another program"}; stop that program`);
}

export function forbiddenError(path: string, cause?: unknown): SerialError {
  return new SerialError(
    "SERIAL_FORBIDDEN",
    `not allowed to open ${path}; run as a member of its group (often dialout), or give this container the device`,
    { cause },
  );
}

export function baudRateError(path: string, cause: unknown): SerialError {
  return new SerialError(
    "SERIAL_OPEN_FAILED",
    `${path} does not know this baud_rate; choose a usual one such as 9600 or 115200`,
    {
      cause,
    },
  );
}

export function openFailedError(path: string, cause: unknown): SerialError {
  return new SerialError("SERIAL_OPEN_FAILED", `cannot open ${path}; if it is a serial device, unplug it and plug it in again`, {
    cause,
  });
}
