// Tells the hub of losses: each new entry of an outbox's ledger as one JSON message on `$PETIOLE.<server_name>.ledger`.
//
//   ledger ─ entry ─▶ queue ─ one a second ─▶ router ─┬─▶ local subscribers of the account
//                                                     └─▶ link, while it is ready and the hub listens
//
// Live, never kept: what a hub did not hear it finds in the totals of the next message, and in status. Nobody but the spoke publishes
// below `$PETIOLE.` (router/router.ts). Tests: test/unit/ledger-feed.test.ts, test/integration/ledger.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { timestamp } from "#base/clock.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin } from "#core/sink.ts";
import { toSubject } from "#core/subject.ts";
import type { LedgerEntry } from "#outbox/ledger/ledger-entry.ts";
import type { Losses } from "#outbox/ledger/losses.ts";
import type { AccountRouter, Door } from "#router/router.ts";

const SPACING_MS: Millis = 1000;
/** Entries that wait for their turn; the oldest are left out beyond that, and the next message says how many. */
const QUEUE_MAX = 64;
/** Runs shown in a message; more than that: the ends alone. */
const RUNS_MAX = 32;

export interface LedgerFeedParts {
  readonly losses: Losses;
  readonly account: AccountRouter;
  readonly serverName: string;
  /** Whose outbox it is. */
  readonly remote: string;
}

/** What a URL would leave as it is. */
const UNRESERVED: Readonly<Record<string, string>> = { ".": "%2E", "*": "%2A" };

/** Where a spoke tells of its losses. A name may hold anything: what a token may not is written as in a URL. */
export function ledgerSubject(serverName: string): string {
  const token = serverName.replaceAll(/[\p{Cc}\s.*>%]/gu, (c) =>
    encodeURIComponent(c).replace(/^[.*]$/, (mark) => UNRESERVED[mark]!),
  );
  return `$PETIOLE.${toSubject(token)}.ledger`;
}

export class LedgerFeed implements Disposable {
  readonly #parts: LedgerFeedParts;
  readonly #clock: Clock;
  readonly #subject: string;
  readonly #door: Door;
  readonly #listening: Disposable;
  readonly #batch = new BatchBuilder();
  #queue: LedgerEntry[] = [];
  #leftOut = 0;
  #timer: Disposable | undefined;
  #nextAt: Millis = 0;

  constructor(parts: LedgerFeedParts, clock: Clock) {
    this.#parts = parts;
    this.#clock = clock;
    this.#subject = ledgerSubject(parts.serverName);
    const origin: Origin = {
      kind: "host",
      label: `ledger of ${parts.remote}`,
      mayPublish: (subject) => subject === this.#subject,
      onDenied: () => undefined,
      onSafe: () => undefined, // never kept
      pause: () => undefined, // one message a second
      resume: () => undefined,
    };
    this.#door = parts.account.open(origin);
    this.#listening = parts.losses.onEntry((entry) => this.#onEntry(entry));
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#queue = [];
    this.#door.close();
  }

  #onEntry(entry: LedgerEntry): void {
    this.#queue.push(entry);
    if (this.#queue.length > QUEUE_MAX) {
      this.#queue.shift();
      this.#leftOut += 1;
    }
    this.#timer ??= this.#clock.after(this.#nextAt - this.#clock.now(), () => this.#send());
  }

  #send(): void {
    this.#timer = undefined;
    const entry = this.#queue.shift();
    if (entry === undefined) return;
    const payload = Buffer.from(JSON.stringify(this.#message(entry)));
    this.#leftOut = 0;
    this.#batch.beginOwn();
    this.#batch.add({ subject: this.#subject, payload, flags: 0 });
    this.#door.publish(this.#batch);
    this.#nextAt = this.#clock.now() + SPACING_MS;
    if (this.#queue.length > 0) this.#timer = this.#clock.after(SPACING_MS, () => this.#send());
  }

  #message(entry: LedgerEntry): object {
    const { reason, lane, rule, epoch, messages, fromSeq, throughSeq, runs } = entry;
    const total = this.#parts.losses.list().find((each) => each.reason === reason && each.lane === lane && each.rule === rule);
    const ranges = runs !== null && runs.length <= RUNS_MAX * 2 ? pairs(runs) : null;
    return {
      server_name: this.#parts.serverName,
      remote: this.#parts.remote,
      account: this.#parts.account.name,
      entry: entry.number,
      reason,
      class: lane,
      rule,
      epoch,
      messages,
      from_seq: fromSeq,
      through_seq: throughSeq,
      ...(ranges === null ? {} : { ranges }),
      first_time: timestamp(entry.firstTime),
      last_time: timestamp(entry.lastTime),
      total: total?.messages ?? messages,
      ...(this.#leftOut === 0 ? {} : { left_out: this.#leftOut }),
    };
  }
}

function pairs(runs: readonly number[]): readonly (readonly number[])[] {
  return Array.from({ length: runs.length / 2 }, (_, i) => [runs[i * 2]!, runs[i * 2 + 1]!]);
}
