// Watches over one open port: keeps the watchdog's state, says in words what is wrong, and takes the USB device off the bus where
// that is the next thing to try. What to do is decided in watchdog.ts; the port itself closes and opens.

import type { Millis } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { Tty, TtyInfo } from "#base/tty.ts";
import type { Cause } from "./match.ts";
import { ALL_WELL, type PortLook, type WatchOptions, type WatchState, watchPort } from "./watchdog.ts";

export interface GuardEnv {
  readonly tty: Tty;
  readonly log: Log;
  /** Closes the open port; the next look at the devices opens it anew. */
  readonly reopen: (cause: Cause) => void;
}

export class PortGuard {
  /** Times the port was opened anew because it was no good, and times its USB device was taken off the bus. */
  reopens = 0;
  powerCycles = 0;
  readonly #name: string;
  readonly #options: WatchOptions;
  readonly #env: GuardEnv;
  readonly #ending = new AbortController();
  #state: WatchState = ALL_WELL;
  #cycling: Promise<void> | undefined;

  constructor(name: string, options: WatchOptions, env: GuardEnv) {
    this.#name = name;
    this.#options = options;
    this.#env = env;
  }

  get isSilent(): boolean {
    return this.#state.isSilent;
  }

  get isFine(): boolean {
    return !this.#state.isSilent && !this.#state.isNoisy;
  }

  /** What is wrong though everything was tried, with a remedy; null: nothing is. */
  get degraded(): string | null {
    if (this.#state.rung !== "degraded") return null;
    const tried = this.powerCycles > 0 ? "opening it anew and taking its USB device off the bus" : "opening it anew";
    return this.#state.isNoisy
      ? `more than ${this.#options.errorBudget} bad frames a minute, and ${tried} did not help; check baud rate, parity, framing and the wire`
      : `no frame comes, and ${tried} did not help; check the device's power and its wiring`;
  }

  /** Once a second while the port is open and read. True: there is something new to tell. */
  tick(device: TtyInfo, look: PortLook): boolean {
    const before = this.#state;
    const [after, action] = watchPort(before, look, this.#options);
    this.#state = after;
    if (after.isSilent && !before.isSilent) this.#tellSilence(device, look);
    if (after.rung === "degraded" && before.rung !== "degraded") this.#env.log.warn(`port ${this.#name}: ${this.degraded}`);
    if (action !== "none") this.#heal(device, action === "cycle-power");
    return after.isSilent !== before.isSilent || after.rung !== before.rung;
  }

  /** A frame came. True: that is news. */
  onHeard(): boolean {
    if (!this.#state.isSilent) return false;
    this.#state = { ...this.#state, isSilent: false };
    this.#env.log.info(`port ${this.#name}: frames come again`);
    return true;
  }

  /** The device is gone. If we did not take it off the bus ourselves, what comes back is met without prejudice. */
  onAbsent(): void {
    if (this.#state.rung !== "cycled") this.#state = { ...ALL_WELL, cycledAt: this.#state.cycledAt };
  }

  /** The device takes no bytes: opening it anew ends the write that hangs. */
  onStuck(): void {
    this.#reopen("the device took no bytes; the port is opened anew");
  }

  /** Lets the device on the bus again. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#cycling;
  }

  #tellSilence({ path }: TtyInfo, { now, lastFrameAt, openedAt }: PortLook): void {
    const silentMs: Millis = Math.round(now - Math.max(lastFrameAt, openedAt));
    const words = `port ${this.#name} is open, but no frame comes; check the device's power, its wiring and the baud rate`;
    this.#env.log.warn(words, { path, silentMs });
  }

  #heal(device: TtyInfo, isCycle: boolean): void {
    const why = this.#state.isNoisy ? `more than ${this.#options.errorBudget} bad frames within a minute` : "no frame comes";
    this.#reopen(`${why}; ${isCycle ? "its USB device is taken off the bus for a moment" : "the port is opened anew"}`);
    if (isCycle) this.#cycling = this.#cyclePower(device);
  }

  #reopen(text: string): void {
    this.reopens += 1;
    this.#env.reopen({ code: "SERIAL_TROUBLED", text });
  }

  async #cyclePower(device: TtyInfo): Promise<void> {
    this.powerCycles += 1;
    try {
      await this.#env.tty.cyclePower(device, this.#ending.signal);
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#env.log.warn(`port ${this.#name}: ${explain(error)}`);
    }
  }
}
