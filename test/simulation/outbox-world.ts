// A spoke's outbox in a cruel world: simulated disk, clock and link, a hub that counts, power that fails. Everything follows from
// one seed. What must hold, whatever happens:
//
//   acknowledged  a message that was called safe reaches the hub, and the whole batch of its ticket with it
//   identity      one Nats-Msg-Id, one message, for ever; so a stream that drops doubles has each message once
//   order         on one subject, messages first reach the hub in the order they were published
//   at most once  what is not kept never arrives twice, nor behind a newer one of its subject
//   progress      with a hub that answers, something moves until everything is delivered; no publisher stays paused
//   start         the outbox opens after every cut
//
// All four lanes are in use, batches are spread over them, and most links take a few hundred bytes at a time.

import assert from "node:assert/strict";
import type { Clock } from "#base/clock.ts";
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
/** Wanted by the hub all the time. */
const STEADY = ["alarm.a", "state.a", "state.b", "telemetry.a", "bulk.a"] as const;
/** Wanted now and then, and held meanwhile. */
const FICKLE = ["alarm.x", "state.x", "state.y", "telemetry.x", "bulk.x"] as const;
const SUBJECTS = [...STEADY, ...FICKLE];
/** The network and the hub take this long for a PING at most. */
const RTT_MS_MAX = 120;
/** Rounds of RTT_MS_MAX in which nothing moves although the hub answers: longer than anything that is tried again after a while. */
const IDLE_ROUNDS_MAX = 40;
/** Messages published at QoS 0 are kept where the rule says always, else sent at once or not at all. */
const KEPT_ALWAYS = /^(alarm|telemetry)\./;

