// Settings of a serial port as the settings file has them, so that a test says only what it is about.

import { decode } from "#base/decode.ts";
import { type SerialPortOptions, serialPortOptions } from "#ingress/serial/options.ts";

/** `settings`: keys as in the file. Throws with every fault there is. */
export function serialPort(settings: Readonly<Record<string, unknown>>): SerialPortOptions {
  const decoded = decode(serialPortOptions, settings);
  if (!("value" in decoded)) throw new Error(JSON.stringify(decoded.faults, undefined, 2));
  return decoded.value;
}
