// Follows the stream in which a hub that speaks MQTT keeps its retained messages: all of them once, then what changes.
//
//                 which stream it is         answered: a consumer           a gap, silence, or another link
//   inquiring ─────────────────────▶ asking ─────────────────────▶ following ──────────────────┐
//     ▲     │ no answer, nobody there, refused │                                               │
//     │     └──▶ resting ◀───────────────────┘                                                 │
//     └────────────┴───────────────────────────────────────────────────────────────────────────┘
//
// The consumer is ephemeral and is asked for batches, which the hub may keep open for a while with heartbeats; it is the hub's to forget once
// nobody asks. Each one answers on a subject of its own. Tests: test/integration/mqtt-hub.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { type Entropy, randomToken } from "#base/entropy.ts";
import { type Batch, flagsFor, headersOf, payloadOf, QOS_UNSTATED, replyOf, routedSubjectOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin, Sink, Subscription } from "#core/sink.ts";
import { toSubject } from "#core/subject.ts";
import type { AccountRouter, Door } from "#router/router.ts";
import type { HubTaking } from "./copy-watch.ts";

export const HUB_RETAINED_STREAM = "$MQTT_rmsgs" as const;
const ASK_FOR_STREAM = `$JS.API.STREAM.INFO.${HUB_RETAINED_STREAM}` as string;
export const askForConsumer = `$JS.API.CONSUMER.CREATE.${HUB_RETAINED_STREAM}` as const;
const RETAINED = "$MQTT.rmsgs.";
/** nats-server 2.10 tells only its peers when a retained message was cleared. */
const CLEARED_FILTER = "$MQTT.JSA.*.RD";
const ANSWER_MS: Millis = 10_000;
/** The link is down, or the hub has no JetStream. */
const UNHEARD_REST_MS: Millis = 2_000;
/** The hub has no such stream yet: it is made for the first MQTT client. */
const REFUSED_REST_MS: Millis = 15_000;
const HEARTBEAT_MS: Millis = 10_000;
/** A request for a batch is open for so long, … */
const OPEN_MS: Millis = 60_000;
/** … and for so many. */
const PULL_MAX = 256;
/** The hub forgets a consumer that nobody asks. */
const FORGET_MS: Millis = 120_000;
const SILENCE_MS: Millis = 25_000;
/** What the hub sent while there was no link is lost, and a removal leaves no gap: so often it is asked whether the link is the same. */
const LINK_LOOK_MS: Millis = 2_000;
const PLAIN = flagsFor(QOS_UNSTATED, false, false);
const EMPTY = Buffer.alloc(0);

/** One retained message at the hub, as it lies there; borrowed. */
export interface HubRecord {
  /** Of the message, latin1 form. */
  readonly subject: string;
  readonly headers: Buffer;
  readonly payload: Buffer;
  readonly seq: number;
  /** When the hub stored it, by its clock. */
  readonly storedWall: number;
}

/** Which stream the hub keeps them in, and how far it was before any of it came. */
export interface HubStream {
  /** When it was made, in the hub's words: another one under the same name has another time. */
  readonly created: string;
  readonly lastSeq: number;
}

export interface HubFeedEvents {
  /** Everything comes anew, from the start. */
  onBegin(): void;
  onRecord(record: HubRecord): void;
  /** What comes from now on is of this stream; null: nobody can tell of which, or it drops messages by itself. */
  onStream(stream: HubStream | null): void;
  /** All that was there when it began has come. */
  onWhole(): void;
  /** The hub's own word that nothing is retained on `subject` any more. */
  onCleared(subject: string): void;
  /** Why it cannot be followed, each time that is tried; null: it can, as soon as there is something. */
  onTrouble(words: string | null): void;
  /** Nobody hears what it asks: there is no link, the hub has no JetStream, or keeps it from us. */
  onUnheard(): void;
}

export interface HubFeedDeps {
  readonly account: AccountRouter;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** What the hubs of this account make of a subject now. */
  hubs(subject: string): readonly HubTaking[];
}

type State = "resting" | "inquiring" | "asking" | "following";

export class HubFeed implements Origin, Sink, Disposable {
  readonly kind = "mqtt";
  readonly label = "mqtt retained messages of the hub";
  readonly reachesUpstreamsOnly = true;
  readonly #deps: HubFeedDeps;
  readonly #events: HubFeedEvents;
  readonly #door: Door;
  readonly #cleared: Subscription;
  readonly #batch = new BatchBuilder();
  readonly #linkLook: Disposable;
  #subscription: Subscription | undefined;
  #inbox = "";
  #state: State = "resting";
  #isWhole = false;
  #isClosed = false;
  /** Deliveries of this consumer so far. */
  #delivered = 0;
  #consumer = "";
  #stream: HubStream | null = null;
  /** The hub that said so. */
  #streamOf: Origin | undefined;
  /** Of when it was asked. */
  #links: readonly (object | undefined)[] = [];
  /** Of the batch that was asked for. */
  #left = 0;
  #timer: Disposable | undefined;

