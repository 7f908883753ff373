// The machine, asked with patience for what hangs: a kernel file whose driver never answers, a file system that is gone.
//
// Such a question cannot be taken back; it holds one of the runtime's few I/O threads, which the outbox needs as well. So one that takes
// too long is given up and its file is not asked again until it has answered after all; and while several hang at once, no further
// ones are asked. What is not asked is absent from the report, as on a board that does not have it.

import type { Clock, Millis } from "#base/clock.ts";
import { hangsError } from "./errors.ts";
import type { HostMachine } from "./host-machine.ts";

/** No healthy answer takes so long. Slow ones (a sensor on a slow bus) take 100 ms. */
export const PATIENCE_MS: Millis = 3000;
/** The runtime has four I/O threads: half of them may be lost. */
const HANGING_MAX = 2;
/** Questions at once: one thread is always free for the outbox, whatever we ask. */
const ASKED_MAX = 2;

export class PatientMachine implements HostMachine, Disposable {
  readonly files: HostMachine["files"];
  readonly disk: HostMachine["disk"];
  readonly bus: HostMachine["bus"];
  readonly #machine: HostMachine;
  readonly #clock: Clock;
  /** What has been given up and not answered yet: one for each question, though two may have the same name. */
  readonly #hanging = new Set<{ readonly what: string }>();
  readonly #queue: (() => void)[] = [];
  readonly #timers = new Set<Disposable>();
  #asked = 0;

  constructor(machine: HostMachine, clock: Clock) {
    this.#machine = machine;
    this.#clock = clock;
    this.files = {
      read: (path) => this.#ask(path, () => machine.files.read(path), undefined),
      list: (path) => this.#ask(path, () => machine.files.list(path), []),
    };
    this.bus = { call: (call) => this.#ask(call.destination, () => machine.bus.call(call), undefined) };
    this.disk = { space: (path) => this.#ask(`room ${path}`, () => machine.disk.space(path)) };
  }

  /** Names of what hangs now, for the log. */
  get hanging(): readonly string[] {
    return [...new Set([...this.#hanging].map(({ what }) => what))];
  }

  memory(): ReturnType<HostMachine["memory"]> {
    return this.#ask("memory", () => this.#machine.memory());
  }

  processBytes(): number {
    return this.#machine.processBytes();
  }

  /** Nobody waits any more: what was asked may answer or not. */
  [Symbol.dispose](): void {
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
  }

  /** Resolves with `absent` when it hangs; without one, rejects with `HOST_READING_HANGS`. */
  async #ask<T>(what: string, ask: () => Promise<T>, ...absent: readonly [] | readonly [T]): Promise<T> {
    await this.#turn();
    if (this.#hanging.size >= HANGING_MAX || this.hanging.includes(what)) {
      this.#release();
      return orThrow(what, absent);
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const question = { what };
    const late = this.#clock.after(PATIENCE_MS, () => {
      this.#timers.delete(late);
      this.#hanging.add(question);
      this.#release();
      try {
        resolve(orThrow(what, absent));
      } catch (error) {
        reject(error);
      }
    });
    this.#timers.add(late);
    const settle = () => {
      late[Symbol.dispose]();
      this.#timers.delete(late);
      if (!this.#hanging.delete(question)) this.#release();
    };
    ask().then(
      (value) => {
        settle();
        resolve(value);
      },
      (fault: unknown) => {
        settle();
        reject(fault);
      },
    );
    return await promise;
  }

  async #turn(): Promise<void> {
    if (this.#asked < ASKED_MAX) {
      this.#asked += 1;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue.push(resolve);
    await promise;
  }

  /** Hands the turn on. */
  #release(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#asked -= 1;
    else next();
  }
}

function orThrow<T>(what: string, absent: readonly [] | readonly [T]): T {
  if (absent.length === 1) return absent[0];
  throw hangsError(what, PATIENCE_MS);
}
