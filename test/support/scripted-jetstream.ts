// A JetStream by script, as far as a reconciliation asks it, and journals with records in doubt.
//
//   const hub = new ScriptedHub(clock);
//   hub.stream("S", ["sensors.>"]).hold("sensors.a", "dev-1-state-4");
//   hub.fault = (what) => (what.startsWith("STREAM.INFO") ? "timeout" : undefined);

import type { Millis, WallMillis } from "#base/clock.ts";
import { subjectMatches } from "#core/subject.ts";
import { RECORD_HEADER_BYTES, writeHeader } from "#journal/record.ts";
import { encodeKept, keptBytes } from "#outbox/kept-message.ts";
import type { Asked, DoubtfulLane, HubRequests } from "#outbox/reconcile/reconcile.ts";
import type { SeqSet } from "#outbox/seq-set.ts";
import type { FakeClock } from "./fake-clock.ts";
import { batchOf, message } from "./router-fixtures.ts";

interface Held {
  readonly subject: string;
  readonly id: string;
  readonly at: WallMillis;
}

export class ScriptedStream {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly held: Held[] = [];
  readonly #clock: FakeClock;

  constructor(name: string, subjects: readonly string[], window: Millis, clock: FakeClock) {
    this.name = name;
    this.config = { name, subjects, duplicate_window: window * 1e6 };
    this.#clock = clock;
  }

  hold(subject: string, ...ids: readonly string[]): this {
    for (const id of ids) this.held.push({ subject, id, at: this.#clock.wall() });
    return this;
  }
}

/** What may go wrong with one request: an outcome of its own, or bytes instead of an answer. */
type Fault = Asked | { readonly says: string } | undefined;

export class ScriptedHub implements HubRequests {
  /** All requests so far, without `$JS.API.`. */
  readonly asked: string[] = [];
  readonly bodies: Record<string, unknown>[] = [];
  fault: (what: string) => Fault = () => undefined;
  readonly #streams = new Map<string, ScriptedStream>();
  readonly #consumers = new Map<string, Held[]>();
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  stream(name: string, subjects: readonly string[], window: Millis = 2_000): ScriptedStream {
    const stream = new ScriptedStream(name, subjects, window, this.#clock);
    this.#streams.set(name, stream);
    return stream;
  }

  /** What waits for consumers is deleted, but for the first `left`. */
  purge(left: number): void {
    for (const waiting of this.#consumers.values()) waiting.splice(left);
  }

  /** Consumers that were made and not deleted. */
  get consumers(): number {
    return this.#consumers.size;
  }

  async ask(
    subject: string,
    payload: string,
    timeout: Millis,
    onAnswer: (headers: string, payload: Buffer) => boolean,
  ): Promise<Asked> {
    const what = subject.replace("$JS.API.", "");
    this.asked.push(what);
    const body = (payload === "" ? {} : JSON.parse(payload)) as Record<string, unknown>;
    this.bodies.push(body);
    const fault = this.fault(what);
    if (fault === "timeout") await new Promise<void>((resolve) => void this.#clock.after(timeout, resolve));
    if (typeof fault === "string") return fault;
    if (fault !== undefined) return onAnswer("", Buffer.from(fault.says)) ? "answered" : "timeout";
    const [kind = "", ...names] = what.split(/(?<=\.(?:NAMES|INFO|CREATE|NEXT|DELETE))\.?/);
    const [stream = "", consumer = ""] = names.join("").split(".");
    if (kind === "CONSUMER.MSG.NEXT") return this.#next(consumer, body, onAnswer);
    onAnswer("", Buffer.from(JSON.stringify(this.#answer(kind, stream, consumer, body))));
    return "answered";
  }

  #answer(kind: string, name: string, consumer: string, body: Record<string, unknown>): object {
    if (kind === "STREAM.NAMES") return this.#names(String(body["subject"]), Number(body["offset"] ?? 0));
    const stream = this.#streams.get(name);
    if (stream === undefined) return { error: { code: 404, err_code: 10059, description: "stream not found" } };
    if (kind === "STREAM.INFO") return { config: stream.config, ts: new Date(this.#clock.wall()).toISOString() };
    if (kind === "CONSUMER.DELETE") return { success: this.#consumers.delete(consumer) };
    const config = body["config"] as { filter_subjects?: string[]; opt_start_time: string };
    const since = Date.parse(config.opt_start_time);
    const wanted = stream.held.filter(
      ({ subject, at }) =>
        at >= since &&
        (config.filter_subjects === undefined || config.filter_subjects.some((filter) => subjectMatches(filter, subject))),
    );
    this.#consumers.set(consumer, wanted);
    return { name: consumer, num_pending: wanted.length };
  }

  #names(filter: string, offset: number): object {
    const prefix = filter.replace(/>$/, "");
    const all = [...this.#streams.values()].filter(({ config }) =>
      (config["subjects"] as string[]).some((each) => filter === ">" || each.startsWith(prefix) || each === ">"),
    );
    return { total: all.length, offset, limit: 1024, streams: all.slice(offset, offset + 1024).map(({ name }) => name) };
  }

  #next(consumer: string, body: Record<string, unknown>, onAnswer: (headers: string, payload: Buffer) => boolean): Asked {
    const waiting = this.#consumers.get(consumer) ?? [];
    const batch = waiting.splice(0, Number(body["batch"]));
    for (const { id } of batch)
      if (onAnswer(`NATS/1.0\r\nNats-Msg-Id: ${id}\r\nNats-Msg-Size: 2\r\n\r\n`, EMPTY)) return "answered";
    return onAnswer("NATS/1.0 404 No Messages\r\n\r\n", EMPTY) ? "answered" : "timeout";
  }
}

const EMPTY = Buffer.alloc(0);

export class DoubtfulLaneFake implements DoubtfulLane {
  /** `<epoch>: <seqs>` as told. */
  readonly found: string[] = [];
  readonly journal;

  /** `records`: for a journal that says it has more than it shows. `stamp`: when all of them were made, in `boot`. */
  constructor(subjects: readonly string[], records = subjects.length, stamp = 0, boot: string | null = null) {
    const reads: number[] = [];
    this.journal = {
      records,
      lastSeq: records,
      reads,
      read: (fromSeq: number) => {
        reads.push(fromSeq);
        return { next: oneBatch(subjects, stamp, boot) };
      },
    };
  }

  onFoundInStream(epoch: number, seqs: SeqSet): void {
    const list: number[] = [];
    for (let seq = seqs.first; Number.isFinite(seq); seq = seqs.firstAbove(seq)) list.push(seq);
    this.found.push(`${epoch}: ${list.join(" ")}`);
  }
}

function oneBatch(subjects: readonly string[], stamp: number, boot: string | null) {
  let isRead = false;
  return async () => {
    if (isRead || subjects.length === 0) return undefined;
    isRead = true;
    const batch = batchOf(...subjects.map((subject) => message(subject, "x")));
    const sizes = subjects.map((_, i) => RECORD_HEADER_BYTES + keptBytes(batch, i));
    const slab = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (const [i, size] of sizes.entries()) {
      writeHeader(slab, at, size - RECORD_HEADER_BYTES, i + 1, stamp);
      encodeKept(slab, at + RECORD_HEADER_BYTES, batch, i);
      at += size;
    }
    return { slab, start: 0, end: at, count: subjects.length, epoch: 1, boot };
  };
}
