// A spoke's outbox in a cruel world: simulated disk, clock and link, a hub that counts, power that fails. Everything follows from
// one seed. What must hold, whatever happens:
//
//   acknowledged  a message that was called safe reaches the hub
//   identity      one Nats-Msg-Id, one message, for ever; so a stream that drops doubles has each message once
//   order         on one subject, messages first reach the hub in the order they were published
//   start         the outbox opens after every cut

import assert from "node:assert/strict";
import { decode } from "#base/decode.ts";
import { ensureDirectory } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { flagsFor, headersOf, payloadOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Carrier, HubView } from "#outbox/hub-view.ts";
import { outboxOptions } from "#outbox/options.ts";
import { type Outbox, openOutbox } from "#outbox/outbox.ts";
import { HubInterest } from "#uplink/hub-interest.ts";
import { LeafParser } from "#wire/leaf-parser.ts";
import { WireWriter } from "#wire/wire-writer.ts";
import { FakeClock, turn } from "../support/fake-clock.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { RecordingOrigin } from "../support/router-fixtures.ts";
import { seededRandom } from "../support/seeded-random.ts";

const DIRECTORY = "/data/outbox/EDGE";
/** Wanted by the hub all the time; wanted now and then, and held meanwhile. */
const SUBJECTS = ["steady.a", "steady.b", "held.x", "held.y"] as const;
/** The network and the hub take this long for a PING at most. */
const RTT_MS_MAX = 120;

const OPTIONS = (() => {
  const decoded = decode(
    outboxOptions,
    { free_reserve: "0B", max_bytes: "1GiB", rules: [{ subjects: [">"], keep: "durable", no_interest: "hold" }] },
    "/data",
  );
  assert.ok("value" in decoded);
  return decoded.value;
})();

