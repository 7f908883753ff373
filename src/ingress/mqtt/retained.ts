// The last retained message of each topic of one account, for those who subscribe later.
//
//   PUBLISH retain ──▶ put ──┬─▶ trie in memory ──▶ match(filter) ──▶ SUBSCRIBE, requests from NATS
//                            └─▶ store: QoS ≥ 1 soon, QoS 0 lazily; the same topic again replaces what is not written yet
//
// An empty payload clears. Bounded by messages and bytes over all accounts, shared fairly among users (retained-budget.ts). What has
// expired is never handed out, and is removed within a minute. Tests: test/unit/ingress/mqtt/retained.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { Voice } from "#base/voice.ts";
import { displaySubject } from "#core/subject.ts";
import type { Keeping, Mark } from "./keeping.ts";
import type { KeptMessage } from "./message.ts";
import type { RetainedBudget, Shortage } from "./retained-budget.ts";
import { decodeRecord, encodeRecord, keyPrefix, ownerOf, type RetainedFacts } from "./retained-records.ts";
import { RetainedTrie } from "./retained-trie.ts";

/** How often the expired ones are looked for. */
const SWEEP_MS: Millis = 60_000;
/** What a retained message takes beside its content, and each level of its topic: so that deep topics pay for themselves. */
const MESSAGE_BYTES = 200;
const LEVEL_BYTES = 100;

/** A retained message and since when it is. */
export interface RetainedMessage {
  readonly message: KeptMessage;
  readonly retainedWall: number;
}

export interface RetainedStatus {
  readonly messages: number;
  readonly bytes: number;
  /** Not retained, for there was no room. */
  readonly refused: number;
  readonly expired: number;
}

export interface RetainedDeps {
  readonly keeping: Keeping;
  /** One for all accounts. */
  readonly budget: RetainedBudget;
  readonly clock: Clock;
  readonly log: Log;
}

interface Entry {
  readonly subject: string;
  /** The record (retained-records.ts), one character a byte. */
  record: string;
  deadlineWall: number;
}

export class RetainedStore implements Disposable {
  readonly #account: string;
  readonly #deps: RetainedDeps;
  readonly #voice: Voice;
  readonly #prefix: string;
  readonly #trie = new RetainedTrie<Entry>();
  /** Those that expire, by the minute in which they do. */
  readonly #expiring = new Map<number, Set<Entry>>();
  #lastOwner: string | undefined;
  #lastName = "";
  #timer: Disposable | undefined;
  #size = 0;
  #bytes = 0;
  #refused = 0;
  #expired = 0;

  /** Takes over what the last life left in `keeping`. */
  constructor(account: string, deps: RetainedDeps) {
    this.#account = account;
    this.#deps = deps;
    this.#voice = new Voice(deps.clock, deps.log);
    this.#prefix = keyPrefix(account);
    this.#recover();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#expiring.clear();
  }

