// An outbox on simulated disk and clock, with a link and a hub that do as the test says.

import assert from "node:assert/strict";
import { decode } from "#base/decode.ts";
import { ensureDirectory } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import type { Json } from "#base/schema.ts";
import { flagsFor } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Carrier, HubView, Listening } from "#outbox/hub-view.ts";
import type { LaneSet } from "#outbox/lane-set.ts";
import { outboxOptions } from "#outbox/options.ts";
import { type Outbox, openOutbox } from "#outbox/outbox.ts";
import type { LookFor, Reconcile } from "#outbox/reconcile/reconciling.ts";
import type { StreamDesk, StreamOfHub } from "#outbox/streams/captures.ts";
import { WireWriter } from "#wire/wire-writer.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { RecordingOrigin } from "../../support/router-fixtures.ts";

export const INTERVAL_MS = 25;
const DIRECTORY = "/data/outbox/EDGE";

export class OutboxHarness {
  readonly clock = new FakeClock();
  readonly disk = new FakeDisk({ seed: 1 });
  readonly safe: number[] = [];
  readonly link = new FakeCarrier();
  /** What the hub says of a subject; `now` unless told otherwise. */
  readonly listening = new Map<string, Listening>();
  readonly forbidden = new Set<string>();
  /** Subjects that one queue group at the hub wants, which has members here, too. */
  readonly servedHere = new Set<string>();
  /** What the hub's streams take; undefined: it has no JetStream. */
  streams: StreamOfHub[] | undefined;
  /** Until this is called the hub keeps what it was asked about streams to itself; undefined: it answers at once. */
  tellStreams: (() => void) | undefined;
  rooms = 0;
  payloadBytesMax = 1_000_000;
  /** Asks the hub's streams what they hold; undefined: nobody does. */
  reconcile: Reconcile | undefined;
  lookFor: LookFor | undefined;
  outbox!: Outbox;
  #ticket = 0;

  static async open(settings: { readonly [key: string]: Json } = {}): Promise<OutboxHarness> {
    const harness = new OutboxHarness();
    await harness.start(settings);
    return harness;
  }

  async start(settings: { readonly [key: string]: Json }): Promise<void> {
    const decoded = decode(outboxOptions, { free_reserve: "0B", ...settings }, "/data");
    assert.ok("value" in decoded, JSON.stringify(decoded));
    const harness = this;
    const hub: HubView = {
      listening: (subject, served) => (served.length > 0 ? "never" : (this.listening.get(subject) ?? "now")),
      groups: () => [],
      mayExport: (subject) => !this.forbidden.has(subject),
      get payloadBytesMax() {
        return harness.payloadBytesMax;
      },
    };
    const env = { clock: this.clock, disk: this.disk, entropy: systemEntropy(), log: silentLog() };
    await ensureDirectory(this.disk, DIRECTORY);
    const deps = {
      device: "dev",
      directory: DIRECTORY,
      hub,
      origin: new RecordingOrigin("hub"),
      servedGroups: (subject: string) => this.#served(subject),
      streamDesk: this.#streamDesk(),
      reconcile: (lanes: LaneSet, signal: AbortSignal, isHeldUp: boolean) => this.reconcile?.(lanes, signal, isHeldUp),
      lookFor: (subjects: readonly string[], sinceMs: number, signal: AbortSignal) => this.lookFor?.(subjects, sinceMs, signal),
    };
    this.outbox = await openOutbox(decoded.value, deps, env, new AbortController().signal);
    this.outbox.attach({
      invalidate: () => undefined,
      onSafe: (watermark) => this.safe.push(watermark),
      onRoom: () => {
        this.rooms += 1;
      },
    });
  }

