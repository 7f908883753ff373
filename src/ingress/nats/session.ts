// One client from its CONNECT on: origin of what it publishes, sink of what it subscribed to.

import type { User } from "#access/authenticator.ts";
import type { Clock, Millis } from "#base/clock.ts";
import type { Batch } from "#core/batch.ts";
import { isRequest, replyOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin, Sink, Subscription, Ticket } from "#core/sink.ts";
import { displaySubject } from "#core/subject.ts";
import type { AccountRouter, Door } from "#router/router.ts";
import {
  errorLine,
  INVALID_SUBJECT,
  noRespondersMessage,
  OK_LINE,
  publishViolation,
  subscriptionViolation,
  TOO_MANY_SUBSCRIPTIONS,
  textMessage,
} from "#wire/client-lines.ts";
import { AnswerPermits } from "./answer-permits.ts";
import type { ConnectRequest } from "./connect-request.ts";
import { LastValueRequests, type LastValues } from "./last-values.ts";
import { writeMessage } from "./message-writer.ts";
import type { Outbound } from "./outbound.ts";
import { OWED_MAX, Publisher } from "./publisher.ts";
import { type NatsSubscription, Subscriptions } from "./subscriptions.ts";

/** How long publishers wait for one slow reader. */
const CROWD_MS: Millis = 250;
/** What may wait for all clients together before publishers wait for each reader they meet: many readers make much out of little. */
const ALL_PENDING_BYTES_MAX = 16 * 1024 * 1024;

/** What a session asks of its connection. */
export interface SessionHost {
  readonly outbound: Outbound;
  readonly maxPending: number;
  hold(reason: "router" | "owed" | "crowd"): void;
  release(reason: "router" | "owed" | "crowd"): void;
  /** More waits for the client than it may leave unread. */
  onSlow(): void;
  /** No answer is owed any more. */
  onSettled(): void;
  readonly clock: Clock;
  userInfo(): string;
  /** Those of its account; undefined: nobody knows any. */
  readonly lastValues: LastValues | undefined;
  tell(about: string, message: string, facts: Readonly<Record<string, unknown>>): void;
}

export class NatsSession implements Origin, Sink {
  readonly kind = "nats";
  readonly label: string;
  readonly user: User;
  readonly request: ConnectRequest;
  readonly publisher: Publisher;
  readonly subscriptions: Subscriptions;
  readonly isDeafToItself: boolean;
  /** Only where the user may answer what it may not publish otherwise. */
  readonly mayRespond: ((subject: string) => boolean) | undefined;
  sent = 0;
  readonly #answers: AnswerPermits | undefined;
  readonly #lastValues: LastValueRequests | undefined;
  readonly #host: SessionHost;
  readonly #door: Door;
  /** Publishers that wait until this client has read more; see `#crowd`. */
  readonly #crowding = new Set<NatsSession>();
  /** It has been waited for in vain: nobody waits for it again until it has caught up. */
  #isForsaken = false;
  #patience: Disposable | undefined;
  #isOpen = true;