  /** Retained messages. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  status(): RetainedStatus {
    return { messages: this.#size, bytes: this.#bytes, refused: this.#refused, expired: this.#expired };
  }

  /**
   * Retains it in place of what was retained on its subject; with an empty payload there is nothing any more. `owner`: the user it
   * counts for, "" for who came without one. Returns what an ack must wait for (QoS ≥ 1); "full": it was not retained, what was there
   * stays, and the log says so.
   */
  put(message: KeptMessage, owner: string): Mark | "full" {
    const { subject, payload, qos, deadlineWall } = message;
    if (payload.length === 0) return this.delete(subject, qos === 0 ? "lazy" : "soon");
    const before = this.#trie.get(subject);
    const facts = { owner: Buffer.from(owner, "utf8").toString("latin1"), retainedWall: this.#deps.clock.wall() };
    const value = encodeRecord(message, facts);
    const shortage = this.#shortage(value.length, subject, facts, before);
    if (shortage !== undefined) return this.#refuse(message, facts.owner, shortage);
    const record = value.latin1Slice(0, value.length);
    if (before === undefined) this.#add({ subject, record, deadlineWall }, facts.owner);
    else {
      this.#uncount(before);
      before.record = record;
      before.deadlineWall = deadlineWall;
      this.#count(before, facts.owner);
    }
    return this.#deps.keeping.put(this.#prefix + subject, value, qos === 0 ? "lazy" : "soon");
  }

  /** There is nothing on the subject any more. */
  delete(subject: string, urgency: "soon" | "lazy"): Mark {
    const entry = this.#trie.get(subject);
    if (entry === undefined && urgency === "lazy") return 0;
    if (entry !== undefined) {
      this.#uncount(entry);
      this.#trie.delete(subject);
    }
    // Also where nothing is any more: what was removed lazily may still be on the card.
    return this.#deps.keeping.delete(this.#prefix + subject, urgency);
  }

  /** The one on this subject. */
  get(subject: string): RetainedMessage | undefined {
    const entry = this.#trie.get(subject);
    return entry === undefined || this.#isOver(entry) ? undefined : read(entry);
  }

  /**
   * Those whose subject falls under the filter and that have not expired, in no particular order. Lazy: may be walked at the
   * receiver's pace while others come and go. A filter that begins with a wildcard finds none that begins with `$`.
   */
  *match(filter: string): Generator<KeptMessage, undefined> {
    for (const entry of this.#trie.matches(filter)) if (!this.#isOver(entry)) yield read(entry).message;
    return undefined;
  }

  /** The same, with the time since when each is retained. */
  *matchWithTimes(filter: string): Generator<RetainedMessage, undefined> {
    for (const entry of this.#trie.matches(filter)) if (!this.#isOver(entry)) yield read(entry);
    return undefined;
  }

  /** All that have not expired, with their owners. */
  *all(): Generator<{ readonly message: KeptMessage; readonly owner: string }, undefined> {
    for (const entry of this.#trie.matches(">"))
      if (!this.#isOver(entry)) yield { message: read(entry).message, owner: ownerOf(entry.record) };
    return undefined;
  }

  /** The user whose it is; "": nobody's. */
  ownerOf(subject: string): string {
    const entry = this.#trie.get(subject);
    return entry === undefined ? "" : ownerOf(entry.record);
  }

  // ── room ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #shortage(bytes: number, subject: string, { owner }: RetainedFacts, before: Entry | undefined): Shortage | "store" | undefined {
    if (this.#deps.keeping.isFull) return "store";
    const { budget } = this.#deps;
    const cost = costOf(subject, bytes);
    const user = this.#budgetName(owner);
    if (before === undefined) return budget.shortage(user, 1, cost);
    const known = costOf(subject, before.record.length);
    const owned = this.#budgetName(ownerOf(before.record));
    if (owned === user) return budget.shortage(user, 0, cost - known);
    // It changes hands: the whole of it counts for the new owner, and the old one's part is free.
    budget.take(owned, -1, -known);
    const shortage = budget.shortage(user, 1, cost);
    budget.take(owned, 1, known);
    return shortage;
  }

  /** The user's name in the budget; most often the one asked for last. */
  #budgetName(owner: string): string {
    if (owner !== this.#lastOwner) {
      this.#lastOwner = owner;
      this.#lastName = `${this.#account} ${owner}`;
    }
    return this.#lastName;
  }

  #refuse({ subject }: KeptMessage, owner: string, shortage: Shortage | "store"): "full" {
    this.#refused += 1;
    const { budget } = this.#deps;
    const facts = {
      topic_subject: displaySubject(subject),
      user: displaySubject(owner),
      ...budget.useOf(this.#budgetName(owner)),
    };
    if (shortage === "store") this.#voice.warn("store", "a message was not retained: the card has no room for it", facts);
    else if (shortage === "full")
      this.#voice.warn(
        "full",
        "a message was not retained: mqtt.retained is full; raise max_messages or max_bytes, or clear topics nobody needs",
        facts,
      );
    else
      this.#voice.warn(
        `share ${owner}`,
        "a message was not retained: its user has its share of mqtt.retained, the rest is for others; raise max_messages or max_bytes, or clear topics nobody needs",
        facts,
      );
    return "full";
  }

  #add(entry: Entry, owner: string): void {
    this.#trie.set(entry.subject, entry);
    this.#count(entry, owner);
  }

  #count(entry: Entry, owner: string): void {
    const cost = costOf(entry.subject, entry.record.length);
    this.#deps.budget.take(this.#budgetName(owner), 1, cost);
    this.#size += 1;
    this.#bytes += cost;
    if (entry.deadlineWall === 0) return;
    const minute = minuteOf(entry.deadlineWall);
    const others = this.#expiring.get(minute);
    if (others === undefined) this.#expiring.set(minute, new Set([entry]));
    else others.add(entry);
    this.#timer ??= this.#deps.clock.every(SWEEP_MS, () => this.#sweep());
  }

  #uncount(entry: Entry): void {
    const cost = costOf(entry.subject, entry.record.length);
    this.#deps.budget.take(this.#budgetName(ownerOf(entry.record)), -1, -cost);
    this.#size -= 1;
    this.#bytes -= cost;
    if (entry.deadlineWall === 0) return;
    const minute = minuteOf(entry.deadlineWall);
    const others = this.#expiring.get(minute);
    others?.delete(entry);
    if (others?.size === 0) this.#expiring.delete(minute);
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #isOver({ deadlineWall }: Entry): boolean {
    return deadlineWall !== 0 && deadlineWall <= this.#deps.clock.wall();
  }

  /** Looks at those alone whose minute has come. */
  #sweep(): void {
    const now = minuteOf(this.#deps.clock.wall());
    for (const [minute, entries] of this.#expiring) {
      if (minute > now) continue;
      for (const entry of entries) {
        if (!this.#isOver(entry)) continue;
        this.#expired += 1;
        this.delete(entry.subject, "lazy");
      }
    }
    if (this.#expiring.size > 0) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  /** What is there is kept, also where the limits are lower than they were. */
  #recover(): void {
    const { keeping, log } = this.#deps;
    let unread = 0;
    for (const [key, value] of keeping.entries(this.#prefix)) {
      const subject = key.slice(this.#prefix.length);
      const found = decodeRecord(subject, value);
      if (found === undefined) {
        unread += 1;
        continue;
      }
      const { deadlineWall } = found.message;
      this.#add({ subject, record: value.latin1Slice(0, value.length), deadlineWall }, found.owner);
    }
    if (unread > 0) log.error("retained messages of a later version of this program are left out", { messages: unread });
  }
}

function read({ subject, record }: Entry): RetainedMessage {
  return decodeRecord(subject, Buffer.from(record, "latin1"))!; // written by us
}

function costOf(subject: string, recordBytes: number): number {
  let levels = 1;
  for (let at = subject.indexOf("."); at >= 0; at = subject.indexOf(".", at + 1)) levels += 1;
  return MESSAGE_BYTES + levels * LEVEL_BYTES + subject.length + recordBytes;
}

function minuteOf(wall: number): number {
  return Math.floor(wall / SWEEP_MS);
}