export class OutboxWorld {
  readonly clock = new FakeClock();
  readonly disk: FakeDisk;
  readonly acked = new Set<string>();
  readonly received = new Set<string>();
  cuts = 0;
  published = 0;
  doubles = 0;
  readonly #random: () => number;
  readonly #hubWants = new Set<string>(["steady.a", "steady.b"]);
  readonly #idOf = new Map<string, string>();
  readonly #payloadOf = new Map<string, string>();
  readonly #lastFirst = new Map<string, number>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.disk = new FakeDisk({ random: this.#random });
  }

  /** One life: opens, lives through `steps` random events, loses power. */
  async live(steps: number): Promise<void> {
    if (this.#chance(0.2)) await this.#dieOpening();
    const life = await this.#open();
    this.disk.strikeAfter(this.#chance(0.5) ? 1 + this.#upTo(steps * 2) : undefined);
    for (let i = 0; i < steps && !life.isDead(); i++) await this.#step(life);
    life.end();
    this.disk.strikeAfter(undefined);
    this.disk.powerCut();
    this.cuts += 1;
    await turn();
  }

  /** A last life in which everything works: it must bring everything acknowledged to the hub. */
  async settle(): Promise<void> {
    for (const subject of SUBJECTS) this.#hubWants.add(subject);
    const life = await this.#open();
    life.connect(this.#hubWants);
    for (let i = 0; i < 2000 && !life.isDrained(); i++) {
      await this.clock.pass(RTT_MS_MAX);
      life.deliverAll();
    }
    assert.ok(life.isDrained(), `the backlog does not drain: ${JSON.stringify(life.outbox.status())}`);
    await life.close();
    const missing = [...this.acked].filter((payload) => !this.received.has(payload));
    assert.deepEqual(missing.slice(0, 5), [], `${missing.length} acknowledged messages never reached the hub`);
  }

  /** The power fails while the outbox opens. */
  async #dieOpening(): Promise<void> {
    this.disk.strikeAfter(1 + this.#upTo(20));
    try {
      (await this.#open()).end();
    } catch {
      // the disk went away under it, as it should
    }
    this.disk.strikeAfter(undefined);
    this.disk.powerCut();
    this.cuts += 1;
    await turn();
  }

  async #step(life: Life): Promise<void> {
    const dice = this.#random();
    if (dice < 0.35) life.publish(1 + this.#upTo(12));
    else if (dice < 0.6) await this.clock.pass(this.#upTo(40));
    else if (dice < 0.8) life.deliverSome();
    else if (dice < 0.86) {
      if (life.isConnected) life.disconnect(this.#random());
      else life.connect(this.#hubWants);
    } else if (dice < 0.92) {
      const subject = this.#chance(0.5) ? "held.x" : "held.y";
      if (!this.#hubWants.delete(subject)) this.#hubWants.add(subject);
      life.tellInterest(subject, this.#hubWants.has(subject));
    } else if (dice < 0.94) this.disk.faults.failDatasyncIn = 1 + this.#upTo(2);
    else if (dice < 0.96) this.disk.faults.failWriteIn = 1 + this.#upTo(2);
    else await this.clock.pass(1000 + this.#upTo(70_000));
    await turn();
  }

  async #open(): Promise<Life> {
    this.disk.faults.failDatasyncIn = undefined;
    this.disk.faults.failWriteIn = undefined;
    const env = {
      clock: this.clock,
      disk: this.disk.mount(),
      entropy: { random: this.#random, bytes: (n: number) => Buffer.from(Array.from({ length: n }, () => this.#upTo(256))) },
      log: silentLog(),
    };
    await ensureDirectory(env.disk, DIRECTORY);
    return await Life.open(env, {
      random: this.#random,
      disk: this.disk,
      onPublish: (subject) => {
        this.published += 1;
        return `${subject}:${this.published}`;
      },
      onAcked: (payload) => this.acked.add(payload),
      onReceived: (subject, id, payload) => this.#receive(subject, id, payload),
    });
  }

  /** What a stream with an endless duplicate window would check. */
  #receive(subject: string, id: string, payload: string): void {
    assert.equal(this.#payloadOf.get(id) ?? payload, payload, `id ${id} stands for two messages`);
    assert.equal(this.#idOf.get(payload) ?? id, id, `message ${payload} has two ids`);
    this.#payloadOf.set(id, payload);
    this.#idOf.set(payload, id);
    if (this.received.has(payload)) {
      this.doubles += 1;
      return;
    }
    this.received.add(payload);
    const number = Number(payload.slice(payload.indexOf(":") + 1));
    const before = this.#lastFirst.get(subject) ?? 0;
    assert.ok(number > before, `on ${subject} message ${number} came after ${before}`);
    this.#lastFirst.set(subject, number);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #upTo(end: number): number {
    return Math.floor(this.#random() * end);
  }
}

interface LifeEvents {
  readonly random: () => number;
  readonly disk: FakeDisk;
  onPublish(subject: string): string;
  onAcked(payload: string): void;
  onReceived(subject: string, id: string, payload: string): void;
}

/** The outbox from one start to the next power cut, with its link. */
class Life {
  outbox!: Outbox;
  #interest!: HubInterest;
  readonly #events: LifeEvents;
  /** Payloads per ticket that wait for their acknowledgement. */
  readonly #waiting: { readonly ticket: number; readonly payloads: string[] }[] = [];
  readonly #batch = new BatchBuilder();
  #wire: Wire | undefined;
  #ticket = 0;
  #isOver = false;
  #isDead = false;

  private constructor(events: LifeEvents) {
    this.#events = events;
    events.disk.onStrike = () => {
      this.#isDead = true;
    };
  }

  static async open(
    env: {
      clock: FakeClock;
      disk: ReturnType<FakeDisk["mount"]>;
      entropy: { random(): number; bytes(n: number): Buffer };
      log: ReturnType<typeof silentLog>;
    },
    events: LifeEvents,
  ): Promise<Life> {
    const life = new Life(events);
    life.#interest = await HubInterest.open(DIRECTORY, env, () => life.outbox.onInterest());
    const view: HubView = {
      listening: (subject, served) => life.#interest.listening(subject, served),
      groups: (subject, served) => life.#interest.groups(subject, served),
      mayExport: () => true,
      payloadBytesMax: 1_000_000,
    };
    const deps = { device: "dev", directory: DIRECTORY, hub: view, origin: new RecordingOrigin("hub"), servedGroups: () => [] };
    life.outbox = await openOutbox(OPTIONS, deps, env, new AbortController().signal);
    life.outbox.attach({ invalidate: () => undefined, onSafe: (watermark) => life.#onSafe(watermark), onRoom: () => undefined });
    return life;
  }

  get isConnected(): boolean {
    return this.#wire !== undefined;
  }

  /** The power failed in the middle of something. */
  isDead(): boolean {
    return this.#isDead;
  }

  isDrained(): boolean {
    const { depth, mode } = this.outbox.status();
    return depth === 0 && mode === "direct";
  }

  publish(count: number): void {
    this.#batch.beginOwn();
    const payloads: string[] = [];
    for (let i = 0; i < count; i++) {
      const subject = SUBJECTS[Math.floor(this.#events.random() * SUBJECTS.length)]!;
      const payload = this.#events.onPublish(subject);
      payloads.push(payload);
      this.#batch.add({ subject, payload: Buffer.from(payload), flags: flagsFor(1, true, false) });
    }
    this.#ticket += 1;
    for (let i = 0; i < count; i++) {
      const isStaged = this.outbox.take(this.#batch, i, this.outbox.plan(subjectOf(this.#batch, i), []), this.#ticket);
      assert.ok(isStaged, "with no_interest hold everything is kept");
    }
    this.#waiting.push({ ticket: this.#ticket, payloads });
    this.outbox.flush();
  }

  connect(wants: ReadonlySet<string>): void {
    this.#wire = new Wire(this.outbox, this.#events);
    for (const subject of wants) this.#interest.add(subject, null);
    this.#interest.complete();
    this.outbox.onReady(this.#wire);
  }

  /** The link breaks; `share` of what is on its way still arrives, its PONGs do not. */
  disconnect(share: number): void {
    this.#wire!.breakOff(share);
    this.#wire = undefined;
    this.#interest.clear();
    this.outbox.onDown();
  }

  tellInterest(subject: string, isWanted: boolean): void {
    if (!this.isConnected) return;
    const isChanged = isWanted ? this.#interest.add(subject, null) : this.#interest.remove(subject, null);
    if (isChanged) this.outbox.onInterest(subject);
  }

  deliverSome(): void {
    this.#wire?.deliver(this.#events.random());
  }

  deliverAll(): void {
    this.#wire?.deliver(1);
  }

  end(): void {
    this.#isOver = true;
    this.#wire?.breakOff(this.#events.random());
    this.#wire = undefined;
  }

  async close(): Promise<void> {
    this.outbox.onDown();
    await this.outbox[Symbol.asyncDispose]();
    await this.#interest[Symbol.asyncDispose]();
  }

  #onSafe(watermark: number): void {
    if (this.#isOver || this.isDead()) return; // nobody is there any more to send a PUBACK
    while (this.#waiting.length > 0 && this.#waiting[0]!.ticket <= watermark) {
      for (const payload of this.#waiting.shift()!.payloads) this.#events.onAcked(payload);
    }
  }
}

/** The bytes between outbox and hub. */
class Wire implements Carrier {
  readonly out = new WireWriter();
  readonly isCongested = false;
  readonly room = 1_000_000;
  readonly #outbox: Outbox;
  readonly #hub: LeafParser;
  readonly #flying: Buffer[] = [];
  #pongs = 0;
  #isBroken = false;

  constructor(outbox: Outbox, events: LifeEvents) {
    this.#outbox = outbox;
    const unexpected = () => assert.fail("a spoke does not send this");
    this.#hub = new LeafParser({
      onBatch: (batch) => {
        for (let i = 0; i < batch.count; i++) {
          const id = /Nats-Msg-Id: (\S+)/.exec(headersOf(batch, i).toString("latin1"))?.[1];
          assert.ok(id !== undefined, "every kept message carries an id");
          events.onReceived(subjectOf(batch, i), id, payloadOf(batch, i).toString());
        }
      },
      onPing: () => {
        this.#pongs += 1;
      },
      onPong: unexpected,
      onInterest: unexpected,
      onInterestGone: unexpected,
      onInfo: unexpected,
      onError: unexpected,
    });
  }

  flush(): void {
    if (this.out.pendingBytes > 0) this.#flying.push(Buffer.from(this.out.take()));
  }

  barrier(): void {
    this.out.text("PING\r\n");
  }

  /** Brings some of what flies to the hub, and its PONGs back. */
  deliver(share: number): void {
    const chunks = Math.ceil(this.#flying.length * share);
    for (const chunk of this.#flying.splice(0, chunks)) this.#hub.parse(chunk);
    while (this.#pongs > 0 && !this.#isBroken) {
      this.#pongs -= 1;
      this.#outbox.onReceipt();
    }
  }

  breakOff(share: number): void {
    this.#isBroken = true;
    const bytes = Buffer.concat(this.#flying.splice(0));
    this.#hub.parse(bytes.subarray(0, Math.floor(bytes.length * share)));
  }
}
