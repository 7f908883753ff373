// What tests of failover share: a device that never stops publishing, many links at once, and words for a report.

import assert from "node:assert/strict";
import type { NatsConnection } from "@nats-io/transport-node";
import type { StatusReport } from "#status/report.ts";
import { Link } from "#uplink/link.ts";
import { linkEnv } from "./link-env.ts";
import { remoteFrom } from "./link-harness.ts";
import type { TestSpoke } from "./spoke.ts";

export function urlsOf({ remotes: [remote] }: StatusReport): string[] {
  return remote!.link.urls.map(({ url }) => url);
}

export function isReadyOn({ remotes: [remote] }: StatusReport, urls: readonly string[]): boolean {
  return remote!.link.state === "ready" && urls.includes(remote!.link.url);
}

export function sameMembers(some: readonly string[], others: readonly string[]): boolean {
  return [...some].sort().join() === [...others].sort().join();
}

export async function settles(isTrue: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isTrue()) {
    assert.ok(performance.now() < end, `${what}: not within 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Ids of the readings that arrive, by payload. */
export async function collect(nats: NatsConnection, into: Map<string, Set<string>>): Promise<void> {
  nats.subscribe("sensors.>", {
    callback: (_, message) => {
      const ids = into.get(message.string()) ?? new Set();
      into.set(message.string(), ids.add(message.headers?.get("Nats-Msg-Id") ?? "none"));
    },
  });
  await nats.flush();
}

/** Publishes numbers at QoS 1, a few under way at a time, until it is told to pause. */
export class Publisher implements AsyncDisposable {
  /** Numbers begun; after `pause` all of them are acknowledged. */
  count = 0;
  #acknowledged = 0;
  #device: Awaited<ReturnType<TestSpoke["device"]>>;
  #running: Promise<unknown> | undefined;
  #isPaused = false;

  static async start(spoke: TestSpoke): Promise<Publisher> {
    const publisher = new Publisher(await spoke.device());
    publisher.resume();
    return publisher;
  }

  private constructor(device: Awaited<ReturnType<TestSpoke["device"]>>) {
    this.#device = device;
  }

  resume(): void {
    this.#isPaused = false;
    this.#running = Promise.all(Array.from({ length: 4 }, () => this.#run()));
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#running;
  }

  async acknowledged(count: number): Promise<void> {
    await settles(() => this.#acknowledged >= count, `${count} are acknowledged`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause();
    await this.#device[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    while (!this.#isPaused) {
      const payload = String(this.count);
      this.count += 1;
      await this.#device.publishAsync("sensors/a", payload, { qos: 1 });
      this.#acknowledged += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Many bare links, each with a name of its own. */
export class Fleet implements AsyncDisposable {
  readonly #links: readonly Link[];

  constructor(size: number, block: Parameters<typeof remoteFrom>[0]) {
    const env = linkEnv();
    const remote = remoteFrom(block);
    const nothing = () => undefined;
    this.#links = Array.from({ length: size }, (_, i) => {
      const link = new Link(remote, { serverName: `fleet-${i}`, dataDir: "/nowhere", account: "EDGE" }, env, {
        writeInterest: nothing,
        onReady: nothing,
        onDown: nothing,
        onBatch: nothing,
        onInterest: nothing,
        onInterestGone: nothing,
        onRejected: nothing,
        onReceipt: nothing,
        onRoom: nothing,
      });
      link.start();
      return link;
    });
  }

  async ready(): Promise<void> {
    await settles(() => this.#links.every((link) => link.isReady), "the whole fleet is ready");
  }

  urls(): string[] {
    return this.#links.map((link) => link.status().url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#links.map((link) => link[Symbol.asyncDispose]()));
  }
}
