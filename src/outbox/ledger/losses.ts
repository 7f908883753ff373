// Every message that did not make it, by reason: how many and, for kept ones, which. The one place to tell of a loss; the ledger
// behind it remembers. Nothing is allocated for a message that was never kept.

import type { OutboxRule } from "../options.ts";
import type { UrgencyClass } from "../urgency.ts";
import type { Ledger } from "./ledger.ts";
import { type LedgerAddition, type LedgerEntry, type LossReason, type LossTotal, LossTotals, lossKey } from "./ledger-entry.ts";
import { rulesKey } from "./rules-key.ts";

export type { LossReason } from "./ledger-entry.ts";

/** What was lost out of a lane. */
export interface LostRange {
  readonly lane: UrgencyClass;
  readonly fromSeq: number;
  readonly throughSeq: number;
  /** Of the messages' ids. Without it a message that is met twice is counted twice. */
  readonly epoch?: number | null;
}

/** Damage of a journal, as it reports it (journal/damage.ts). */
export interface LostSpan {
  readonly file: string;
  readonly from: number;
  readonly to: number;
  readonly fromSeq: number;
  readonly throughSeq: number | undefined;
}

/** What stands behind it. */
export type LossBook = Pick<
  Ledger,
  | "add"
  | "changeRules"
  | "addDamage"
  | "isTold"
  | "hasTold"
  | "flush"
  | "flushKept"
  | "keepReserve"
  | "totals"
  | "fault"
  | "recent"
  | "onEntry"
> &
  AsyncDisposable;

/** A record takes at least so much on flash, so damage of so many bytes cannot have cost more records than that. */
const RECORD_BYTES_MIN = 8;

export class Losses implements AsyncDisposable {
  readonly #ledger: LossBook;
  /** In this life. */
  readonly #counts = new Map<LossReason, number>();
  /** Ready to be told again. */
  readonly #unkept = new Map<number, LedgerAddition>();

  /** Without a ledger nothing outlives the process. */
  constructor(ledger: LossBook = new MemoryBook()) {
    this.#ledger = ledger;
  }

  /** `range`: where it lay; null for what was never kept. `rule`: index in `outbox.rules`. */
  add(reason: LossReason, messages = 1, range: LostRange | null = null, rule: number | null = null): void {
    this.#counts.set(reason, this.count(reason) + messages);
    if (range === null) this.#ledger.add(this.#unkeptAddition(reason, rule), messages);
    else {
      const { lane, fromSeq, throughSeq, epoch = null } = range;
      this.#ledger.add({ reason, lane, rule, epoch, fromSeq, throughSeq, messages });
    }
  }

  /**
   * The oldest of a lane are about to go: `records` of them, none left up to `throughSeq`. `life`: the journal's epoch. Follow it with
   * `await flush()`, and only then destroy them.
   */
  addPrefix(
    reason: "displaced" | "expired",
    dropped: {
      readonly lane: UrgencyClass;
      readonly fromSeq: number;
      readonly throughSeq: number;
      readonly records: number;
      readonly life: number;
    },
  ): void {
    const { lane, fromSeq, throughSeq, records, life } = dropped;
    this.#counts.set(reason, this.count(reason) + records);
    this.#ledger.add({ reason, lane, rule: null, epoch: life, fromSeq, throughSeq, messages: records, isPrefix: true });
  }

  /** The rules' numbers mean something else from now on. */
  changeRules(rules: readonly OutboxRule[]): void {
    this.#ledger.changeRules(rulesKey(rules));
    this.#unkept.clear();
  }

  /** What a journal has found damaged so far; each place is counted once, over all starts. Call it as often as you like. */
  addDamage(lane: UrgencyClass, spans: readonly LostSpan[]): void {
    for (const { file, from, to, fromSeq, throughSeq = fromSeq } of spans) {
      const messages = Math.max(1, Math.min(throughSeq - fromSeq + 1, Math.floor((to - from) / RECORD_BYTES_MIN)));
      this.#ledger.addDamage(lane, `${lane}/${file}@${from}`, fromSeq, throughSeq, messages);
    }
  }

  /** Was this message told lost before? Then its fate is `discard`, whatever it would be now. */
  isTold(lane: UrgencyClass, epoch: number, seq: number): boolean {
    return this.#ledger.isTold(lane, epoch, seq);
  }

  /** Was any of these? */
  hasTold(lane: UrgencyClass, throughSeq: number): boolean {
    return this.#ledger.hasTold(lane, throughSeq);
  }

  /** Durable, or in memory with `fault` set. Never rejects. */
  flush(): Promise<void> {
    return this.#ledger.flush();
  }

  /** The same for what was kept and is lost; costs nothing where nothing of that kind waits. */
  flushKept(): Promise<void> {
    return this.#ledger.flushKept();
  }

  /** From now on the ledger has room of its own on the disk, whenever there is some to spare. Never rejects. */
  keepReserve(): Promise<void> {
    return this.#ledger.keepReserve();
  }

  /** Why the ledger cannot be written, in words. */
  get fault(): string | null {
    return this.#ledger.fault;
  }

  /** Told in this life, by reason. */
  count(reason: LossReason): number {
    return this.#counts.get(reason) ?? 0;
  }

  /** Since the outbox was made, per reason, lane and rule. */
  list(): readonly LossTotal[] {
    return this.#ledger.totals();
  }

  /** The last of them, oldest first. */
  recent(): readonly LedgerEntry[] {
    return this.#ledger.recent();
  }

  /** Told each new entry of the ledger. */
  onEntry(listener: (entry: LedgerEntry) => void): Disposable {
    return this.#ledger.onEntry(listener);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#ledger[Symbol.asyncDispose]();
  }

  #unkeptAddition(reason: LossReason, rule: number | null): LedgerAddition {
    const key = lossKey(reason, null, rule);
    let addition = this.#unkept.get(key);
    if (addition === undefined) {
      addition = { reason, lane: null, rule, epoch: null, fromSeq: null, throughSeq: null, messages: 1 };
      this.#unkept.set(key, addition);
    }
    return addition;
  }
}

/** Counts, and forgets with the process. */
class MemoryBook implements LossBook {
  readonly fault = null;
  readonly #all = new LossTotals();

  add(addition: LedgerAddition, messages = addition.messages): void {
    this.#all.count(addition, messages, 0);
  }

  changeRules(): void {
    this.#all.forgetRules();
  }

  addDamage(lane: UrgencyClass, _name: string, fromSeq: number, throughSeq: number, messages: number): void {
    this.add({ reason: "corrupted", lane, rule: null, epoch: null, fromSeq, throughSeq, messages });
  }

  isTold(): boolean {
    return false;
  }

  hasTold(): boolean {
    return false;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  flushKept(): Promise<void> {
    return Promise.resolve();
  }

  keepReserve(): Promise<void> {
    return Promise.resolve();
  }

  totals(): readonly LossTotal[] {
    return this.#all.list();
  }

  recent(): readonly LedgerEntry[] {
    return [];
  }

  onEntry(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
