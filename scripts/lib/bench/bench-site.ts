// A system with its devices on one side and a subscriber at the hub on the other, ready to be measured.

import { type ProcessFigures, readFigures } from "./process-figures.ts";
import { appUser, DEVICE, type Stage, type System } from "./systems.ts";
import { Worker } from "./worker.ts";

/** How long a link may take to come about, in milliseconds. */
const LINK_MS = 20_000;
const PROBES = 10;

export interface Arrived {
  readonly arrived: number;
  /** Nanoseconds, on the clock all processes share. */
  readonly lastAt: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
}

export interface Sent {
  readonly startedAt: number;
  readonly doneAt: number;
  readonly lateMs?: { readonly p50: number; readonly p99: number };
}

export class Site implements AsyncDisposable {
  readonly system: System;
  readonly load: Worker;
  readonly subscriber: Worker;
  readonly #stage: Stage;
  readonly #scope: AsyncDisposableStack;

  /** Resolves once messages get through. */
  static async open(system: System, account: string, stage: Stage, signal: AbortSignal): Promise<Site> {
    await using scope = new AsyncDisposableStack();
    const load = scope.use(await Worker.start("load-worker.ts", stage.cores, signal));
    const subscriber = scope.use(await Worker.start("subscriber-worker.ts", stage.cores, signal));
    const { clientPort } = system.hub ?? stage.hub;
    await subscriber.request("connect", { port: clientPort, subject: "sensors.>", ...appUser(account) });
    await load.request("connect", { port: system.mqttPort, ...DEVICE });
    const site = new Site(system, stage, load, subscriber, scope.move());
    try {
      await site.#untilLinked();
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
    return site;
  }

  private constructor(system: System, stage: Stage, load: Worker, subscriber: Worker, scope: AsyncDisposableStack) {
    this.system = system;
    this.load = load;
    this.subscriber = subscriber;
    this.#stage = stage;
    this.#scope = scope;
  }

  figures(): Promise<ProcessFigures> {
    return readFigures(this.system.pid, this.system.hub?.linkPort ?? this.#stage.hub.leafPort, this.#stage.cores.leaf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }

  async #untilLinked(): Promise<void> {
    const end = performance.now() + LINK_MS;
    for (;;) {
      await this.subscriber.request("reset");
      await this.load.request("flood", { qos: 0, count: PROBES });
      const { arrived } = await this.subscriber.request<Arrived>("wait", { count: PROBES, quietMs: 200 });
      if (arrived >= PROBES) return;
      if (performance.now() > end) throw new Error(`${this.system.name}: nothing reached the hub in ${LINK_MS / 1000} s`);
    }
  }
}
