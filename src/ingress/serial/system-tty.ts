// The real serial devices: opened, set up and polled by node-serialport's binding, listed by the kernel's tree.
//
// What that binding does that matters here:
//   - It sets the line's parameters before it asks for the lock, so opening a busy port disturbs its holder. We ask the kernel for a
//     holder first.
//   - Opening throws away what the system had buffered.
//   - Its poller calls into JavaScript from outside of any callback scope: on Node 26 nothing runs the microtasks behind that call
//     (on Node 20 something did), and its own reader, which waits for a promise there, sleeps until some timer wakes the process. So
//     we read ourselves, from an immediate. Reading ourselves also shows an end of file, which a hung-up device is, and leaves no
//     stream to buffer behind a pause.

import { readSync, watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { SerialPort } from "serialport";
import { type Clock, systemClock } from "#base/clock.ts";
import { explain, systemCode } from "#base/errors.ts";
import type { LineSignals, Tty, TtyInfo, TtyPort, TtySettings } from "#base/tty.ts";
import { findHolder, type LockPlaces, SYSTEM_LOCK_PLACES, writeLockFile } from "./device-lock.ts";
import { absentError, baudRateError, busyError, forbiddenError, openFailedError, SerialError } from "./errors.ts";
import { describeTty, type TreePlaces, TtyTree } from "./tty-tree.ts";
import { cycleUsbPower } from "./usb-power.ts";

/** One read at most. The kernel's line discipline holds 4 KiB. */
const READ_BYTES = 16 * 1024;
/** Reads at closing, for what the system has received already; a device that never stops must not keep us. */
const LAST_READS_MAX = 4;

type Binding = Awaited<ReturnType<typeof SerialPort.binding.open>>;
/** Bindings of Unix systems show their descriptor and poller. */
type UnixBinding = Extract<Binding, { readonly poller: unknown }>;

/** Where the system shows its devices; other than these only under test. */
export interface TtyPlaces extends TreePlaces, LockPlaces {}

export const SYSTEM_TTY_PLACES: TtyPlaces = { sys: "/sys", dev: "/dev", ...SYSTEM_LOCK_PLACES };

/** `clock` times the pause of a power cycle. */
export function systemTty(clock: Clock = systemClock(), places: TtyPlaces = SYSTEM_TTY_PLACES): Tty {
  const tree = new TtyTree(places);
  return {
    list: async () => (await tree.list()) ?? (await listWithoutTree(places)),
    find: (path) => findDevice(places, path),
    open: (path, settings) => open(path, settings, places),
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
  return (await SerialPort.list()).map((port) => ({
    path: port.path,
    vendorId: port.vendorId ?? null,
    productId: port.productId ?? null,
    serialNumber: port.serialNumber ?? null,
    usbPort: port.locationId ?? null,
    usbInterface: null,
  }));
}

async function open(path: string, settings: TtySettings, places: TtyPlaces): Promise<TtyPort> {
  const device = await realpath(path).catch(() => path);
  const holder = await findHolder(device, places);
  if (holder !== undefined) throw busyError(path, holder);
  await using scope = new AsyncDisposableStack();
  scope.use(await writeLockFile(device, places));
  let binding: Binding;
  try {
    binding = await SerialPort.binding.open({ path: device, ...settings, lock: true });
  } catch (error) {
    throw await explainOpenFault(path, device, error, places);
  }
  if ("poller" in binding) return new SystemTtyPort(path, binding, { lockFile: scope.move(), mayHold: settings.rtscts });
  await binding.close();
  throw openFailedError(path, new Error("serial ports are read on Linux and other Unix systems only"));
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

class SystemTtyPort implements TtyPort {
  readonly path: string;
  readonly #binding: UnixBinding;
  readonly #lockFile: AsyncDisposable;
  /** The device may say stop: bytes that the system has taken need not have left. */
  readonly #mayHold: boolean;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #onData: ((chunk: Buffer) => void) | undefined;
  #onClose: ((fault: Error | undefined) => void) | undefined;
  #isPaused = false;
  #isWaiting = false;
  /** Writes under way. */
  #writing = 0;
  /** The binding sets all lines at once: what was asked for so far, in its own words. */
  #signals = { dtr: true, rts: true, brk: false };
  #closed: Promise<void> | undefined;

  constructor(path: string, binding: UnixBinding, options: { readonly lockFile: AsyncDisposable; readonly mayHold: boolean }) {
    this.path = path;
    this.#binding = binding;
    this.#lockFile = options.lockFile;
    this.#mayHold = options.mayHold;
    // The binding's writer waits for a promise behind the poller: any immediate lets it go on (see the head of this file).
    binding.poller.on("writable", () => setImmediate(() => undefined));
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#onData = listener;
    this.#wait();
  }

  onClose(listener: (fault: Error | undefined) => void): void {
    this.#onClose = listener;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#writing += 1;
    try {
      await this.#binding.write(bytes);
    } finally {
      this.#writing -= 1;
    }
  }

  async setSignals(signals: LineSignals): Promise<void> {
    const wanted = { ...this.#signals, ...signals };
    await this.#binding.set(wanted);
    this.#signals = wanted;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#onData !== undefined) this.#wait();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let i = 0; i < LAST_READS_MAX && this.#closed === undefined; i++) {
      if (this.#read() !== "data") break;
    }
    await this.#close(undefined);
  }

  #wait(): void {
    if (this.#isWaiting || this.#isPaused || this.#closed !== undefined) return;
    this.#isWaiting = true;
    this.#binding.poller.once("readable", () => setImmediate(() => this.#onReadable()));
  }

  /** The poller's own fault is passed over: the read that follows meets the same one and names it. */
  #onReadable(): void {
    this.#isWaiting = false;
    if (this.#closed !== undefined || this.#isPaused) return;
    const outcome = this.#read();
    if (outcome instanceof Error) void this.#close(outcome);
    else this.#wait();
  }

  #read(): "data" | "nothing" | Error {
    let bytes: number;
    try {
      bytes = readSync(this.#binding.fd!, this.#buffer, 0, READ_BYTES, null);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EAGAIN" || code === "EINTR") return "nothing";
      return new Error(code === "EIO" || code === "ENXIO" || code === "ENODEV" ? "unplugged" : explain(error), { cause: error });
    }
    if (bytes === 0) return new Error("unplugged"); // end of file: how a hung-up device reads
    this.#onData?.(this.#buffer.subarray(0, bytes));
    return "data";
  }

  #close(fault: Error | undefined): Promise<void> {
    this.#closed ??= this.#end(fault);
    return this.#closed;
  }

  async #end(fault: Error | undefined): Promise<void> {
    if (this.#writing > 0 || this.#mayHold) {
      // The system waits up to half a minute for bytes that a device does not take, in a thread that others need: drop them.
      this.#binding.poller.stop();
      await this.#binding.flush().catch(() => undefined);
    }
    await this.#binding.close().catch(() => undefined); // Linux gives the descriptor back even then; nothing is left to do
    await this.#lockFile[Symbol.asyncDispose]();
    this.#onClose?.(fault);
  }
}
