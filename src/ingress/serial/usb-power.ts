// Takes a USB device off the bus for a moment, and where its hub can, the power from it: what pulling the plug would do.
//
//   <sys>/bus/usb/devices/1-1/1-1:1.0/1-1-port4/disable    1, wait, 0     the port's power, where kernel (6.0) and hub can
//   <sys>/bus/usb/devices/1-1.4/authorized                 0, wait, 1     else: the kernel lets go of the device and takes it anew
//
// /sys must be writable: in a container that means a privileged one.

import { access, writeFile } from "node:fs/promises";
import { type Clock, sleep } from "#base/clock.ts";
import { explain, systemCode } from "#base/errors.ts";
import { SerialError } from "./errors.ts";

const OFF_MS = 2000;

/** `usbPort`: such as "1-1.4". However it ends, the device is let on the bus again. Throws SERIAL_POWER_CYCLE_FAILED. */
export async function cycleUsbPower(sys: string, usbPort: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const devices = `${sys}/bus/usb/devices`;
  const disable = portSwitch(devices, usbPort);
  const hasSwitch =
    disable !== undefined &&
    (await access(disable).then(
      () => true,
      () => false,
    ));
  if (hasSwitch && (await tryFlip(disable, ["1", "0"], clock, signal))) return;
  const authorized = `${devices}/${usbPort}/authorized`;
  try {
    await flip(authorized, ["0", "1"], clock, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    const code = systemCode(error) ?? "";
    const why = ["EROFS", "EACCES", "EPERM"].includes(code)
      ? "/sys is not writable here; run the container privileged, or set usb_power_cycle to false"
      : code === "ENOENT"
        ? "the device is not there any more"
        : explain(error);
    throw new SerialError("SERIAL_POWER_CYCLE_FAILED", `cannot take USB port ${usbPort} off the bus: ${why}`, { cause: error });
  }
}

/** `1-1.4` hangs on port 4 of hub `1-1`; `1-2` on port 2 of root hub `usb1`, whose interface is `1-0:1.0`. */
function portSwitch(devices: string, usbPort: string): string | undefined {
  const found = /^(\d+)-((?:\d+\.)*)(\d+)$/.exec(usbPort);
  if (found === null) return undefined;
  const [, bus, way, port] = found;
  if (way === "") return `${devices}/${bus}-0:1.0/usb${bus}-port${port}/disable`;
  const hub = `${bus}-${way!.slice(0, -1)}`;
  return `${devices}/${hub}:1.0/${hub}-port${port}/disable`;
}

async function tryFlip(path: string, words: readonly [string, string], clock: Clock, signal: AbortSignal): Promise<boolean> {
  try {
    await flip(path, words, clock, signal);
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    return false; // many hubs cannot; the other way is left
  }
}

async function flip(path: string, [off, on]: readonly [string, string], clock: Clock, signal: AbortSignal): Promise<void> {
  await writeFile(path, off, { flag: "r+" });
  try {
    await sleep(clock, OFF_MS, signal);
  } finally {
    await writeFile(path, on, { flag: "r+" });
  }
}
