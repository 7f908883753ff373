// A spoke's outbox in a cruel world: simulated disk, clock and link, a hub that counts, power that fails. Everything follows from
// one seed. What must hold, whatever happens:
//
//   acknowledged  a message that was called safe reaches the hub, and the whole batch of its ticket with it;
//                 with confirm: stored it reaches the stream, whether that is full, silent or late meanwhile; with auto, too, where
//                 the hub lets us hear it
//   identity      one Nats-Msg-Id, one message, for ever; so a stream that drops doubles has each message once
//   once a link   nothing is sent twice over one link, unless its stream did not say that it has it
//   order         on one subject, messages first reach the hub in the order they were published; with order: live_first those from
//                 the backlog do, and those that pass it do
//   at most once  what is not kept never arrives twice, nor behind a newer one of its subject
//   progress      with a hub that answers, something moves until everything is delivered; no publisher stays paused
//   start         the outbox opens after every cut
//
// All four lanes are in use, batches are spread over them, and most links take a few hundred bytes at a time.

import assert from "node:assert/strict";
import type { Clock } from "#base/clock.ts";
import { ensureDirectory } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { STORED_TIMEOUT_MS } from "#outbox/awaiting.ts";
import { FakeClock, turn } from "../support/fake-clock.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { DIRECTORY, Life, SUBJECTS_FICKLE, SUBJECTS_STEADY } from "./outbox-life.ts";
import { type Arrival, isAuto, isStored } from "./outbox-wire.ts";
import { type Mood, StreamModel } from "./stream-model.ts";

const SUBJECTS = [...SUBJECTS_STEADY, ...SUBJECTS_FICKLE];
/** The network and the hub take this long for a PING at most. */
const RTT_MS_MAX = 120;
/** Rounds of RTT_MS_MAX in which nothing moves although the hub answers: longer than anything that is tried again after a while. */
const IDLE_ROUNDS_MAX = 800;
const MOODS: readonly Mood[] = ["well", "well", "full", "silent"];

export class OutboxWorld {
  readonly clock = new FakeClock();
  readonly disk: FakeDisk;
  readonly stream: StreamModel;
  readonly acked = new Set<string>();
  readonly received = new Set<string>();
  cuts = 0;
  published = 0;
  doubles = 0;
  receivedLive = 0;
  /** Of rules that let fresh messages pass: first seen as history, and as fresh. */
  historical = 0;
  fresh = 0;
  #life = 0;
  readonly #random: () => number;
  readonly #hubWants = new Set<string>(SUBJECTS_STEADY);
  readonly #idOf = new Map<string, string>();
  readonly #payloadOf = new Map<string, string>();
  readonly #breaches: string[] = [];
  /** Ids that the outbox of this life knows to be stored, and not to be. */
  readonly #answered = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #lastFirst = new Map<string, number>();
  /** Of those that wait for a stream where they can: came over a link on which they cannot. */
  readonly #unproven = new Set<string>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.disk = new FakeDisk({ random: this.#random });
    this.stream = new StreamModel(this.#random);
  }

