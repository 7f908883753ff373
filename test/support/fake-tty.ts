// Serial devices of the mind: plug in, send, hold, unplug.
//
//   const tty = new FakeTty();
//   const sensor = tty.plug({ path: "/dev/ttyUSB0", vendorId: "0403", productId: "6001" });
//   …                                  // the part under test opens it
//   sensor.send("21.4\n");
//   tty.unplug("/dev/ttyUSB0");

import type { LineSignals, Tty, TtyInfo, TtyPort, TtySettings } from "#base/tty.ts";
import { absentError, busyError } from "#ingress/serial/errors.ts";

/** What a paused port keeps for us, as the kernel would; more is lost. */
const KERNEL_BUFFER_BYTES = 4096;

export class FakeTty implements Tty {
  readonly #devices = new Map<string, FakeDevice>();
  readonly #links = new Map<string, string>();
  /** What `list` and `find` reject with, if anything. */
  listFault: Error | undefined;
  /** Then paths are found all the same. */
  onlyListFails = false;
  /** Paths that were asked to be opened, in order. */
  readonly opened: string[] = [];
  /** USB ports whose power was cycled, in order; each takes as long as `powerGate` says, and fails with `powerFault` if there is one. */
  readonly cycled: string[] = [];
  powerGate: Promise<void> | undefined;
  powerFault: Error | undefined;
  readonly #hints = new Set<() => void>();

  /** The system tells that something came or went. */
  hint(): void {
    for (const onHint of this.#hints) onHint();
  }

  watch(onHint: () => void): Disposable {
    this.#hints.add(onHint);
    return { [Symbol.dispose]: () => void this.#hints.delete(onHint) };
  }

  /** Whoever still waits for hints. */
  get watchers(): number {
    return this.#hints.size;
  }

  async holder(path: string): Promise<string | undefined> {
    const device = this.#devices.get(path);
    return device?.holder ?? (device?.isOpen === true ? "this process" : undefined);
  }

  async cyclePower(device: TtyInfo): Promise<void> {
    this.cycled.push(device.usbPort ?? device.path);
    await this.powerGate;
    if (this.powerFault !== undefined) throw this.powerFault;
  }

  plug(info: Partial<TtyInfo> & { readonly path: string }): FakeDevice {
    const nothing = { vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null };
    const device = new FakeDevice({ ...nothing, ...info });
    this.#devices.set(info.path, device);
    return device;
  }

  /** `silently`: the open port does not notice, as happens with real ones; only the list tells. */
  unplug(path: string, options: { readonly silently?: boolean } = {}): void {
    const device = this.#devices.get(path);
    this.#devices.delete(path);
    if (options.silently !== true) device?.fail(new Error("bad file descriptor"));
  }

  /** Another path that leads to a device, as udev's by-id links do. */
  link(from: string, to: string): void {
    this.#links.set(from, to);
  }

  async list(): Promise<readonly TtyInfo[]> {
    if (this.listFault !== undefined) throw this.listFault;
    return [...this.#devices.values()].map((device) => device.info);
  }

  async find(path: string): Promise<TtyInfo | undefined> {
    if (this.listFault !== undefined && !this.onlyListFails) throw this.listFault;
    return this.#devices.get(this.#links.get(path) ?? path)?.info;
  }

  async open(path: string, settings: TtySettings): Promise<TtyPort> {
    this.opened.push(path);
    const device = this.#devices.get(path);
    await device?.gate;
    if (device === undefined || this.#devices.get(path) !== device) throw absentError(path);
    return device.open(settings);
  }
}

export class FakeDevice {
  readonly info: TtyInfo;
  /** The other program that has it, if any. */
  holder: string | undefined;
  /** What the next opening fails with. */
  openFault: Error | undefined;
  /** An opening waits for this. */
  gate: Promise<void> | undefined;
  settings: TtySettings | undefined;
  isPaused = false;
  /** What was written to it. */
  readonly written: Buffer[] = [];
  /** A write waits for this, as it does on a device that holds the line. */
  writeGate: Promise<void> | undefined;
  /** What the next write fails with. */
  writeFault: Error | undefined;
  /** Called with what was written: a device that answers. */
  onWrite: ((bytes: Buffer) => void) | undefined;
  /** Lines moved, in order. */
  readonly signals: LineSignals[] = [];
  signalFault: Error | undefined;
  /** Bytes that found the buffer of a paused port full. */
  lostBytes = 0;
  #waiting = Buffer.alloc(0);
  #port: FakePort | undefined;

  constructor(info: TtyInfo) {
    this.info = info;
  }

  get isOpen(): boolean {
    return this.#port !== undefined;
  }

  /** The device says something. Nobody listening: it is gone, as on a real wire. */
  send(bytes: Buffer | string): void {
    const chunk = Buffer.from(bytes);
    if (this.#port === undefined) return;
    if (!this.isPaused) {
      this.#port.give(chunk);
      chunk.fill(0xee); // borrowed until the callback returned: whoever kept it must have copied it
      return;
    }
    const room = KERNEL_BUFFER_BYTES - this.#waiting.length;
    this.lostBytes += Math.max(0, chunk.length - room);
    this.#waiting = Buffer.concat([this.#waiting, chunk.subarray(0, room)]);
  }

  /** The open port ends with a fault. */
  fail(fault: Error | undefined): void {
    const port = this.#port;
    this.#port = undefined;
    port?.end(fault);
  }

  /** For `FakeTty`. */
  open(settings: TtySettings): TtyPort {
    const fault = this.openFault;
    this.openFault = undefined;
    if (fault !== undefined) throw fault;
    if (this.holder !== undefined) throw busyError(this.info.path, this.holder);
    if (this.#port !== undefined) throw busyError(this.info.path, "this process");
    this.settings = settings;
    this.isPaused = false;
    this.#waiting = Buffer.alloc(0);
    this.#port = new FakePort(this);
    return this.#port;
  }

  /** For the port. */
  drain(): void {
    const waiting = this.#waiting;
    this.#waiting = Buffer.alloc(0);
    if (waiting.length > 0) this.#port?.give(waiting);
  }

  /** For the port. */
  close(): void {
    this.drain();
    this.fail(undefined);
  }
}

class FakePort implements TtyPort {
  readonly #device: FakeDevice;
  #onData: ((chunk: Buffer) => void) | undefined;
  #onClose: ((fault: Error | undefined) => void) | undefined;
  #isClosed = false;

  constructor(device: FakeDevice) {
    this.#device = device;
  }

  get path(): string {
    return this.#device.info.path;
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#onData = listener;
  }

  onClose(listener: (fault: Error | undefined) => void): void {
    this.#onClose = listener;
  }

  async write(bytes: Buffer): Promise<void> {
    const device = this.#device;
    await device.writeGate;
    const fault = device.writeFault;
    device.writeFault = undefined;
    if (fault !== undefined) throw fault;
    device.written.push(Buffer.from(bytes));
    device.onWrite?.(Buffer.from(bytes));
  }

  async setSignals(signals: LineSignals): Promise<void> {
    if (this.#device.signalFault !== undefined) throw this.#device.signalFault;
    this.#device.signals.push(signals);
  }

  pause(): void {
    this.#device.isPaused = true;
  }

  resume(): void {
    this.#device.isPaused = false;
    this.#device.drain();
  }

  give(chunk: Buffer): void {
    this.#onData?.(chunk);
  }

  end(fault: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose?.(fault);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    await Promise.resolve(); // closing takes a moment
    if (!this.#isClosed) this.#device.close();
  }
}
