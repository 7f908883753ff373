// How the ack of a publisher waits for the broker's own store: seen from the router, kept sessions are an upstream of their account.
//
//   routing pass, per message:   session.deliver ─▶ mail.noteStaged(mark)         (sinks come first)
//                                upstream.take   ─▶ "staged", if anything was     (then upstreams)
//   end of the pass:             upstream.flush  ─▶ ticket waits for the mark
//   store is safe so far:        slot.onSafe(ticket) ─▶ PUBACK, NATS reply
//
// Its plan is null, and the message passes it by, where no kept session subscribed. It sends nothing to any hub.

import type { Batch } from "#core/batch.ts";
import { InterestTrie } from "#core/interest.ts";
import type { Origin, Plan, Subscription, Taken, Ticket, Upstream } from "#core/sink.ts";
import type { AccountRouter } from "#router/router.ts";
import type { UpstreamSlot } from "#router/upstream-slot.ts";
import type { Mark } from "./keeping.ts";
import type { Mail } from "./mail.ts";
import type { SafetyQueue } from "./safety-queue.ts";

const PLAN: Plan = Object.freeze({});

/** Nothing comes from here: the router wants a name for what would. */
const NOBODY: Origin = {
  kind: "mqtt",
  label: "mqtt sessions",
  mayPublish: () => false,
  onDenied: () => undefined,
  onSafe: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};

export class SessionUpstream implements Upstream, Disposable {
  readonly origin = NOBODY;
  readonly isFull = false;
  readonly #interest = new InterestTrie<Subscription>();
  readonly #mail: Mail;
  readonly #safety: SafetyQueue;
  readonly #slot: UpstreamSlot;
  #ticket: Ticket = 0;
  #mark: Mark = 0;

  constructor(account: AccountRouter, mail: Mail, safety: SafetyQueue) {
    this.#mail = mail;
    this.#safety = safety;
    this.#slot = account.addUpstream(this);
  }

  /** A subscription of a kept session. Before the account hears of it. */
  add(subscription: Subscription): void {
    this.#interest.insert(subscription.filter, subscription);
  }

  remove(subscription: Subscription): void {
    this.#interest.remove(subscription.filter, subscription);
  }

  plan(subject: string): Plan | null {
    return this.#interest.hasMatch(subject) ? PLAN : null;
  }

  take(_batch: Batch, _index: number, _plan: Plan, ticket: Ticket): Taken {
    const mark = this.#mail.takeStaged();
    if (this.#mail.takeRefused()) return "refused";
    if (mark === 0) return "passed";
    this.#ticket = ticket;
    this.#mark = Math.max(this.#mark, mark);
    return "staged";
  }

  hears(): boolean {
    return false;
  }

  flush(): void {
    this.#mail.settle();
    if (this.#ticket === 0) return;
    const ticket = this.#ticket;
    const mark = this.#mark;
    this.#ticket = 0;
    this.#mark = 0;
    // Never from inside the pass: a store that is safe at once would answer before the publisher knows its ticket.
    if (this.#safety.isSafe(mark)) queueMicrotask(() => this.#slot.onSafe(ticket));
    else this.#safety.when(mark, () => this.#slot.onSafe(ticket));
  }

  [Symbol.dispose](): void {
    this.#slot[Symbol.dispose]();
  }
}