  constructor(user: User, account: AccountRouter, request: ConnectRequest, label: string, host: SessionHost) {
    this.user = user;
    this.request = request;
    this.label = label;
    this.#host = host;
    this.isDeafToItself = !request.wantsEcho;
    const { responses } = user.permissions;
    const answers = responses == null ? undefined : new AnswerPermits(responses, () => host.clock.now());
    this.#answers = answers;
    this.mayRespond = answers === undefined ? undefined : (subject) => answers.take(subject);
    this.#door = account.open(this);
    this.subscriptions = new Subscriptions(account, this, user.permissions, user.limits?.subscriptionsMax);
    this.#lastValues = this.#openLastValues(user, host);
    this.publisher = new Publisher(user, {
      publish: (batch) => this.#door.publish(batch),
      answer: (reply, payload) => this.#answer(reply, payload),
      noResponders: (subject, reply) => this.#noResponders(subject, reply),
      onRefused: (subject) => this.#onRefused(subject),
      userInfo: () => host.userInfo(),
      onLastValueRequest: (subject, reply, payload) => {
        if (this.#lastValues === undefined) this.#noResponders(subject, reply);
        else this.#lastValues.take(subject, reply, payload);
      },
    });
  }

  // ── from the client ─────────────────────────────────────────────────────────────────────────────────────────────────

  publish(batch: BatchBuilder, hasHeaders: boolean): void {
    const refused = this.publisher.refused;
    this.publisher.take(batch, hasHeaders);
    this.subscriptions.sweep(); // an answer may have been somebody's last message
    if (this.request.isVerbose && this.publisher.refused === refused) this.#host.outbound.text(OK_LINE); // batches of one
    if (this.publisher.owed >= OWED_MAX) this.#host.hold("owed");
  }

  subscribe(filter: string, queue: string | null, sid: string): void {
    const answer = this.subscriptions.add(filter, queue, sid);
    if (answer === "invalid") this.#refuseSubscription(filter, INVALID_SUBJECT, "the subject is not valid");
    else if (answer === "denied")
      this.#refuseSubscription(filter, subscriptionViolation(filter, queue), "the user's permissions forbid it");
    else if (answer === "too-many") this.#refuseSubscription(filter, TOO_MANY_SUBSCRIPTIONS, "it has too many subscriptions");
    else if (this.request.isVerbose) this.#host.outbound.text(OK_LINE);
  }

  unsubscribe(sid: string, max: number): void {
    this.subscriptions.end(sid, max);
    if (this.request.isVerbose) this.#host.outbound.text(OK_LINE);
  }

  // ── as an origin ────────────────────────────────────────────────────────────────────────────────────────────────────

  mayPublish(subject: string): boolean {
    return this.publisher.mayPublish(subject);
  }

  onDenied(subject: string): void {
    this.publisher.deny(subject);
  }

  /** Dropped or refused, the answer is the same: it is not safe. */
  onNoRoom(_batch: Batch, index: number): void {
    this.publisher.noRoom(index);
  }

  onNoResponders(batch: Batch, index: number): void {
    this.#noResponders(subjectOf(batch, index), replyOf(batch, index));
  }

  onSafe(watermark: Ticket): void {
    if (!this.#isOpen) return;
    this.publisher.onSafe(watermark);
    this.subscriptions.sweep();
    if (this.publisher.owed < OWED_MAX / 2) this.#host.release("owed");
    if (this.publisher.owed === 0) this.#host.onSettled();
  }

  pause(): void {
    this.#host.hold("router");
  }

  resume(): void {
    this.#host.release("router");
  }

  // ── as a sink ───────────────────────────────────────────────────────────────────────────────────────────────────────

  deliver(batch: Batch, index: number, subscriptions: readonly Subscription[], origin: Origin): void {
    if (!this.#isOpen || (origin === this && !this.request.wantsEcho)) return;
    const own = subscriptions as readonly NatsSubscription[]; // a sink is only handed its own
    const { outbound, maxPending } = this.#host;
    for (const subscription of own) {
      if (!subscription.isOpen) continue;
      writeMessage(outbound, batch, index, subscription.sidBytes, this.request.takesHeaders);
      this.sent += 1;
      this.subscriptions.count(subscription);
    }
    if (this.#answers !== undefined && isRequest(batch, index)) this.#answers.note(replyOf(batch, index));
    const { pendingBytes } = outbound;
    if (pendingBytes <= maxPending / 2 && outbound.pendingBytesOfAll <= ALL_PENDING_BYTES_MAX) return;
    if (pendingBytes > maxPending) this.#host.onSlow();
    else if (origin instanceof NatsSession && origin !== this) this.#crowd(origin);
  }

  /** What was gathered goes out at the end of the turn. */
  flush(): void {
    this.subscriptions.sweep();
  }

  // ── for the connection ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The client has read something. */
  onProgress(): void {
    if ((this.#crowding.size === 0 && !this.#isForsaken) || this.#host.outbound.pendingBytes > this.#host.maxPending / 4) return;
    this.#isForsaken = false;
    this.#letCrowdGo();
  }

  /** Nothing is delivered any more; answers that are owed still go out when their messages are safe. */
  quiet(): void {
    this.subscriptions.withdraw();
  }

  /** Ends it. May be called in the middle of a routing pass, so the door is closed behind it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.subscriptions.shut();
    this.publisher.clear();
    this.#lastValues?.[Symbol.dispose]();
    this.#letCrowdGo();
    queueMicrotask(() => {
      this.subscriptions.clear();
      this.#door.close();
    });
  }

  /** A fast publisher waits for a reader that is half full, for a moment: rather a slow stream than a cut one. */
  #crowd(publisher: NatsSession): void {
    if (this.#isForsaken || this.#crowding.has(publisher)) return;
    this.#crowding.add(publisher);
    this.#patience ??= this.#host.clock.after(CROWD_MS, () => {
      this.#isForsaken = true;
      this.#letCrowdGo();
    });
    publisher.#host.hold("crowd");
  }

  /** A publisher that also waits for another reader goes on all the same: the wait is a courtesy. */
  #letCrowdGo(): void {
    this.#patience?.[Symbol.dispose]();
    this.#patience = undefined;
    for (const publisher of this.#crowding) publisher.#host.release("crowd");
    this.#crowding.clear();
  }

  #answer(reply: string, payload: string): void {
    const subscription = this.subscriptions.forReply(reply);
    if (subscription === undefined || !this.#isOpen) return;
    this.#host.outbound.text(textMessage(reply, subscription.sid, payload));
    this.#countAnswer(subscription);
  }

  #openLastValues({ permissions }: User, host: SessionHost): LastValueRequests | undefined {
    if (host.lastValues === undefined) return undefined;
    const { outbound } = host;
    return new LastValueRequests(host.lastValues, {
      subscribe: permissions.subscribe,
      get pendingBytes() {
        return outbound.pendingBytes;
      },
      answer: (reply, headers, payload) => this.#show(reply, headers, payload),
      after: (delay, action) =>
        host.clock.after(delay, () => {
          action();
          this.subscriptions.sweep();
        }),
    });
  }

  /** A message of our own, to whichever of its subscriptions hears `reply`. False: none does. */
  #show(reply: string, headers: Buffer, payload: Buffer): boolean {
    const subscription = this.subscriptions.forReply(reply);
    if (subscription === undefined || !this.#isOpen) return false;
    const batch = new BatchBuilder();
    batch.beginOwn();
    batch.add({ subject: reply, headers, payload, flags: 0 });
    writeMessage(this.#host.outbound, batch, 0, subscription.sidBytes, this.request.takesHeaders);
    this.#countAnswer(subscription);
    return true;
  }

  #noResponders(subject: string, reply: string): void {
    if (!this.request.wantsNoResponders) return;
    const subscription = this.subscriptions.forReply(reply);
    if (subscription === undefined || !this.#isOpen) return;
    this.#host.outbound.text(noRespondersMessage(subject, reply, subscription.sid));
    this.#countAnswer(subscription);
  }

  #countAnswer(subscription: NatsSubscription): void {
    this.sent += 1;
    this.subscriptions.count(subscription);
    if (this.#host.outbound.pendingBytes > this.#host.maxPending) this.#host.onSlow();
  }

  #onRefused(subject: string): void {
    this.#host.outbound.text(errorLine(publishViolation(subject)));
    const facts = { subject: displaySubject(subject), because: "the user's permissions forbid it" };
    this.#host.tell("publish-refused", "message refused", facts);
    if (this.#host.outbound.pendingBytes > this.#host.maxPending) this.#host.onSlow();
  }

  #refuseSubscription(filter: string, text: string, because: string): void {
    this.#host.outbound.text(errorLine(text));
    this.#host.tell("subscription-refused", "subscription refused", { filter: displaySubject(filter), because });
  }
}
