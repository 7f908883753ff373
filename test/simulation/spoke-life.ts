// One life of the spoke: from `openSpoke` to a power cut, a kill or a clean end. All it knows of the world comes through here, and
// all of it ends with the life: a dead process sets no timer off, writes to no disk and to no network.

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Env } from "#base/env.ts";
import { createLog, type Log, type LogLine } from "#base/log.ts";
import type { Net } from "#base/net.ts";
import type { Config } from "#config/config.ts";
import type { S2Codec } from "#s2/codec.ts";
import type { StatusReport } from "#status/report.ts";
import { type Machine, openSpoke, type Spoke } from "../../src/spoke.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import type { FakeTty } from "../support/fake-tty.ts";
import type { Dice } from "./spoke-dice.ts";
import type { SpokeNet } from "./spoke-net.ts";
import { DATA_DIR } from "./spoke-settings.ts";

export interface Surroundings {
  readonly config: Config;
  readonly clock: FakeClock;
  /** When the board was switched on, by that clock. */
  readonly bootedAt: Millis;
  readonly tty: FakeTty;
  /** Towards the hub; and where local clients come in. */
  readonly wan: SpokeNet;
  readonly lan: SpokeNet;
  readonly dice: Dice;
  readonly codec: S2Codec;
  /** One life's view of the disk, as it is or spoilt. */
  mount(): Disk;
  onLog(line: LogLine): void;
}

export class Life {
  readonly #around: Surroundings;
  /** Ends what waits for the network. */
  readonly #abort = new AbortController();
  readonly #timers = new Set<Disposable>();
  #spoke: Spoke | undefined;
  #isOver = false;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Rejects if it dies meanwhile, and only then. */
  async open(): Promise<void> {
    const { tty, wan, lan, dice, config } = this.#around;
    const clock = this.#clock();
    const log: Log = createLog(clock, "debug", (line) => {
      if (!this.#isOver) this.#around.onLog(line);
    });
    const net: Net = {
      dial: (endpoint, signal) => wan.dial(endpoint, AbortSignal.any([signal, this.#abort.signal])),
      listen: (endpoint, onStream) => (this.#isOver ? Promise.reject(new Error("it is dead")) : lan.listen(endpoint, onStream)),
    };
    const entropy = { random: dice.random, bytes: (count: number) => dice.bytes(count) };
    const env: Env = { clock, disk: this.#around.mount(), net, tty, entropy, log };
    const spoke = await openSpoke(
      config,
      { dataDir: DATA_DIR, version: "sim" },
      env,
      new AbortController().signal,
      this.#machine(),
    );
    if (this.#isOver) throw new Error("it died while it opened");
    this.#spoke = spoke;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Timers it has set. */
  get timers(): number {
    return this.#timers.size;
  }

  report(): StatusReport | undefined {
    return this.#spoke?.report();
  }

  /** The process is no more. The disk is told apart: what a power cut does to it is its own affair. */
  die(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#abort.abort(new Error("it is dead"));
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
    this.#around.wan.break();
    this.#around.lan.die();
  }

  /** SIGTERM. */
  close(): Promise<void> {
    return this.#spoke![Symbol.asyncDispose]();
  }

  #clock(): Clock {
    const { clock, bootedAt } = this.#around;
    const set = (start: (action: () => void) => Disposable, isOnce: boolean, action: () => void): Disposable => {
      if (this.#isOver) return { [Symbol.dispose]: () => undefined };
      const timer = start(() => {
        if (isOnce) this.#timers.delete(timer);
        action();
      });
      this.#timers.add(timer);
      return {
        [Symbol.dispose]: () => {
          this.#timers.delete(timer);
          timer[Symbol.dispose]();
        },
      };
    };
    return {
      now: (): Millis => clock.now() - bootedAt,
      wall: (): WallMillis => clock.wall(),
      after: (delay, action) => set((run) => clock.after(delay, run), true, action),
      every: (period, action) => set((run) => clock.every(period, run), false, action),
    };
  }

  /** Sockets of the machine are none of the simulation's. */
  #machine(): Machine {
    const nothing = { [Symbol.asyncDispose]: async () => undefined };
    return {
      lock: async () => nothing,
      openMonitor: async () => ({ endpoint: null, ...nothing }),
      openCodec: () => this.#around.codec,
      hostMachine: () => null,
    };
  }
}