  constructor(deps: HubFeedDeps, events: HubFeedEvents) {
    this.#deps = deps;
    this.#events = events;
    this.#door = deps.account.open(this);
    this.#cleared = { filter: CLEARED_FILTER, queue: null, sink: this, mayReceive: () => true };
    deps.account.subscribe(this.#cleared);
    this.#linkLook = deps.clock.every(LINK_LOOK_MS, () => this.#lookAtLink());
    this.#rest(0);
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    this.#linkLook[Symbol.dispose]();
    this.#deps.account.unsubscribe(this.#cleared);
    this.#forgetInbox();
    this.#door.close();
  }

  get isFollowing(): boolean {
    return this.#state === "following";
  }

  /** For what goes to the hub in its name. */
  publish(batch: Batch): void {
    this.#door.publish(batch);
  }

  /** A request without an interest in the answer, or a plain message, to the hub. */
  tell(subject: string, payload: string): void {
    this.#send(subject, "", payload);
  }

  deliver(batch: Batch, index: number, subscriptions: readonly Subscription[], origin: Origin): void {
    if (this.#isClosed || origin.kind !== "hub") return; // nobody here speaks for the hub
    if (subscriptions.includes(this.#cleared)) this.#onCleared(payloadOf(batch, index));
    else if (!routedSubjectOf(batch, index).startsWith(`${this.#inbox}.`)) return;
    else if (routedSubjectOf(batch, index) === `${this.#inbox}.i`) this.#onStream(payloadOf(batch, index), origin);
    else if (routedSubjectOf(batch, index) === `${this.#inbox}.r`) this.#onAnswer(payloadOf(batch, index), origin);
    else if (subjectOf(batch, index).startsWith(RETAINED)) this.#onRecord(batch, index);
    else this.#onStatus(headersOf(batch, index));
  }

  flush(): void {
    // Nothing is gathered.
  }

  mayPublish(): boolean {
    return true;
  }

  onDenied(): void {
    // It may publish anything.
  }

  onNoResponders(): void {
    if (this.#state === "resting") return;
    // Never from inside `publish`: the state is ours to change once it has returned.
    this.#wait(0, () => {
      this.#events.onUnheard();
      this.#rest(UNHEARD_REST_MS);
    });
  }

  onSafe(): void {
    // Nobody waits for it.
  }

  pause(): void {
    // What it tells is bounded by what is retained.
  }

  resume(): void {
    // As above.
  }

  // ── the consumer ────────────────────────────────────────────────────────────────────────────────────────────────────

  #rest(delay: Millis): void {
    this.#forgetInbox();
    this.#state = "resting";
    this.#wait(delay, () => this.#inquire());
  }

  /** Which stream it is; a hub that may not be asked is followed all the same. */
  #inquire(): void {
    this.#state = "inquiring";
    this.#stream = null;
    this.#streamOf = undefined;
    this.#inbox = `_INBOX.${randomToken(this.#deps.entropy, 22)}`;
    this.#subscription = { filter: `${this.#inbox}.*`, queue: null, sink: this, mayReceive: () => true };
    this.#deps.account.subscribe(this.#subscription);
    this.#wait(ANSWER_MS, () => this.#ask());
    const hubs = this.#deps.hubs(ASK_FOR_STREAM);
    this.#links = hubs.map(({ link }) => link);
    if (hubs.some(({ takes }) => takes === "yes")) this.#send(ASK_FOR_STREAM, `${this.#inbox}.i`, "");
    else this.#ask();
  }

  #lookAtLink(): void {
    if (this.#state !== "resting" && this.#isOtherLink) this.#rest(0);
  }

  get #isOtherLink(): boolean {
    const now = this.#deps.hubs(ASK_FOR_STREAM);
    return now.length !== this.#links.length || now.some(({ link }, i) => link !== this.#links[i]);
  }

  #onStream(payload: Buffer, hub: Origin): void {
    if (this.#state !== "inquiring") return;
    this.#stream = streamOf(tryParse(payload) ?? {});
    this.#streamOf = hub;
    this.#wait(0, () => this.#ask()); // not from inside a routing pass
  }

