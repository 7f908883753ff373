// A card that is full, in earnest: nothing stops, the oldest give way, and every message that is gone is counted.
//
//   acknowledged  =  at the hub  +  counted as displaced         for each run, exactly

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { freePorts } from "../support/free-ports.ts";
import { type Hub, LEAF, startHub } from "../support/hub.ts";
import { LinkCutter } from "../support/link-cutter.ts";
import { cannotMount, LoopDisk } from "../support/loop-disk.ts";
import { Daemon, mqttDevice } from "../support/spoke.ts";

const skip = cannotMount ?? false;
const PAYLOAD_BYTES = 1_000;
const INFLIGHT = 100;
const DISK_MEBIBYTES = 4;
/** More than the disk holds. */
const FLOOD = 5_000;
/** A disk that is full makes nobody wait for a retry: room is made, and the write is tried again at once. */
const FLOOD_WITHIN_MS = 15_000;
/** Far above what any acknowledgement may take here. */
const ACK_WITHIN_MS = 20_000;

for (const [type, version] of [
  ["tmpfs", "2.10"],
  ["ext4", "2.15"],
] as const) {
  test(`${type} full while the link is down (hub ${version}): publishers go on, and what is missing is what is counted`, {
    skip,
  }, async (t) => {
    await using bench = await FullDiskBench.open(type, version);
    const { daemon, load } = bench;
    bench.cutter.cut();
    await daemon.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    const startedAt = performance.now();
    await load.publish(FLOOD);
    const tookMs = performance.now() - startedAt;
    const { remotes } = await daemon.until("the outbox rests", ({ remotes }) => remotes[0]!.outbox.staged_bytes === 0);
    assert.ok(remotes[0]!.outbox.flash_bytes > (DISK_MEBIBYTES / 2) * 1024 * 1024, "it uses the room there is");
    const displaced = await bench.settle();
    t.diagnostic(
      `${FLOOD} acknowledged on a disk of ${DISK_MEBIBYTES} MiB: ${displaced} displaced, ${bench.arrived.size} at the hub`,
    );
    assert.ok(displaced > 0, "there was less room than messages");
    assert.ok(tookMs < FLOOD_WITHIN_MS, `${FLOOD} acknowledgements took ${Math.round(tookMs)} ms`);
    await bench.worksAgain();
  });

  test(`${type} full, and the process killed (hub ${version}): what gave way was written down before`, { skip }, async (t) => {
    await using bench = await FullDiskBench.open(type, version);
    const { daemon, disk, load } = bench;
    bench.cutter.cut();
    await daemon.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    await load.publish(2_000);
    await disk.fill();
    await load.publish(1_000);
    const { remotes } = await daemon.until("the outbox rests", ({ remotes }) => remotes[0]!.outbox.staged_bytes === 0);
    assert.equal(remotes[0]!.outbox.ledger_fault, null, "the ledger has room of its own");
    await daemon.kill();
    await daemon.restart();
    t.diagnostic(`${load.acked.length} acknowledged before the kill: ${await bench.settle()} displaced`);
  });

  test(`${type} filled by somebody else (hub ${version}): it lives on what it has, and works again when room returns`, {
    skip,
  }, async (t) => {
    await using bench = await FullDiskBench.open(type, version);
    const { daemon, disk, load } = bench;
    bench.cutter.cut();
    await daemon.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    await load.publish(2_000);
    await disk.fill(); // max_bytes is far away, and yet there is no room
    await load.publish(1_000); // the oldest give way to the newest
    await disk.unfill();
    await load.publish(2_000);
    const displaced = await bench.settle();
    t.diagnostic(`${load.acked.length} acknowledged beside a stranger: ${displaced} displaced`);
    await bench.worksAgain();
  });

  test(`${type} full before the first message (hub ${version}): only the hub confirms; without it nothing is acknowledged until there is room`, {
    skip,
  }, async () => {
    await using bench = await FullDiskBench.open(type, version);
    const { daemon, disk, load } = bench;
    await disk.fill();
    await load.publish(500); // the link is healthy: the card is not needed
    bench.cutter.cut();
    await daemon.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    const before = load.acked.length;
    const published = load.publish(500);
    const { health } = await daemon.until("it says what is wrong", ({ health }) => health.verdict === "failed");
    assert.match(health.reasons.join("\n"), /cannot write to flash.*disk is full.*free some space/s);
    assert.equal(load.acked.length, before, "what is neither on flash nor at the hub is not acknowledged");
    await disk.unfill();
    await published;
    await daemon.until("it says that all is well with the card", ({ remotes }) => remotes[0]!.outbox.fault === null);
    assert.equal(await bench.settle(), 0, "nothing was on flash that could have given way");
    await bench.worksAgain();
  });
}