  /** One life: opens, lives through `steps` random events, loses power. */
  async live(steps: number): Promise<void> {
    if (this.#chance(0.2)) await this.#dieOpening();
    const life = await this.#open();
    this.disk.strikeAfter(this.#chance(0.5) ? 1 + this.#upTo(steps * 2) : undefined);
    for (let i = 0; i < steps && !life.isDead(); i++) await this.#step(life);
    life.end();
    assert.deepEqual(this.#breaches, []);
    this.disk.strikeAfter(undefined);
    this.disk.powerCut();
    this.cuts += 1;
    await turn();
  }

  /** A last life in which everything works: it must bring everything acknowledged to the hub. */
  async settle(): Promise<void> {
    for (const subject of SUBJECTS) this.#hubWants.add(subject);
    const life = await this.#open();
    this.stream.mood = "well";
    life.connect(this.#hubWants, true);
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
    assert.deepEqual(this.#breaches, []);
    const missing = [...this.acked].filter((payload) => !this.#hasArrived(payload));
    assert.deepEqual(missing.slice(0, 5), [], `${missing.length} acknowledged messages never reached the hub, or their stream`);
  }

  #hasArrived(payload: string): boolean {
    const mustBeStored = isStored(payload) || (isAuto(payload) && !this.#unproven.has(payload));
    return mustBeStored ? this.stream.stored.has(payload) || this.stream.refused.has(payload) : this.received.has(payload);
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
      const subject = SUBJECTS_FICKLE[this.#upTo(SUBJECTS_FICKLE.length)]!;
      if (!this.#hubWants.delete(subject)) this.#hubWants.add(subject);
      life.tellInterest(subject, this.#hubWants.has(subject));
    } else if (dice < 0.935) this.disk.faults.failDatasyncIn = 1 + this.#upTo(2);
    else if (dice < 0.95) this.disk.faults.failWriteIn = 1 + this.#upTo(2);
    else if (dice < 0.965) this.#failOneRead();
    else if (dice < 0.98) this.stream.mood = MOODS[this.#upTo(MOODS.length)]!;
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
    this.#answered.clear();
    this.#refused.clear();
    const life = await Life.open(env, {
      random: this.#random,
      inbox: `_INBOX.life${this.#life}`,
      disk: this.disk,
      onDead: () => {
        this.#life += 1;
      },
      onPublish: (subject) => {
        this.published += 1;
        return `${subject}:${this.published}:${"x".repeat(this.#upTo(60))}`;
      },
      onAcked: (payload) => this.acked.add(payload),
      onAnswered: ({ id, ack }) => {
        if (ack.is === "stored") this.#answered.add(id);
        else this.#refused.add(id);
      },
      onAskedStreams: async () => {
        await new Promise<void>((resolve) => void env.clock.after(this.#upTo(300), resolve));
        return { isTold: true, streams: [{ name: "S", filters: ["stream.>", "both.>", "auto.>"], isMute: false }], trouble: "" };
      },
      onBreach: (what) => this.#breaches.push(what),
      now: () => this.clock.now(),
      mayReturn: (id, age) => !this.#answered.has(id) && (this.#refused.has(id) || age >= STORED_TIMEOUT_MS),
      onReceived: (arrival) => {
        if (arrival.id === undefined) this.#receiveLive(arrival);
        else this.#receive(arrival, arrival.id);
        const { subject, id, payload, reply, isHeard } = arrival;
        const isAsked = id !== undefined && (isStored(subject) || (isAuto(subject) && isHeard));
        assert.equal(reply !== "", isAsked, `on ${subject} the reply subject is "${reply}"`);
        if (isAuto(subject) && !isHeard) this.#unproven.add(payload);
        const answer = reply === "" ? undefined : this.stream.take(subject, id!, payload, reply, this.clock.now());
        if (answer !== undefined) life.onAnswer(answer);
      },
    });
    return life;
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
  #receive({ subject, payload, isHistorical }: Arrival, id: string): void {
    assert.equal(this.#payloadOf.get(id) ?? payload, payload, `id ${id} stands for two messages`);
    assert.equal(this.#idOf.get(payload) ?? id, id, `message ${payload} has two ids`);
    this.#payloadOf.set(id, payload);
    this.#idOf.set(payload, id);
    if (this.received.has(payload)) {
      this.doubles += 1;
      return;
    }
    this.received.add(payload);
    const mayPass = /^(live|both)\./.test(subject);
    assert.ok(mayPass || !isHistorical, `${payload} is of a rule that keeps the order, and says that it is history`);
    if (isHistorical) this.historical += 1;
    else if (mayPass) this.fresh += 1;
    this.#inOrder(isHistorical ? `history of ${subject}` : subject, payload);
  }

  /** What was not kept overtakes what was, but never its own kind. */
  #receiveLive({ subject, payload }: Arrival): void {
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