  #streamDesk(): StreamDesk {
    const harness = this;
    return {
      get mayAsk() {
        return harness.streams !== undefined;
      },
      willAnswer: true,
      list: async () => {
        if (harness.tellStreams !== undefined) await new Promise<void>((resolve) => void (harness.tellStreams = resolve));
        return { isTold: true, streams: harness.streams ?? [], trouble: "" };
      },
    };
  }

  up(): void {
    this.outbox.onReady(this.link);
  }

  down(): void {
    this.link.out.clear();
    this.outbox.onDown();
  }

  /** Publishes one batch on one subject; returns its ticket, 0 if nothing was staged. */
  publish(subject: string, payloads: readonly string[], options: { readonly qos?: 0 | 1; readonly reply?: string } = {}): number {
    return this.publishAll(payloads.map((payload) => ({ ...options, subject, payload })));
  }

  /** Publishes one batch on any subjects; returns its ticket, 0 if nothing was staged. */
  publishAll(
    messages: readonly { readonly subject: string; readonly payload: string; readonly qos?: 0 | 1; readonly reply?: string }[],
  ): number {
    const batch = new BatchBuilder();
    batch.beginOwn();
    for (const { subject, payload, qos = 1, reply = "" } of messages) {
      batch.add({ subject, payload: Buffer.from(payload), flags: flagsFor(qos, qos > 0, false), reply });
    }
    const ticket = this.#ticket + 1;
    const plans = new Map(messages.map(({ subject }) => [subject, this.outbox.plan(subject, this.#served(subject))]));
    let isStaged = false;
    for (let i = 0; i < batch.count; i++) {
      if (this.outbox.take(batch, i, plans.get(messages[i]!.subject)!, ticket) === "staged") isStaged = true;
    }
    if (isStaged) this.#ticket = ticket;
    this.outbox.flush();
    return isStaged ? ticket : 0;
  }

  /** The hub answers every PING that is out; the link tells of room if it was asked for some and had none. */
  confirm(): void {
    for (let pings = this.link.takePings(); pings > 0; pings--) this.outbox.onReceipt();
    if (this.link.takeFull()) this.outbox.onRoom();
  }

  /** Lets time and promises run: long enough for a commit. */
  async commit(): Promise<void> {
    await this.clock.pass(INTERVAL_MS * 2);
    await turn();
    await turn();
  }

  #served(subject: string): readonly string[] {
    return this.servedHere.has(subject) ? ["workers"] : [];
  }

  losses(): Record<string, number> {
    return Object.fromEntries(this.outbox.losses.list().map(({ reason, messages }) => [reason, messages]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.outbox[Symbol.asyncDispose]();
    assert.equal(this.clock.pending, 0, "a closed outbox leaves no timer behind");
  }
}

/** Takes everything and remembers it. */
export class FakeCarrier implements Carrier {
  readonly out = new WireWriter();
  inbox: string | null = "_INBOX.life";
  /** Bytes that may be under way. */
  window = Number.POSITIVE_INFINITY;
  #underWay = 0;
  #text = "";
  #pings = 0;
  #isFull = false;

  get room(): number {
    return Math.max(0, this.window - this.#underWay - this.out.pendingBytes);
  }

  get isCongested(): boolean {
    if (this.room > 0) return false;
    this.#isFull = true;
    return true;
  }

  flush(): void {
    const bytes = this.out.take();
    this.#underWay += bytes.length;
    this.#text += bytes.toString("latin1");
    this.out.giveBack(bytes);
  }

  barrier(): void {
    this.#pings += 1;
  }

  takePings(): number {
    const pings = this.#pings;
    this.#pings = 0;
    if (pings > 0) this.#underWay = 0;
    return pings;
  }

  /** Has it been found full since this was asked last, and is it no more? */
  takeFull(): boolean {
    if (!this.#isFull || this.room === 0) return false;
    this.#isFull = false;
    return true;
  }

  /** Everything on the wire so far. */
  get text(): string {
    return this.#text;
  }

  /** Payloads sent so far, of one-line payloads. */
  get payloads(): string[] {
    return [...this.#text.matchAll(/(?:\r\n\r\n|LMSG [^\r]*\r\n)([^\r]*)\r\n/g)].map((match) => match[1]!);
  }
}