class FullDiskBench implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly disk: LoopDisk;
  readonly cutter: LinkCutter;
  readonly load: Load;
  /** Payload names that came to a subscriber at the hub. */
  readonly arrived: Set<string>;
  readonly #flush: () => Promise<void>;
  readonly #scope: AsyncDisposableStack;

  static async open(type: "tmpfs" | "ext4", version: "2.10" | "2.15"): Promise<FullDiskBench> {
    await using scope = new AsyncDisposableStack();
    const hub: Hub = scope.use(await startHub({ version }));
    const nats = await hub.connect();
    const arrived = new Set<string>();
    nats.subscribe("sensors.>", { callback: (_, message) => void arrived.add(nameOf(message.data)) });
    await nats.flush();
    const cutter = scope.use(await LinkCutter.before(hub.server.port("leaf")));
    const disk = scope.use(await LoopDisk.mount({ type, mebibytes: DISK_MEBIBYTES }));
    const [mqttPort] = await freePorts(1);
    const daemon = scope.use(
      await Daemon.start({
        dataDir: disk.path,
        mqttPort: mqttPort!,
        remote: { urls: [cutter.through(hub.leafUrl)], user: LEAF.user, password: LEAF.password },
      }),
    );
    await daemon.until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
    const device = scope.use(await mqttDevice(mqttPort!));
    const load = new Load((payload) => device.publishAsync("sensors/a", payload, { qos: 1 }));
    return new FullDiskBench({ daemon, disk, cutter, load, arrived }, () => nats.flush(), scope.move());
  }

  private constructor(
    parts: Pick<FullDiskBench, "daemon" | "disk" | "cutter" | "load" | "arrived">,
    flush: () => Promise<void>,
    scope: AsyncDisposableStack,
  ) {
    ({ daemon: this.daemon, disk: this.disk, cutter: this.cutter, load: this.load, arrived: this.arrived } = parts);
    this.#flush = flush;
    this.#scope = scope;
  }

  /** Heals the link, waits until all that is left is at the hub, and checks the account. Returns what was displaced. */
  async settle(): Promise<number> {
    this.cutter.heal();
    const { remotes } = await this.daemon.until(
      "the backlog is gone",
      ({ remotes }) => remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0,
    );
    await this.#flush();
    const { losses } = remotes[0]!.outbox;
    assert.deepEqual(
      losses.filter(({ reason }) => reason !== "displaced"),
      [],
    );
    const displaced = losses.reduce((sum, { messages }) => sum + messages, 0);
    const missing = this.load.acked.filter((name) => !this.arrived.has(name));
    assert.equal(missing.length, displaced, "acknowledged and not at the hub, against what is counted as displaced");
    return displaced;
  }

  /** Without a restart, with the link and without it. */
  async worksAgain(): Promise<void> {
    const lost = this.load.acked.filter((name) => !this.arrived.has(name)).length;
    await this.load.publish(200);
    this.cutter.cut();
    await this.daemon.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
    await this.load.publish(200);
    this.cutter.heal();
    await this.daemon.until(
      "the backlog is gone",
      ({ remotes }) => remotes[0]!.link.state === "ready" && remotes[0]!.outbox.depth === 0,
    );
    await this.#flush();
    assert.equal(this.load.acked.filter((name) => !this.arrived.has(name)).length, lost, "nothing more was lost");
    assert.equal(await this.daemon.stop(), 0, "SIGTERM ends it in peace");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }
}

/** Messages with names of their own, so many in flight. */
class Load {
  readonly acked: string[] = [];
  readonly #send: (payload: Buffer) => Promise<unknown>;
  #next = 0;

  constructor(send: (payload: Buffer) => Promise<unknown>) {
    this.#send = send;
  }

  /** Resolves when all are acknowledged; rejects when acknowledgements stop coming for long. */
  async publish(count: number): Promise<void> {
    let left = count;
    const lane = async () => {
      while (left-- > 0) {
        const name = `m${this.#next++}`;
        await within(this.#send(payloadOf(name)), `the acknowledgement of ${name}`);
        this.acked.push(name);
      }
    };
    await Promise.all(Array.from({ length: INFLIGHT }, lane));
  }
}

/** Its name, and noise that no compression makes smaller. */
function payloadOf(name: string): Buffer {
  return Buffer.concat([Buffer.from(`${name} `), randomBytes(PAYLOAD_BYTES)], PAYLOAD_BYTES);
}

function nameOf(payload: Uint8Array): string {
  return Buffer.from(payload.subarray(0, payload.indexOf(32))).toString("latin1");
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited ${ACK_WITHIN_MS} ms for ${what}`)), ACK_WITHIN_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