  #ask(): void {
    this.#state = "asking";
    this.#isWhole = false;
    this.#delivered = 0;
    const config = {
      deliver_policy: "last_per_subject",
      filter_subject: `${RETAINED}>`,
      ack_policy: "none",
      replay_policy: "instant",
      inactive_threshold: FORGET_MS * 1e6,
      mem_storage: true,
      num_replicas: 1,
    };
    this.#wait(ANSWER_MS, () => this.#rest(UNHEARD_REST_MS));
    this.#events.onBegin();
    this.#send(askForConsumer, `${this.#inbox}.r`, JSON.stringify({ stream_name: HUB_RETAINED_STREAM, config }));
  }

  #onAnswer(payload: Buffer, hub: Origin): void {
    if (this.#state !== "asking") return;
    if (this.#isOtherLink) {
      this.#rest(0); // it may be another hub, with another stream
      return;
    }
    const answer = tryParse(payload);
    const fault = answer?.["error"] as { readonly description?: unknown; readonly code?: unknown } | undefined;
    if (answer === undefined || fault !== undefined) {
      const words = String(fault?.description ?? "its answer is no JSON").slice(0, 200);
      this.#events.onTrouble(fault?.code === 404 ? null : words); // no MQTT client has been there yet, and it would let us
      this.#rest(REFUSED_REST_MS);
      return;
    }
    this.#state = "following";
    this.#events.onTrouble(null);
    this.#events.onStream(hub === this.#streamOf ? this.#stream : null);
    this.#consumer = String(answer["name"]);
    if (answer["num_pending"] === 0) this.#whole();
    this.#pull();
  }

  #onRecord(batch: Batch, index: number): void {
    const facts = deliveryOf(replyOf(batch, index));
    if (facts === undefined) return;
    if (facts.consumerSeq !== this.#delivered + 1) {
      this.#rest(0); // one got lost on the way
      return;
    }
    this.#delivered = facts.consumerSeq;
    this.#left -= 1;
    const { seq, storedWall } = facts;
    const subject = subjectOf(batch, index).slice(RETAINED.length);
    this.#events.onRecord({ subject, headers: headersOf(batch, index), payload: payloadOf(batch, index), seq, storedWall });
    if (facts.pending === 0) this.#whole();
    if (this.#left === 0) this.#pull();
    else this.#listen();
  }

  #pull(): void {
    this.#left = PULL_MAX;
    this.#listen();
    this.#send(
      `$JS.API.CONSUMER.MSG.NEXT.${HUB_RETAINED_STREAM}.${this.#consumer}`,
      `${this.#inbox}.d`,
      JSON.stringify({ batch: PULL_MAX, expires: OPEN_MS * 1e6, idle_heartbeat: HEARTBEAT_MS * 1e6 }),
    );
  }

  /** A heartbeat, or the end of the batch. */
  #onStatus(headers: Buffer): void {
    if (this.#state !== "following") return;
    const status = headers.latin1Slice(9, 12);
    if (status === "100") this.#listen();
    else if (status === "408" || status === "404") this.#pull();
    else this.#rest(UNHEARD_REST_MS);
  }

  #whole(): void {
    if (this.#isWhole) return;
    this.#isWhole = true;
    this.#events.onWhole();
  }

  #onCleared(payload: Buffer): void {
    const subject = tryParse(payload)?.["subject"];
    if (typeof subject === "string") this.#events.onCleared(toSubject(subject));
  }

  #listen(): void {
    if (this.#state === "following") this.#wait(SILENCE_MS, () => this.#rest(0));
  }

  #wait(delay: Millis, action: () => void): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#deps.clock.after(delay, action);
  }

  #forgetInbox(): void {
    if (this.#subscription !== undefined) this.#deps.account.unsubscribe(this.#subscription);
    this.#subscription = undefined;
    this.#inbox = "";
  }

  #send(subject: string, reply: string, payload: string): void {
    this.#batch.beginOwn();
    this.#batch.add({ subject, reply, headers: EMPTY, payload: Buffer.from(payload, "utf8"), flags: PLAIN });
    this.#door.publish(this.#batch);
  }
}

/** `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<times>.<stream seq>.<consumer seq>.<ns>.<pending>[.<more>]` */
export function deliveryOf(reply: string) {
  const tokens = reply.split(".");
  const at = tokens.length >= 11 ? 5 : 3;
  const [, , streamSeq, consumerSeq, ns, pending] = tokens.slice(at);
  const numbers = [streamSeq, consumerSeq, ns, pending].map(Number);
  if (!reply.startsWith("$JS.ACK.") || numbers.some((number) => !Number.isFinite(number))) return undefined;
  return { seq: numbers[0]!, consumerSeq: numbers[1]!, storedWall: Math.floor(numbers[2]! / 1e6), pending: numbers[3]! };
}

/** null: it does not say, or what is missing in it may have gone by its limits, of which a nats-server sets none. */
function streamOf(answer: Record<string, unknown>): HubStream | null {
  const { created } = answer;
  const config = (answer["config"] ?? {}) as Record<string, unknown>;
  const { last_seq: lastSeq } = (answer["state"] ?? {}) as { readonly last_seq?: unknown };
  const isLimited = ["max_age", "max_msgs", "max_bytes"].some((name) => Number(config[name] ?? 0) > 0);
  return typeof created !== "string" || typeof lastSeq !== "number" || isLimited ? null : { created, lastSeq };
}

function tryParse(payload: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // not JSON: the caller says so
  }
}
