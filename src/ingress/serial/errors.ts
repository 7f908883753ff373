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
  /** The system's list of devices cannot be read. */
  SERIAL_LIST_FAILED: "backoff",
  SERIAL_SUBJECT_INVALID: "never",
} as const satisfies Readonly<Record<string, Remedy>>;

export type SerialCode = keyof typeof REMEDY;

export const SERIAL_CODES = Object.keys(REMEDY) as readonly SerialCode[];

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

export function openFailedError(path: string, cause: unknown): SerialError {
  return new SerialError("SERIAL_OPEN_FAILED", `cannot open ${path}; if it is a serial device, unplug it and plug it in again`, {
    cause,
  });
}
