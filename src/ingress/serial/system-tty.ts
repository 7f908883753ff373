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

import { readSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { SerialPort } from "serialport";
import { explain, systemCode } from "#base/errors.ts";
import type { Tty, TtyInfo, TtyPort, TtySettings } from "#base/tty.ts";
import { absentError, busyError, forbiddenError, openFailedError } from "./errors.ts";
import { findLockHolder } from "./lock-holder.ts";
import { describeTty, listTtyTree } from "./tty-tree.ts";

/** One read at most. The kernel's line discipline holds 4 KiB. */
const READ_BYTES = 16 * 1024;
/** Reads at closing, for what the system has received already; a device that never stops must not keep us. */
const LAST_READS_MAX = 4;

type Binding = Awaited<ReturnType<typeof SerialPort.binding.open>>;
/** Bindings of Unix systems show their descriptor and poller. */
type UnixBinding = Extract<Binding, { readonly poller: unknown }>;

/** `sys`: where the kernel's tree is mounted; other than "/sys" only under test. */
export function systemTty(sys = "/sys"): Tty {
  return {
    list: async () => (await listTtyTree(sys)) ?? (await listByLibrary()),
    find: (path) => findDevice(sys, path),
    open,
  };
}

async function findDevice(sys: string, path: string): Promise<TtyInfo | undefined> {
  try {
    const device = await realpath(path);
    if (!(await stat(device)).isCharacterDevice()) return undefined;
    const known = dirname(device) === "/dev" ? await describeTty(sys, basename(device)) : undefined;
    return known ?? { path: device, vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null };
  } catch {
    return undefined; // not there, or a folder on the way may not be read: in both cases nothing to open
  }
}

/** For systems without the kernel's tree, such as a developer's Mac. */
async function listByLibrary(): Promise<readonly TtyInfo[]> {
  return (await SerialPort.list()).map((port) => ({
    path: port.path,
    vendorId: port.vendorId ?? null,
    productId: port.productId ?? null,
    serialNumber: port.serialNumber ?? null,
    usbPort: port.locationId ?? null,
    usbInterface: null,
  }));
}

async function open(path: string, settings: TtySettings): Promise<TtyPort> {
  const holder = await findLockHolder(path);
  if (holder !== undefined) throw busyError(path, holder);
  let binding: Binding;
  try {
    binding = await SerialPort.binding.open({ path, ...settings, lock: true });
  } catch (error) {
    throw await explainOpenFault(path, error);
  }
  if ("poller" in binding) return new SystemTtyPort(path, binding);
  await binding.close();
  throw openFailedError(path, new Error("serial ports are read on Linux and other Unix systems only"));
}

/** node-serialport gives the system's words without its code. */
async function explainOpenFault(path: string, fault: unknown): Promise<Error> {
  const words = explain(fault);
  if (/Cannot lock port|Device or resource busy/.test(words)) return busyError(path, await findLockHolder(path));
  if (/No such file|No such device/.test(words)) return absentError(path);
  if (/Permission denied|Operation not permitted/.test(words)) return forbiddenError(path, fault);
  return openFailedError(path, fault);
}

class SystemTtyPort implements TtyPort {
  readonly path: string;
  readonly #binding: UnixBinding;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #onData: ((chunk: Buffer) => void) | undefined;
  #onClose: ((fault: Error | undefined) => void) | undefined;
  #isPaused = false;
  #isWaiting = false;
  #closed: Promise<void> | undefined;

  constructor(path: string, binding: UnixBinding) {
    this.path = path;
    this.#binding = binding;
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

  write(bytes: Buffer): Promise<void> {
    return this.#binding.write(bytes);
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
    this.#closed ??= this.#binding
      .close()
      .catch(() => undefined) // Linux gives the descriptor back even when close fails; nothing is left to do
      .finally(() => this.#onClose?.(fault));
    return this.#closed;
  }
}
