// The real serial devices: opened, set up and polled by node-serialport's binding, listed by the kernel's tree.
//
// What that binding does that matters here (what its pollers do: pollers.ts):
//   - It sets the line's parameters before it asks for the lock, so opening a busy port disturbs its holder. We ask the kernel for a
//     holder first.
//   - Opening throws away what the system had buffered.

import { watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { asyncClose, asyncOpen } from "@serialport/bindings-cpp/dist/load-bindings.js";
import { type Clock, systemClock } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { Tty, TtyInfo, TtyPort, TtySettings } from "#base/tty.ts";
import { findHolder, type LockPlaces, SYSTEM_LOCK_PLACES, writeLockFile } from "./device-lock.ts";
import { absentError, baudRateError, busyError, forbiddenError, openFailedError, SerialError } from "./errors.ts";
import { Pollers } from "./pollers.ts";
import { SystemTtyPort } from "./system-port.ts";
import { describeTty, type TreePlaces, TtyTree } from "./tty-tree.ts";
import { cycleUsbPower } from "./usb-power.ts";

/** Where the system shows its devices; other than these only under test. */
export interface TtyPlaces extends TreePlaces, LockPlaces {}

export const SYSTEM_TTY_PLACES: TtyPlaces = { sys: "/sys", dev: "/dev", ...SYSTEM_LOCK_PLACES };

/** Beyond what the settings say: reads that give what is there, the kernel's lock, and DTR that falls with the closing. */
const BINDING_OPTIONS = { vmin: 1, vtime: 0, lock: true, hupcl: true, xon: false, xoff: false, xany: false };

/** `clock` times the pause of a power cycle, and how long bytes take. */
export function systemTty(clock: Clock = systemClock(), places: TtyPlaces = SYSTEM_TTY_PLACES): Tty {
  const tree = new TtyTree(places);
  const pollers = new Pollers();
  return {
    list: async () => (await tree.list()) ?? (await listWithoutTree(places)),
    find: (path) => findDevice(places, path),
    open: (path, settings) => open(path, settings, { places, pollers, clock }),
    watch: (onHint) => watchFolder(places.dev, onHint),
    holder: async (path) => await findHolder(await realpath(path).catch(() => path), places),
    async cyclePower(device, signal) {
      if (device.usbPort !== null) return await cycleUsbPower(places.sys, device.usbPort, clock, signal);
      throw new SerialError("SERIAL_POWER_CYCLE_FAILED", `${device.path} is no USB device; its power cannot be switched`);
    },
  };
}

/** The kernel's devtmpfs tells of new files as any file system does; a container's own /dev is silent, and then nothing is heard. */
function watchFolder(folder: string, onHint: () => void): Disposable {
  try {
    // "rename": a name came or went. The other kind comes with every write to a device.
    const watcher = watch(folder, { persistent: false }, (event, name) => {
      if (event === "rename" && (name === null || name.startsWith("tty"))) onHint();
    });
    watcher.on("error", () => undefined); // the folder was mounted over, or there are no watches left: the list is looked at anyway
    return { [Symbol.dispose]: () => watcher.close() };
  } catch {
    return { [Symbol.dispose]: () => undefined };
  }
}

async function findDevice(places: TtyPlaces, path: string): Promise<TtyInfo | undefined> {
  try {
    const known = dirname(path) === places.dev ? await describeTty(places, basename(path)) : undefined;
    const device = await realpath(path);
    if (!(await stat(device)).isCharacterDevice()) return undefined;
    if (known !== undefined) return known;
    const target = dirname(device) === places.dev ? await describeTty(places, basename(device)) : undefined;
    return target ?? { path: device, vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null };
  } catch {
    return undefined; // not there, or a folder on the way may not be read: in both cases nothing to open
  }
}

/** A developer's Mac has no such tree, and its own way. On Linux the library would start a program that knows no more than we do. */
async function listWithoutTree({ sys }: TtyPlaces): Promise<readonly TtyInfo[]> {
  if (process.platform === "linux") {
    const words = `there is no ${sys}/class/tty here; give this container ${sys}, or recognise devices by "path" alone`;
    throw new SerialError("SERIAL_LIST_FAILED", words);
  }
  const { SerialPort } = await import("serialport");
  return (await SerialPort.list()).map((port) => ({
    path: port.path,
    vendorId: port.vendorId ?? null,
    productId: port.productId ?? null,
    serialNumber: port.serialNumber ?? null,
    usbPort: port.locationId ?? null,
    usbInterface: null,
  }));
}

interface OpenEnv {
  readonly places: TtyPlaces;
  readonly pollers: Pollers;
  readonly clock: Clock;
}

async function open(path: string, settings: TtySettings, { places, pollers, clock }: OpenEnv): Promise<TtyPort> {
  if (process.platform === "win32")
    throw openFailedError(path, new Error("serial ports are read on Linux and other Unix systems only"));
  const device = await realpath(path).catch(() => path);
  const holder = await findHolder(device, places);
  if (holder !== undefined) throw busyError(path, holder);
  await using scope = new AsyncDisposableStack();
  const lockFile = scope.use(await writeLockFile(device, places));
  let descriptor: number;
  try {
    descriptor = await asyncOpen(device, { ...settings, ...BINDING_OPTIONS });
  } catch (error) {
    throw await explainOpenFault(path, device, error, places);
  }
  scope.defer(() => asyncClose(descriptor));
  try {
    const port = new SystemTtyPort(path, { descriptor, settings, lockFile }, { pollers, clock });
    scope.move(); // the port's from here on
    return port;
  } catch (error) {
    throw openFailedError(path, error); // the kernel does not poll it
  }
}

/** node-serialport gives the system's words without its code. */
async function explainOpenFault(path: string, device: string, fault: unknown, places: TtyPlaces): Promise<Error> {
  const words = explain(fault);
  if (/Cannot lock port|Device or resource busy/.test(words)) return busyError(path, await findHolder(device, places));
  if (/baud rate/i.test(words)) return baudRateError(path, fault);
  if (/No such file|No such device/.test(words)) return absentError(path);
  if (/Permission denied|Operation not permitted/.test(words)) return forbiddenError(path, fault);
  return openFailedError(path, fault);
}
