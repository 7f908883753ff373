// An outbox whose limits are always too tight: small, short-lived, thinned. Whatever it loses, it must have said so, once each:
//
//   given  =  delivered  +  lost  +  waiting            per lane, exactly
//
// The link breaks and comes back, streams fill up, the program ends and starts again; but everything that is under way arrives before
// that, with its answer, so that what the hub has the outbox knows. Everything follows from one seed.

import assert from "node:assert/strict";
import type { Clock } from "#base/clock.ts";
import { ensureDirectory } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { accountFor } from "#outbox/ledger/ledger-account.ts";
import type { LossTotal } from "#outbox/ledger/ledger-entry.ts";
import { CLASSES } from "#outbox/urgency.ts";
import { FakeClock, turn } from "../support/fake-clock.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { DIRECTORY, Life, laneOf, optionsOf, SUBJECTS_FICKLE, SUBJECTS_STEADY } from "./outbox-life.ts";
import { type Arrival, isStored } from "./outbox-wire.ts";
import { StreamModel } from "./stream-model.ts";

const SUBJECTS = [...SUBJECTS_STEADY, ...SUBJECTS_FICKLE];
const RTT_MS = 100;
const IDLE_ROUNDS_MAX = 800;

export class BooksWorld {
  readonly clock = new FakeClock();
  readonly disk: FakeDisk;
  readonly stream: StreamModel;
  readonly kept = new Set<string>();
  readonly received = new Set<string>();
  readonly #acked = new Set<string>();
  #isCruel = false;
  /** By reason, of all lanes. */
  lost: Readonly<Record<string, number>> = {};
  #published = 0;
  #life = 0;
  readonly #random: () => number;
  readonly #hubWants = new Set<string>(SUBJECTS_STEADY);
  readonly #options: ReturnType<typeof optionsOf>;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.disk = new FakeDisk({ random: this.#random });
    this.stream = new StreamModel(this.#random);
    const short = { max_age: `${5 + this.#upTo(60)}s` };
    const thin = { thin_after: { age: "4s", interval: this.#chance(0.5) ? "3s" : null } };
    this.#options = optionsOf(
      { max_bytes: "1MiB", max_messages: 20 + this.#upTo(200), max_age: `${60 + this.#upTo(600)}s` },
      {
        telemetry: thin,
        bulk: this.#chance(0.5) ? thin : {},
        live: this.#chance(0.5) ? { max_age: "30s" } : {},
        state: this.#chance(0.5) ? thin : short,
        stream: this.#chance(0.3) ? { max_age: "20s" } : {},
      },
    );
  }

  /**
   * `restarts`: how often the program ends and starts again. What lay delivered behind something older comes again then, so it may be
   * both delivered and lost. `isCruel`: it ends by the power, in the middle of something; then what was acknowledged is what was given.
   */
  async run(steps: number, restarts: number, isCruel = false): Promise<void> {
    this.#isCruel = isCruel;
    let life = await this.#open();
    for (let restart = 0; restart <= restarts; restart++) {
      for (let step = 0; step < steps; step++) await this.#step(life);
      if (restart === restarts) break;
      if (isCruel) {
        await life.outbox.losses.flush(); // the last seconds of what was told one by one may be forgotten (outbox/README.md)
        life.end();
        this.disk.powerCut();
      } else {
        life.hush();
        await life.close();
      }
      await turn();
      life = await this.#open();
    }
    life.hush();
    if (life.isConnected) life.disconnect(0);
    await this.#settle(life, restarts > 0);
  }

  /** A hub that wants everything, and time for all of it. */
  async #settle(life: Life, mayDouble: boolean): Promise<void> {
    for (const subject of SUBJECTS) this.#hubWants.add(subject);
    this.stream.mood = "well";
    life.connect(this.#hubWants, true);
    let before = "";
    for (let idle = 0; idle < IDLE_ROUNDS_MAX && !life.isDrained(); idle++) {
      await this.clock.pass(RTT_MS);
      life.deliverAll();
      const now = life.progress();
      if (now !== before) idle = 0;
      before = now;
    }
    assert.ok(life.isDrained(), `the backlog does not drain: ${JSON.stringify(life.outbox.status())}`);
    const losses = life.outbox.losses.list();
    await life.close();
    this.#balance(losses, mayDouble);
    for (const { reason, lane, messages } of losses)
      if (lane !== null) this.lost = { ...this.lost, [reason]: (this.lost[reason] ?? 0) + messages };
  }

  #balance(losses: readonly LossTotal[], mayDouble: boolean): void {
    const books = CLASSES.map((lane) => {
      const given = [...(this.#isCruel ? this.#acked : this.kept)].filter((payload) => laneOf(payload) === lane);
      return { lane, given: given.length, delivered: given.filter((payload) => this.#hasArrived(payload)).length, waiting: 0 };
    });
    const wrong = accountFor(books, losses).filter(({ missing, doubled }) => missing > 0 || (doubled > 0 && !mayDouble));
    assert.deepEqual(wrong, [], JSON.stringify({ wrong, books, losses }));
  }

  #hasArrived(payload: string): boolean {
    return isStored(payload) ? this.stream.stored.has(payload) : this.received.has(payload);
  }

  async #step(life: Life): Promise<void> {
    const dice = this.#random();
    if (dice < 0.4) life.publish(1 + this.#upTo(12));
    else if (dice < 0.6) await this.clock.pass(this.#upTo(60));
    else if (dice < 0.75) life.deliverSome();
    else if (dice < 0.83) {
      if (!life.isConnected) life.connect(this.#hubWants);
      else {
        life.hush();
        life.disconnect(0);
      }
    } else if (dice < 0.9) {
      const subject = SUBJECTS_FICKLE[this.#upTo(SUBJECTS_FICKLE.length)]!;
      if (!this.#hubWants.delete(subject)) this.#hubWants.add(subject);
      life.tellInterest(subject, this.#hubWants.has(subject));
    } else if (dice < 0.93) this.stream.mood = this.#chance(0.7) ? "well" : "full";
    else await this.#wait(life, this.#upTo(12_000));
    if (this.#chance(0.5)) await turn();
    else for (let ticks = this.#upTo(30); ticks > 0; ticks--) await undefined;
  }

  /** A hub that says nothing for long is one that nobody can say of what it got. */
  async #wait(life: Life, duration: number): Promise<void> {
    for (let left = duration; left > 0; left -= 1000) {
      await this.clock.pass(Math.min(left, 1000));
      life.hush();
    }
  }

  async #open(): Promise<Life> {
    this.#life += 1;
    const env = {
      clock: this.#clockOfOneLife(),
      disk: this.disk.mount(),
      entropy: { random: this.#random, bytes: (n: number) => Buffer.from(Array.from({ length: n }, () => this.#upTo(256))) },
      log: silentLog(),
    };
    await ensureDirectory(env.disk, DIRECTORY);
    const life = await Life.open(
      env,
      {
        random: this.#random,
        inbox: `_INBOX.life${this.#life}`,
        disk: this.disk,
        onDead: () => assert.ok(this.#isCruel, "the power does not fail here"),
        onPublish: (subject) => {
          this.#published += 1;
          return `${subject}:${this.#published}:${"x".repeat(this.#upTo(this.#chance(0.2) ? 20_000 : 2000))}`;
        },
        onKept: (payload) => this.kept.add(payload),
        onAcked: (payload) => this.#acked.add(payload),
        onAnswered: () => undefined,
        onBreach: (what) => assert.fail(what),
        now: () => this.clock.now(),
        mayReturn: () => true,
        onReceived: (arrival) => this.#receive(life, arrival),
      },
      this.#options,
    );
    return life;
  }

  /** Its timers stop when the power fails. */
  #clockOfOneLife(): Clock {
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

  #receive(life: Life, { subject, id, payload, reply }: Arrival): void {
    if (id === undefined) return;
    this.received.add(payload);
    const answer = reply === "" ? undefined : this.stream.take(subject, id, payload, reply, this.clock.now());
    if (answer !== undefined) life.onAnswer(answer);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #upTo(end: number): number {
    return Math.floor(this.#random() * end);
  }
}