const OPTIONS = (() => {
  const rules = [
    { subjects: ["alarm.>"], class: "alarm", keep: "always" },
    { subjects: ["telemetry.>"], class: "telemetry", keep: "always" },
    { subjects: ["bulk.>"], class: "bulk", keep: "durable", no_interest: "hold" },
    { subjects: [">"], class: "state", keep: "durable", no_interest: "hold" },
  ];
  const decoded = decode(outboxOptions, { free_reserve: "0B", max_bytes: "1GiB", rules }, "/data");
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
  receivedLive = 0;
  #life = 0;
  readonly #random: () => number;
  readonly #hubWants = new Set<string>(STEADY);
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
    let before = "";
    for (let idle = 0; idle < IDLE_ROUNDS_MAX && !life.isDrained(); idle++) {
      await this.clock.pass(RTT_MS_MAX);
      life.deliverAll();
      const now = life.progress();
      if (now !== before) idle = 0;
      before = now;
    }
    assert.ok(life.isDrained(), `the backlog does not drain: ${JSON.stringify(life.outbox.status())}`);
    assert.ok(!life.outbox.isFull && !life.isPaused, "publishers are paused though there is room");
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
    else if (dice < 0.5) await this.clock.pass(this.#upTo(40));
    else if (dice < 0.57) this.clock.advance(this.#upTo(40));
    else if (dice < 0.8) life.deliverSome();
    else if (dice < 0.86) {
      if (life.isConnected) life.disconnect(this.#random());
      else life.connect(this.#hubWants);
    } else if (dice < 0.92) {
      if (this.#chance(0.5)) {
        life.deliverSome(); // and while the lanes go on by that:
        await this.#ticks(10);
      }
      const subject = FICKLE[this.#upTo(FICKLE.length)]!;
      if (!this.#hubWants.delete(subject)) this.#hubWants.add(subject);
      life.tellInterest(subject, this.#hubWants.has(subject));
    } else if (dice < 0.935) this.disk.faults.failDatasyncIn = 1 + this.#upTo(2);
    else if (dice < 0.95) this.disk.faults.failWriteIn = 1 + this.#upTo(2);
    else if (dice < 0.965) this.#failOneRead();
    else await this.clock.pass(1000 + this.#upTo(70_000));
    await this.#lookAway();
  }

  /** The next event comes when everything is done that can be, or in the middle of it. */
  async #lookAway(): Promise<void> {
    if (this.#chance(0.5)) await turn();
    else await this.#ticks(30);
  }

  /** Lets what is under way come a little further, but not to its end. */
  async #ticks(end: number): Promise<void> {
    for (let ticks = this.#upTo(end); ticks > 0; ticks--) await undefined;
  }

  /** A contact that is loose for a moment: one read fails, the next one will do. */
  #failOneRead(): void {
    const { faults } = this.disk;
    faults.isUnreadable = () => {
      faults.isUnreadable = undefined;
      return true;
    };
  }

  async #open(): Promise<Life> {
    this.disk.faults.failDatasyncIn = undefined;
    this.disk.faults.failWriteIn = undefined;
    this.disk.faults.isUnreadable = undefined;
    const env = {
      clock: this.#clockOfOneLife(),
      disk: this.disk.mount(),
      entropy: { random: this.#random, bytes: (n: number) => Buffer.from(Array.from({ length: n }, () => this.#upTo(256))) },
      log: silentLog(),
    };
    await ensureDirectory(env.disk, DIRECTORY);
    return await Life.open(env, {
      random: this.#random,
      disk: this.disk,
      onDead: () => {
        this.#life += 1;
      },
      onPublish: (subject) => {
        this.published += 1;
        return `${subject}:${this.published}:${"x".repeat(this.#upTo(60))}`;
      },
      onAcked: (payload) => this.acked.add(payload),
      onReceived: (subject, id, payload) => {
        if (id === undefined) this.#receiveLive(subject, payload);
        else this.#receive(subject, id, payload);
      },
    });
  }

  /** Its timers stop when the power fails: the machine does nothing any more. */
  #clockOfOneLife(): Clock {
    this.#life += 1;
    const life = this.#life;
    const ifAlive = (action: () => void) => () => {
      if (this.#life === life) action();
    };
    return {
      now: () => this.clock.now(),
      wall: () => this.clock.wall(),
      after: (delay, action) => this.clock.after(delay, ifAlive(action)),
      every: (period, action) => this.clock.every(period, ifAlive(action)),
    };
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
    this.#inOrder(subject, payload);
  }

  /** What was not kept overtakes what was, but never its own kind. */
  #receiveLive(subject: string, payload: string): void {
    this.receivedLive += 1;
    this.#inOrder(`live ${subject}`, payload);
  }

  #inOrder(stream: string, payload: string): void {
    const number = Number(payload.split(":")[1]);
    const before = this.#lastFirst.get(stream) ?? 0;
    assert.ok(number > before, `on ${stream} message ${number} came after ${before}`);
    this.#lastFirst.set(stream, number);
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
  /** The power failed, by itself or in the middle of something. */
  onDead(): void;
  onPublish(subject: string): string;
  onAcked(payload: string): void;
  /** Without an id: it was not kept. */
  onReceived(subject: string, id: string | undefined, payload: string): void;
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
  /** As the router would have told the publishers. */
  isPaused = false;

  private constructor(events: LifeEvents) {
    this.#events = events;
    events.disk.onStrike = () => {
      this.#isDead = true;
      this.#wire?.cutOff();
      events.onDead();
    };
  }

  static async open(
    env: {
      clock: Clock;
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
    life.outbox.attach({
      invalidate: () => undefined,
      onSafe: (watermark) => life.#onSafe(watermark),
      onRoom: () => {
        life.isPaused &&= life.outbox.isFull;
      },
    });
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

  /** Something that changes for as long as anything moves. */
  progress(): string {
    const { depth, delivered, lanes } = this.outbox.status();
    return JSON.stringify([depth, delivered, lanes.map(({ mode, confirmedSeq }) => [mode, confirmedSeq])]);
  }

  publish(count: number): void {
    if (this.isPaused) return;
    this.#batch.beginOwn();
    const payloads: string[] = [];
    for (let i = 0; i < count; i++) {
      const subject = SUBJECTS[Math.floor(this.#events.random() * SUBJECTS.length)]!;
      const qos = this.#events.random() < 0.7 ? 1 : 0;
      const payload = this.#events.onPublish(subject);
      if (qos > 0 || KEPT_ALWAYS.test(subject)) payloads.push(payload);
      this.#batch.add({ subject, payload: Buffer.from(payload), flags: flagsFor(qos, qos > 0, false) });
    }
    const ticket = this.#ticket + 1;
    let staged = 0;
    for (let i = 0; i < count; i++) {
      if (this.outbox.take(this.#batch, i, this.outbox.plan(subjectOf(this.#batch, i), []), ticket)) staged += 1;
    }
    assert.equal(staged, payloads.length, "with no_interest hold everything is kept that its rule or its publisher wants kept");
    if (staged > 0) {
      this.#ticket = ticket;
      this.#waiting.push({ ticket, payloads });
    }
    this.outbox.flush();
    this.isPaused = this.outbox.isFull;
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

/** The bytes between outbox and hub, and the PONGs back. */
class Wire implements Carrier {
  readonly out = new WireWriter();
  readonly #outbox: Outbox;
  readonly #hub: LeafParser;
  readonly #random: () => number;
  readonly #flying: Buffer[] = [];
  /** Bytes that may be under way. */
  readonly #window: number;
  #underWay = 0;
  /** Somebody was told that there is no room: he must hear when there is. */
  #isFull = false;
  #pongs = 0;
  #isBroken = false;
  #isCutOff = false;

  constructor(outbox: Outbox, events: LifeEvents) {
    this.#outbox = outbox;
    this.#random = events.random;
    this.#window = events.random() < 0.25 ? Number.POSITIVE_INFINITY : 200 + Math.floor(events.random() * 4000);
    const unexpected = () => assert.fail("a spoke does not send this");
    this.#hub = new LeafParser({
      onBatch: (batch) => {
        for (let i = 0; i < batch.count; i++) {
          const id = /Nats-Msg-Id: (\S+)/.exec(headersOf(batch, i).toString("latin1"))?.[1];
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

  get room(): number {
    return Math.max(0, this.#window - this.#underWay - this.out.pendingBytes);
  }

  get isCongested(): boolean {
    if (this.room > 0) return false;
    this.#isFull = true;
    return true;
  }

  flush(): void {
    if (this.out.pendingBytes === 0) return;
    const bytes = this.out.take();
    if (this.#isCutOff) return;
    this.#flying.push(Buffer.from(bytes));
    this.#underWay += bytes.length;
    this.out.giveBack(bytes);
  }

  barrier(): void {
    this.out.text("PING\r\n");
  }

  /** Brings some of what flies to the hub, and some of its PONGs back, in order. */
  deliver(share: number): void {
    const chunks = Math.ceil(this.#flying.length * share);
    for (const chunk of this.#flying.splice(0, chunks)) {
      this.#hub.parse(chunk);
      this.#underWay -= chunk.length;
    }
    for (let pongs = Math.ceil(this.#pongs * (share === 1 ? 1 : this.#random())); pongs > 0 && !this.#isBroken; pongs--) {
      this.#pongs -= 1;
      this.#outbox.onReceipt();
    }
    if (!this.#isFull || this.#isBroken || this.#underWay > this.#window * 0.75) return;
    this.#isFull = false;
    this.#outbox.onRoom();
  }

  /** Nobody is there any more who could send: what flies, flies. */
  cutOff(): void {
    this.#isCutOff = true;
  }

  breakOff(share: number): void {
    this.#isBroken = true;
    const bytes = Buffer.concat(this.#flying.splice(0));
    this.#hub.parse(bytes.subarray(0, Math.floor(bytes.length * share)));
  }
}
