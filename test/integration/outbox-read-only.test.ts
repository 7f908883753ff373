// A card that turns read-only, as worn ones do: nothing is acknowledged on its account any more, and the status says so in words.
//
//   remount     between two writes, by its owner; the owner can take it back                 (refused while a segment is open)
//   broken      in the middle of a write, by the kernel (errors=remount-ro); for good, until the machine is started with another card

import assert from "node:assert/strict";
import { test } from "node:test";
import { freePorts } from "../support/free-ports.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { cannotMount, LoopDisk } from "../support/loop-disk.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";

const skip = cannotMount ?? false;
const READ_ONLY = /cannot write to flash.*the disk is read-only; a worn card does that, replace it/s;

for (const version of ["2.10", "2.15"] as const) {
  test(`hub ${version}: a disk remounted read-only: the hub alone confirms; remounted for writing, it heals without a restart`, {
    skip,
  }, async () => {
    await using bench = await ReadOnlyBench.open(version);
    const { daemon, disk, cutter } = bench;
    await bench.acknowledged(100);
    assert.ok(await disk.remount("ro"), "no segment is open: nothing was ever written");
    await bench.acknowledged(100);
    await daemon.until("the outbox rests", ({ remotes }) => remotes[0]!.outbox.depth === 0);
    cutter.cut();
    await daemon.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    const waiting = bench.publish(50);
    const { health } = await daemon.until("it says what is wrong", ({ health }) => health.verdict === "failed");
    assert.match(health.reasons.join("\n"), READ_ONLY);
    assert.match(health.reasons.join("\n"), /no link.*QoS 1 publishers get no acknowledgement/);
    assert.equal(bench.acked.length, 200, "what is neither on flash nor at the hub is not acknowledged");
    cutter.heal();
    await waiting; // by the hub
    const { health: better } = await daemon.until("the link is back", ({ remotes }) => remotes[0]!.link.state === "ready");
    assert.notEqual(better.verdict, "failed");
    cutter.cut();
    await daemon.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    const onFlash = bench.publish(50);
    assert.ok(await disk.remount("rw"));
    await onFlash; // by the card
    const { remotes } = await daemon.until("the fault is over", ({ remotes }) => remotes[0]!.outbox.fault === null);
    assert.ok(remotes[0]!.outbox.flash_bytes > 0);
    await bench.nothingLost();
    assert.equal(await daemon.stop(), 0);
  });

  test(`hub ${version}: a disk that the kernel makes read-only in the middle of a write: what was safe stays safe, the rest goes by the hub`, {
    skip,
  }, async () => {
    await using bench = await ReadOnlyBench.open(version);
    const { daemon, disk, cutter } = bench;
    cutter.cut();
    await daemon.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    await bench.acknowledged(300); // a segment is open now
    assert.equal(await disk.remount("ro"), false, "an owner is refused while a segment is open");
    const load = bench.publish(2_000);
    await bench.reached(500); // in full swing
    await disk.breakIt();
    const { health } = await daemon.until("it says what is wrong", ({ health }) => health.verdict === "failed");
    assert.match(health.reasons.join("\n"), READ_ONLY);
    const acked = bench.acked.length;
    assert.ok(acked < 2_300, "publishers wait");
    const { remotes } = await daemon.until("a try later", ({ remotes }) => remotes[0]!.outbox.staged_bytes > 0);
    assert.equal(bench.acked.length, acked, "and nothing is acknowledged meanwhile");
    assert.ok(remotes[0]!.outbox.flash_bytes > 0, "what was safe is still there");
    cutter.heal();
    await load; // by the hub
    await bench.nothingLost();
    assert.equal(await daemon.stop(), 0, "it ends in peace though nothing can be written down");
  });
}

class ReadOnlyBench implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly disk: LoopDisk;
  readonly cutter: LinkCutter;
  readonly acked: string[] = [];
  readonly #arrived: Set<string>;
  readonly #send: (name: string) => Promise<unknown>;
  readonly #flush: () => Promise<void>;
  readonly #scope: AsyncDisposableStack;
  #next = 0;
  #onAck = (): void => undefined;

  static async open(version: "2.10" | "2.15"): Promise<ReadOnlyBench> {
    await using scope = new AsyncDisposableStack();
    const hub = scope.use(await startHub({ version }));
    const nats = await hub.connect();
    const arrived = new Set<string>();
    nats.subscribe("sensors.>", { callback: (_, message) => void arrived.add(message.string()) });
    await nats.flush();
    const cutter = scope.use(await LinkCutter.before(hub.server.port("leaf")));
    const disk = scope.use(await LoopDisk.mount({ type: "ext4", mebibytes: 32 }));
    const [mqttPort] = await freePorts(1);
    const daemon = scope.use(
      await Daemon.start({
        dataDir: disk.path,
        mqttPort: mqttPort!,
        remote: { urls: [cutter.through(hub.leafUrl)], user: LEAF.user, password: LEAF.password },
        // Healthy is a hub that answers within the interval: the card is not to be touched while it does.
        settings: { outbox: { free_reserve: "0B", commit_interval: "200ms" } },
      }),
    );
    await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
    const device = scope.use(await mqttDevice(mqttPort!));
    const send = (name: string) => device.publishAsync("sensors/a", name, { qos: 1 });
    return new ReadOnlyBench({ daemon, disk, cutter }, arrived, send, () => nats.flush(), scope.move());
  }

  private constructor(
    parts: Pick<ReadOnlyBench, "daemon" | "disk" | "cutter">,
    arrived: Set<string>,
    send: (name: string) => Promise<unknown>,
    flush: () => Promise<void>,
    scope: AsyncDisposableStack,
  ) {
    ({ daemon: this.daemon, disk: this.disk, cutter: this.cutter } = parts);
    this.#arrived = arrived;
    this.#send = send;
    this.#flush = flush;
    this.#scope = scope;
  }

  /** Fifty in flight; resolves when all are acknowledged. */
  async publish(count: number): Promise<void> {
    let left = count;
    const lane = async () => {
      while (left-- > 0) {
        const name = `m${this.#next++}`;
        await this.#send(name);
        this.acked.push(name);
        this.#onAck();
      }
    };
    await Promise.all(Array.from({ length: 50 }, lane));
  }

  async acknowledged(count: number): Promise<void> {
    const before = this.acked.length;
    await this.publish(count);
    assert.equal(this.acked.length - before, count);
  }

  /** Resolves once so many are acknowledged in all. */
  async reached(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onAck = () => {
      if (this.acked.length >= count) resolve();
    };
    this.#onAck();
    await promise;
    this.#onAck = () => undefined;
  }

  /** Heals the link; all that was acknowledged is at the hub then. */
  async nothingLost(): Promise<void> {
    this.cutter.heal();
    const { remotes } = await this.daemon.until(
      "the backlog is gone",
      ({ remotes }) => remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0,
    );
    await this.#flush();
    assert.deepEqual(
      this.acked.filter((name) => !this.#arrived.has(name)),
      [],
      "acknowledged and not at the hub",
    );
    assert.deepEqual(remotes[0]!.outbox.losses, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }
}
