// The serial part: looks at the devices once a second, tells each port which one is its own, and closes them all at the end.
//
// Polling instead of udev: /sys is readable in every container, a look costs one call an entry (README.md has the figures), and both
// plug and unplug are noticed within a second (DESIGN §7). Where the system tells that a device file came or went, we look at once.
// An absent device is a state, never a fault of opening.

import type { Millis } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { TtyInfo } from "#base/tty.ts";
import type { AccountRouter } from "#router/router.ts";
import { assignDevices, type Sight } from "./match.ts";
import type { SerialPortOptions } from "./options.ts";
import { Port, type SerialEnv } from "./port.ts";
import type { SerialPortStatus } from "./port-status.ts";
import type { TappedPort, TapSource } from "./tap-socket.ts";

const SCAN_INTERVAL_MS: Millis = 1000;
/** From a hint to the look: the device file gets its owner and rights a moment after its name. */
const HINT_PAUSE_MS: Millis = 100;

export interface SerialDeps {
  readonly account: AccountRouter;
  readonly env: SerialEnv;
  /** Is the calendar believed? Absent: yes. */
  readonly isWallTrusted?: () => boolean;
}

/**
 * Opens every port whose device is there and keeps looking for the others. Throws `SERIAL_SUBJECT_INVALID`, never because a device
 * is absent, busy or broken. Resolves after the first look, not after the first device.
 */
export async function openSerial(
  options: readonly SerialPortOptions[],
  deps: SerialDeps,
  signal: AbortSignal,
): Promise<SerialIngress> {
  signal.throwIfAborted();
  await using scope = new AsyncDisposableStack();
  const ingress = scope.use(new SerialIngress(options, deps));
  await ingress.look();
  signal.throwIfAborted();
  ingress.start();
  scope.move();
  return ingress;
}

export class SerialIngress implements TapSource, AsyncDisposable {
  readonly #env: SerialEnv;
  readonly #ports: readonly Port[];
  readonly #listeners = new Set<() => void>();
  #ticker: Disposable | undefined;
  #hints: Disposable | undefined;
  #hinted: Disposable | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;
  #lastFault: string | undefined;

  /** Only remembers; `openSerial` makes it work. */
  constructor(options: readonly SerialPortOptions[], deps: SerialDeps) {
    this.#env = { ...deps.env, log: deps.env.log.part("serial") };
    this.#ports = options.map(
      (port): Port =>
        new Port(port, {
          account: deps.account,
          env: this.#env,
          isWallTrusted: deps.isWallTrusted ?? (() => true),
          onChange: () => this.#changed(),
          isShared: (device) => this.#isShared(port.name, device),
        }),
    );
  }

  /** For onlookers: the port of this name, or the one that has this device now. */
  listen(port: string, onChunk: (chunk: Buffer) => void): { readonly facts: TappedPort; readonly end: Disposable } | undefined {
    const found = this.#ports.find(({ name, device }) => name === port || (device !== undefined && device.path === port));
    if (found === undefined) return undefined;
    return { facts: found.tapped, end: found.onChunk(onChunk) };
  }

  /** In the order of the settings. */
  status(): readonly SerialPortStatus[] {
    return this.#ports.map((port) => port.status());
  }

  /** Calls `listener` after a port changed its state, silence or pause, until disposed. Counters change unannounced. */
  watch(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** For `openSerial`. */
  start(): void {
    if (this.#ports.length === 0) return;
    for (const port of this.#ports) port.start();
    this.#hints = this.#env.tty.watch(() => this.#onHint());
    this.#ticker = this.#env.clock.every(SCAN_INTERVAL_MS, () => {
      for (const port of this.#ports) port.tick();
      void this.look();
    });
  }

  /** One look at the devices. A look that takes longer than the interval is not overtaken by the next. */
  look(): Promise<void> {
    if (this.#ports.length === 0) return Promise.resolve();
    this.#looking ??= this.#scan().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#ticker?.[Symbol.dispose]();
    this.#hints?.[Symbol.dispose]();
    this.#hinted?.[Symbol.dispose]();
    await Promise.all(this.#ports.map((port) => port.stop()));
    await this.#looking;
  }

  #onHint(): void {
    this.#hinted ??= this.#env.clock.after(HINT_PAUSE_MS, () => {
      this.#hinted = undefined;
      void this.look();
    });
  }

  /** An adapter with several ports is one USB device. */
  #isShared(name: string, device: TtyInfo): boolean {
    return this.#ports.some((port) => port.name !== name && port.isFine && port.device?.usbPort === device.usbPort);
  }

  async #scan(): Promise<void> {
    let sight: Sight;
    let fault: string | undefined;
    try {
      ({ sight, fault } = await this.#sight());
    } catch (error) {
      this.#complain(`cannot look for the serial devices: ${explain(error)}`, this.#ports);
      return;
    }
    if (this.#isClosed) return;
    const blind = fault === undefined ? [] : this.#ports.filter(({ wish }) => wish.match.path === null && wish.held === null);
    if (fault === undefined) this.#lastFault = undefined;
    else this.#complain(fault, blind);
    const ports = this.#ports.filter((port) => !blind.includes(port));
    const answers = assignDevices(
      ports.map((port) => port.wish),
      sight,
    );
    for (const [i, port] of ports.entries()) port.see(answers[i]!);
  }

  /** `fault`: why nothing is listed. Ports that name a path are served all the same, and who has a device keeps it. */
  async #sight(): Promise<{ readonly sight: Sight; readonly fault: string | undefined }> {
    const { tty } = this.#env;
    const matches = this.#ports.map((port) => port.wish.match);
    const byPath = new Map<string, TtyInfo>();
    for (const { path } of matches) {
      const device = path === null ? undefined : await tty.find(path);
      if (path !== null && device !== undefined) byPath.set(path, device);
    }
    if (!matches.some((match) => match.path === null)) return { sight: { devices: [], byPath }, fault: undefined };
    try {
      return { sight: { devices: await tty.list(), byPath }, fault: undefined };
    } catch (error) {
      const devices = this.#ports.map((port) => port.device).filter((device) => device !== undefined);
      return { sight: { devices, byPath }, fault: `cannot list the serial devices: ${explain(error)}` };
    }
  }

  #complain(fault: string, ports: readonly Port[]): void {
    if (this.#lastFault !== fault) this.#env.log.warn(fault);
    this.#lastFault = fault;
    for (const port of ports) port.seeNothing({ code: "SERIAL_LIST_FAILED", text: fault });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
