// Retained messages of the hub's own MQTT and ours, kept alike (`mqtt.hub_mqtt.retained`).
//
//   a retained PUBLISH here ──▶ hub-copies.ts ──▶ outbox ──▶ stream at the hub ──▶ hub-feed.ts ──▶ here: our own, no news
//   one at the hub ───────────────────────────────────────▶ stream at the hub ──▶ hub-feed.ts ──▶ retained here
//
// The order of the stream is the hub's truth. What comes from it is taken over, but for a subject of which one of ours is still on its way:
// that will be the later one. After a break all comes anew, and for each subject the younger one wins: ours is told to the hub again. What
// came from the hub and is not there any more was cleared; so was one of ours that this very stream has shown us. What is only here otherwise
// was never told, or the stream is another one now, and is told.
// Tests: test/conformance/mqtt/hub-retained.test.ts, test/integration/mqtt-hub.test.ts

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { flagsFor } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { isValidSubject } from "#core/subject.ts";
import { expiryOf } from "./headers-to-properties.ts";
import { askForConsumer, HUB_RETAINED_STREAM, HubFeed, type HubFeedDeps, type HubRecord, type HubStream } from "./hub-feed.ts";
import { decodeHubRecord, encodeHubRecord, type HubRetainedMessage } from "./hub-record.ts";
import type { KeptMessage } from "./message.ts";
import type { RetainedStore } from "./retained.ts";
import { isNameable } from "./topic.ts";

/** Whose room messages of the hub take: no user is named like this. */
export const HUB_OWNER = " hub";
/** How long one of ours may be on its way before it counts as lost, … */
const UNDER_WAY_MS: Millis = 60_000;
/** … and how many are remembered. */
const UNDER_WAY_MAX = 4096;
/** Of how many of ours it is remembered that the hub had them; others are told again where they are missing. */
const SHOWN_MAX = 65_536;
const RETAINED = "$MQTT.rmsgs.";
const FIRST_LINE = "NATS/1.0\r\n";
const EMPTY = Buffer.alloc(0);

