// A simulated outbox from one start to the next power cut, with its publishers, its link and its stream's answers.

import assert from "node:assert/strict";
import type { Clock } from "#base/clock.ts";
import { decode } from "#base/decode.ts";
import type { silentLog } from "#base/log.ts";
import type { Json } from "#base/schema.ts";
import { flagsFor, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { HubView } from "#outbox/hub-view.ts";
import { type OutboxOptions, outboxOptions } from "#outbox/options.ts";
import { type Outbox, openOutbox } from "#outbox/outbox.ts";
import type { Listing, StreamDesk } from "#outbox/streams/captures.ts";
import type { UrgencyClass } from "#outbox/urgency.ts";
import { HubInterest } from "#uplink/hub-interest.ts";
import type { FakeDisk } from "../support/fake-disk.ts";
import { RecordingOrigin } from "../support/router-fixtures.ts";
import { Wire, type WireEvents } from "./outbox-wire.ts";
import type { Answer } from "./stream-model.ts";

export const DIRECTORY = "/data/outbox/EDGE";
/** Wanted by the hub all the time. */
export const SUBJECTS_STEADY = [
  "alarm.a",
  "state.a",
  "state.b",
  "telemetry.a",
  "bulk.a",
  "stream.a",
  "stream.b",
  "both.a",
  "live.a",
  "auto.a",
] as const;
/** Wanted now and then, and held meanwhile. */
export const SUBJECTS_FICKLE = [
  "alarm.x",
  "state.x",
  "state.y",
  "telemetry.x",
  "bulk.x",
  "stream.x",
  "stream.huge",
  "live.x",
  "auto.x",
] as const;
const SUBJECTS = [...SUBJECTS_STEADY, ...SUBJECTS_FICKLE];
/** Messages published at QoS 0 are kept where the rule says always, else sent at once or not at all. */
const KEPT_ALWAYS = /^(alarm|telemetry|stream|both|auto)\./;

type Words = { readonly [name: string]: Json };

/** `of`: what the rule for these messages says besides; `more`: what the outbox does. */
export function optionsOf(more: Words, of: { readonly [kind: string]: Words } = {}): OutboxOptions {
  const rules = [
    { subjects: ["alarm.>"], class: "alarm", keep: "always", ...of["alarm"] },
    { subjects: ["stream.>"], class: "telemetry", keep: "always", confirm: "stored", ...of["stream"] },
    { subjects: ["both.>"], class: "state", keep: "always", confirm: "stored", order: "live_first", ...of["both"] },
    { subjects: ["live.>"], class: "bulk", keep: "durable", no_interest: "hold", order: "live_first", ...of["live"] },
    { subjects: ["auto.>"], class: "telemetry", keep: "always", confirm: "auto", ...of["auto"] },
    { subjects: ["telemetry.>"], class: "telemetry", keep: "always", ...of["telemetry"] },
    { subjects: ["bulk.>"], class: "bulk", keep: "durable", no_interest: "hold", ...of["bulk"] },
    { subjects: [">"], class: "state", keep: "durable", no_interest: "hold", ...of["state"] },
  ];
  const decoded = decode(outboxOptions, { free_reserve: "0B", max_bytes: "1GiB", ...more, rules }, "/data");
  assert.ok("value" in decoded, JSON.stringify(decoded));
  return decoded.value;
}

const ROOMY = optionsOf({});

/** Whose lane a message is in, by the rules above. */
export function laneOf(subject: string): UrgencyClass {
  const kind = subject.split(".")[0]!;
  if (kind === "alarm") return "alarm";
  if (kind === "stream" || kind === "telemetry" || kind === "auto") return "telemetry";
  return kind === "live" || kind === "bulk" ? "bulk" : "state";
}

export interface LifeEvents extends WireEvents {
  /** Unlike that of any other life. */
  readonly inbox: string;
  readonly disk: FakeDisk;
  /** The power failed, by itself or in the middle of something. */
  onDead(): void;
  onPublish(subject: string): string;
  /** That one is to be kept. */
  onKept?(payload: string): void;
  onAcked(payload: string): void;
  /** The hub is asked what its streams take. Absent: it has no JetStream. */
  onAskedStreams?(): Promise<Listing>;
  /** An answer of a stream has reached the outbox. */
  onAnswered(answer: Answer): void;
}

/** The outbox from one start to the next power cut, with its link. */
export class Life {
  outbox!: Outbox;
  #interest!: HubInterest;
  readonly #events: LifeEvents;
  /** Payloads per ticket that wait for their acknowledgement. */
  readonly #waiting: { readonly ticket: number; readonly payloads: string[] }[] = [];
  readonly #answers: Answer[] = [];
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
    options = ROOMY,
  ): Promise<Life> {
    const life = new Life(events);
    life.#interest = await HubInterest.open(DIRECTORY, env, () => life.outbox.onInterest());
    const view: HubView = {
      listening: (subject, served) => life.#interest.listening(subject, served),
      groups: (subject, served) => life.#interest.groups(subject, served),
      mayExport: () => true,
      payloadBytesMax: 1_000_000,
    };
    const { onAskedStreams } = events;
    const streamDesk: StreamDesk = {
      get mayAsk() {
        return onAskedStreams !== undefined && life.#wire !== undefined && life.#wire.inbox !== null;
      },
      willAnswer: true,
      list: () => onAskedStreams!(),
    };
    const place = { device: "dev", directory: DIRECTORY, hub: view, origin: new RecordingOrigin("hub") };
    const deps = { ...place, servedGroups: () => [], streamDesk };
    life.outbox = await openOutbox(options, deps, env, new AbortController().signal);
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
    return JSON.stringify([
      depth,
      delivered,
      lanes.map(({ mode, confirmedSeq, held, awaiting }) => [mode, confirmedSeq, held, awaiting]),
    ]);
  }

  publish(count: number): void {
    if (this.isPaused) return;
    this.#batch.beginOwn();
    const payloads: string[] = [];
    for (let i = 0; i < count; i++) {
      const subject = SUBJECTS[Math.floor(this.#events.random() * SUBJECTS.length)]!;
      const qos = this.#events.random() < 0.7 ? 1 : 0;
      const payload = this.#events.onPublish(subject);
      if (qos > 0 || KEPT_ALWAYS.test(subject)) {
        payloads.push(payload);
        this.#events.onKept?.(payload);
      }
      this.#batch.add({ subject, payload: Buffer.from(payload), flags: flagsFor(qos, qos > 0, false) });
    }
    const ticket = this.#ticket + 1;
    let staged = 0;
    for (let i = 0; i < count; i++) {
      if (this.outbox.take(this.#batch, i, this.outbox.plan(subjectOf(this.#batch, i), []), ticket) === "staged") staged += 1;
    }
    assert.equal(staged, payloads.length, "with no_interest hold everything is kept that its rule or its publisher wants kept");
    if (staged > 0) {
      this.#ticket = ticket;
      this.#waiting.push({ ticket, payloads });
    }
    this.outbox.flush();
    this.isPaused = this.outbox.isFull;
  }

  connect(wants: ReadonlySet<string>, isWell = false): void {
    // Some hubs do not let us listen to an inbox.
    const isHeard = isWell || this.#events.random() < 0.9;
    this.#wire = new Wire(this.outbox, isHeard ? this.#events.inbox : null, this.#events);
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
    this.#answer(this.#events.random());
  }

  deliverAll(): void {
    this.#wire?.deliver(1);
    this.#answer(1);
  }

  /** Brings over all that is under way, and all answers back, before anything more can be sent. */
  hush(): void {
    for (let rounds = 0; rounds < 1000 && this.#wire !== undefined && (this.#wire.isBusy || this.#answers.length > 0); rounds++)
      this.deliverAll();
  }

  /** The stream's words for us; they wait for a link to come by, the next one perhaps. */
  onAnswer(answer: Answer): void {
    if (answer.inbox === this.#events.inbox) this.#answers.push(answer);
  }

  /** In any order: streams do not wait for each other. */
  #answer(share: number): void {
    if (this.#wire === undefined || this.#isDead) return;
    for (let count = Math.ceil(this.#answers.length * share); count > 0; count--) {
      const [answer] = this.#answers.splice(
        this.#events.random() < 0.8 ? 0 : Math.floor(this.#events.random() * this.#answers.length),
        1,
      );
      this.#events.onAnswered(answer!);
      this.outbox.onAnswer(answer!.classIndex, answer!.seq, answer!.ack);
    }
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
