// The serial part: looks at the devices once a second, tells each port which one is its own, and closes them all at the end.
//
// Polling instead of udev: /sys is readable in every container, a scan costs a few small reads, and both plug and unplug are noticed
// within a second (DESIGN §7). An absent device is a state, never a fault of opening.

import type { Millis } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { TtyInfo } from "#base/tty.ts";
import type { AccountRouter } from "#router/router.ts";
import { assignDevices, type Sight } from "./match.ts";
import type { SerialPortOptions } from "./options.ts";
import { Port, type SerialEnv, type SerialPortStatus } from "./port.ts";

const SCAN_INTERVAL_MS: Millis = 1000;

/**
 * Opens every port whose device is there and keeps looking for the others. Throws `SERIAL_SUBJECT_INVALID`, never because a device
 * is absent, busy or broken. Resolves after the first look, not after the first device.
 */
export async function openSerial(
  options: readonly SerialPortOptions[],
  deps: { readonly account: AccountRouter; readonly env: SerialEnv },
  signal: AbortSignal,
): Promise<SerialIngress> {
  signal.throwIfAborted();
  await using scope = new AsyncDisposableStack();
  const ingress = scope.use(new SerialIngress(options, deps.account, deps.env));
  await ingress.look();
  signal.throwIfAborted();
  ingress.start();
  scope.move();
  return ingress;
}

export class SerialIngress implements AsyncDisposable {
  readonly #env: SerialEnv;
  readonly #ports: readonly Port[];
  readonly #listeners = new Set<() => void>();
  #ticker: Disposable | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;
  #lastFault: string | undefined;

  /** Only remembers; `openSerial` makes it work. */
  constructor(options: readonly SerialPortOptions[], account: AccountRouter, env: SerialEnv) {
    this.#env = { ...env, log: env.log.part("serial") };
    this.#ports = options.map((port) => new Port(port, account, this.#env, () => this.#changed()));
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
    await Promise.all(this.#ports.map((port) => port.stop()));
    await this.#looking;
  }

  async #scan(): Promise<void> {
    let sight: Sight;
    try {
      sight = await this.#sight();
    } catch (error) {
      this.#complain(`cannot list the serial devices: ${explain(error)}`);
      return;
    }
    if (this.#isClosed) return;
    this.#lastFault = undefined;
    const answers = assignDevices(
      this.#ports.map((port) => port.wish),
      sight,
    );
    for (const [i, port] of this.#ports.entries()) port.see(answers[i]!);
  }

  async #sight(): Promise<Sight> {
    const { tty } = this.#env;
    const matches = this.#ports.map((port) => port.wish.match);
    const devices = matches.some((match) => match.path === null) ? await tty.list() : [];
    const byPath = new Map<string, TtyInfo>();
    for (const { path } of matches) {
      const device = path === null ? undefined : await tty.find(path);
      if (path !== null && device !== undefined) byPath.set(path, device);
    }
    return { devices, byPath };
  }

  #complain(fault: string): void {
    if (this.#lastFault !== fault) this.#env.log.warn(fault);
    this.#lastFault = fault;
    for (const port of this.#ports) port.seeNothing({ code: "SERIAL_LIST_FAILED", text: fault });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