export interface HubRetainedDeps extends HubFeedDeps {
  readonly store: RetainedStore;
  readonly origin: string;
  readonly comeDown: boolean;
  readonly goUp: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export class HubRetained implements Disposable {
  readonly #deps: HubRetainedDeps;
  readonly #feed: HubFeed;
  /** Ours that the hub has not shown us yet: how many of each subject, and the time of the last one. */
  readonly #underWay = new Map<string, { count: number; since: Millis }>();
  /** Ours that this very stream has shown us as they are here, by their number in it. */
  readonly #shown = new Map<string, number>();
  /** When that stream was made; null: it is not known which one it is. */
  #created: string | null = null;
  #trouble: string | null = null;
  /** What the hub has, while all of it comes. */
  #seen: Set<string> | undefined;

  constructor(deps: HubRetainedDeps) {
    this.#deps = deps;
    this.#feed = new HubFeed(deps, {
      onBegin: () => {
        this.#seen = new Set();
        this.#underWay.clear();
      },
      onRecord: (record) => this.#onRecord(record),
      onStream: (stream) => this.#onStream(stream),
      onWhole: () => this.#onWhole(),
      onCleared: (subject) => this.#onCleared(subject),
      onTrouble: (words) => this.#tellTrouble(words),
      onUnheard: () => this.#tellUnheard(),
    });
  }

  [Symbol.dispose](): void {
    this.#feed[Symbol.dispose]();
  }

  get isFollowing(): boolean {
    return this.#feed.isFollowing;
  }

  /** Why it is not followed, as far as the hub said so; null: nothing says that it cannot be. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** A copy of what is retained on `subject` now goes to the hub. */
  onSent(subject: string): void {
    this.#shown.delete(subject);
    if (!this.#deps.goUp) return;
    if (this.#underWay.size >= UNDER_WAY_MAX) this.#underWay.clear();
    const count = this.#isUnderWay(subject) ? this.#underWay.get(subject)!.count : 0;
    this.#underWay.set(subject, { count: count + 1, since: this.#deps.clock.now() });
  }

  #tellUnheard(): void {
    const found = this.#deps.hubs(askForConsumer);
    const denied = found.find(({ takes }) => takes === "denied");
    const absent = found.find(({ takes }) => takes === "absent");
    if (denied !== undefined) this.#tellTrouble(`hub ${denied.hub} does not let us ask its JetStream ($JS.API.>)`);
    else if (absent !== undefined) this.#tellTrouble(`hub ${absent.hub} has no JetStream for our account`);
  }

  #tellTrouble(words: string | null): void {
    if (words === this.#trouble) return;
    const { account, log } = this.#deps;
    this.#trouble = words;
    if (words === null) log.info("the hub lets us follow its retained messages again", { account: account.name });
    else {
      const facts = { account: account.name, because: words };
      log.warn("retained messages do not travel: the hub does not let us follow its own", facts);
    }
  }

  #onRecord(record: HubRecord): void {
    const { subject } = record;
    const { origin, comeDown, goUp } = this.#deps;
    const isNews = this.#seen === undefined;
    this.#seen?.add(subject);
    const found = decodeHubRecord(record.headers, record.payload);
    if (found === undefined || !isValidSubject(subject)) return;
    if (found.origin === origin) {
      const isAsHere = this.#isAsHere(subject, found);
      if (isNews) this.#onArrived(subject, isAsHere);
      if (isAsHere && found.payload.length > 0) this.#note(record);
      if (!isNews && goUp && !isAsHere) this.#tell(subject);
      else if (found.payload.length === 0) this.#clearAtHub(record);
      return;
    }
    if (isNews ? this.#isUnderWay(subject) : this.#isYoungerHere(record)) {
      if (!isNews && goUp) this.#tell(subject);
    } else if (comeDown) this.#takeOver(record, found);
  }

  /** Another hub's stream, or one that was set back to what it was before, has lost what was shown: nobody has cleared it. */
  #onStream(stream: HubStream | null): void {
    const created = stream?.created ?? null;
    if (created === null || created !== this.#created) this.#shown.clear();
    this.#created = created;
    for (const [subject, seq] of this.#shown) if (seq > stream!.lastSeq) this.#shown.delete(subject);
  }

  /** It is not there at the hub, though all has come: it was cleared there, or never told. */
  #onWhole(): void {
    const seen = this.#seen;
    this.#seen = undefined;
    if (seen === undefined) return;
    const { store, comeDown, goUp } = this.#deps;
    for (const { message, owner } of [...store.all()]) {
      if (seen.has(message.subject)) continue;
      if (owner === HUB_OWNER) {
        if (comeDown) store.delete(message.subject, "soon");
      } else if (comeDown && this.#created !== null && this.#shown.has(message.subject)) store.delete(message.subject, "soon");
      else if (goUp) this.#tell(message.subject);
    }
    for (const subject of this.#shown.keys()) if (!seen.has(subject)) this.#shown.delete(subject);
  }

  #note({ subject, seq }: HubRecord): void {
    if (this.#shown.size < SHOWN_MAX || this.#shown.has(subject)) this.#shown.set(subject, seq);
  }

  #onCleared(subject: string): void {
    const { store, comeDown } = this.#deps;
    if (!comeDown || !isValidSubject(subject) || this.#isUnderWay(subject) || this.#isUnseen(subject)) return;
    this.#shown.delete(subject);
    store.delete(subject, "soon");
  }

  #takeOver({ subject, headers, storedWall }: HubRecord, { qos, payload }: HubRetainedMessage): void {
    if (subject.startsWith("$") || !isNameable(subject, true)) return;
    const own = withoutRecordLines(headers);
    const seconds = expiryOf(own, 0, own.length);
    const deadlineWall = seconds < 0 ? 0 : storedWall + seconds * 1000;
    const message: KeptMessage = { subject, payload, headers: own, reply: "", qos, isRetained: true, deadlineWall };
    this.#shown.delete(subject);
    this.#deps.store.put(message, HUB_OWNER);
  }

  /** nats-server 2.10 takes an empty record for a message; all of them let one be cleared this way. */
  #clearAtHub({ subject, seq }: HubRecord): void {
    if (!this.#deps.goUp) return;
    this.#feed.tell(`$JS.API.STREAM.MSG.DELETE.${HUB_RETAINED_STREAM}`, JSON.stringify({ seq, no_erase: true }));
    const shown = Buffer.from(subject, "latin1").toString("utf8");
    this.#feed.tell(`$MQTT.JSA.${this.#deps.origin}.RD`, JSON.stringify({ subject: shown, seq }));
  }

  /** What is retained here now, to the hub. */
  #tell(subject: string): void {
    const { store, origin } = this.#deps;
    const message = store.get(subject)?.message;
    const qos = message?.qos ?? 1;
    const record = encodeHubRecord({ subject, qos, payload: message?.payload ?? EMPTY }, origin);
    const batch = new BatchBuilder();
    batch.beginOwn();
    const headers = message?.headers ?? EMPTY;
    batch.add({ subject: RETAINED + subject, headers, payload: record, flags: flagsFor(qos, qos > 0, false) });
    this.onSent(subject);
    this.#feed.publish(batch);
  }

  #isAsHere(subject: string, { payload }: HubRetainedMessage): boolean {
    const here = this.#deps.store.get(subject)?.message;
    return here === undefined ? payload.length === 0 : here.payload.equals(payload);
  }

  #isYoungerHere({ subject, storedWall }: { readonly subject: string; readonly storedWall: WallMillis }): boolean {
    const { store } = this.#deps;
    const here = store.get(subject);
    return here !== undefined && store.ownerOf(subject) !== HUB_OWNER && here.retainedWall > storedWall;
  }

  /** One of ours that the hub has not shown yet: what it cleared was an earlier one. */
  #isUnseen(subject: string): boolean {
    const owner = this.#deps.store.ownerOf(subject);
    return this.#deps.goUp && owner !== HUB_OWNER && !this.#shown.has(subject) && this.#shown.size < SHOWN_MAX;
  }

  #isUnderWay(subject: string): boolean {
    const sent = this.#underWay.get(subject);
    return sent !== undefined && this.#deps.clock.now() - sent.since < UNDER_WAY_MS;
  }

  /** One of ours has its place in the stream; what comes behind the last of them is younger. The stream shows the last one, and perhaps others. */
  #onArrived(subject: string, isLast: boolean): void {
    const sent = this.#underWay.get(subject);
    if (sent === undefined) return;
    sent.count -= 1;
    if (isLast || sent.count <= 0) this.#underWay.delete(subject);
  }
}

/** The header block as it was before it became a record; empty when there was none. */
function withoutRecordLines(headers: Buffer): Buffer {
  const lines = headers.latin1Slice(0, headers.length).split("\r\n").slice(1);
  const own = lines.filter(
    (line) => line !== "" && !/^(?:Nmqtt-R(?:Topic|Flags|Origin|Source):|Nmqtt-Pub:|Nats-|Petiole-)/i.test(line),
  );
  return own.length === 0 ? EMPTY : Buffer.from(`${FIRST_LINE}${own.join("\r\n")}\r\n\r\n`, "latin1");
}
