// Which of the old messages on flash stay: decisions over one segment after another, oldest first (`thin_after`, `max_age` of a rule).
//
//   older than age   │  ● ○ ○ ● ○ ○ ● ○ ○   interval: the first of each subject in each interval of wall time
//                    │  ○ ○ ○ ○ ○ ○ ○ ○ ●   interval null: the last of each subject
//   younger          │  ● ● ● ● ● ● ● ● ●   all
//
// A message whose time is not known stays. Deciding twice over the same segment gives the same answer, so that a rewrite that the
// disk refused can be tried again. Pure: no disk, no clock. Tests: test/unit/outbox/thinning.test.ts

import type { Millis } from "#base/clock.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordSeq, recordTime } from "#journal/record.ts";
import type { Calendar } from "./calendar.ts";
import { KeptView } from "./kept-message.ts";
import type { Rule } from "./rules.ts";

/** Subjects remembered from one segment to the next; above, messages stay that might have gone. */
const SUBJECTS_MAX = 65_536;

/** Messages of one rule and life that go for one reason. */
export interface Removed {
  readonly reason: "thinned" | "expired";
  readonly rule: number;
  readonly epoch: number;
  /** from, through, from, through … of exactly these, rising. */
  readonly runs: readonly number[];
  readonly messages: number;
}

export interface ThinningRules {
  match(subject: string): Rule | undefined;
}

/** What is remembered of one lane between its segments. */
export class ThinningMemory {
  /** Interval and seq of the message kept last, by subject. */
  readonly kept = new Map<string, { bucket: number; seq: number }>();
  /** The last message of each subject among the old ones, for rules that keep no more. */
  readonly last = new Map<string, number>();
  /** All before it were looked at for `last`. */
  scannedThrough = 0;
}

/** Decisions over one segment. */
export class ThinningPass {
  readonly #rules: ThinningRules;
  readonly #calendar: Calendar;
  readonly #memory: ThinningMemory;
  readonly #view = new KeptView();
  readonly #found = new Map<string, Omit<Removed, "runs" | "messages"> & { readonly runs: number[]; messages: number }>();
  readonly #matches = new Map<string, Rule | undefined>();
  readonly #isSettled: (epoch: number, seq: number) => boolean;

  /** `isSettled`: nobody needs it any more, so it goes without being counted. */
  constructor(
    rules: ThinningRules,
    calendar: Calendar,
    memory: ThinningMemory,
    isSettled: (epoch: number, seq: number) => boolean = () => false,
  ) {
    this.#rules = rules;
    this.#calendar = calendar;
    this.#memory = memory;
    this.#isSettled = isSettled;
  }

  /** What the refused ones come to, by reason and rule. */
  get removed(): readonly Removed[] {
    return [...this.#found.values()];
  }

  /** How many were refused. */
  get messages(): number {
    return this.removed.reduce((sum, { messages }) => sum + messages, 0);
  }

  /** False: the record goes. */
  keep(slab: Buffer, at: number, epoch: number, boot: string | null): boolean {
    if (!this.#view.look(slab, at + RECORD_HEADER_BYTES, bodyBytes(slab, at))) return true; // of a later version, perhaps
    const stamp = recordTime(slab, at);
    const age = this.#calendar.ageOf(stamp, boot);
    if (age === undefined) return true;
    const subject = this.#view.subjectText();
    const rule = this.#ruleOf(subject);
    if (rule === undefined) return true;
    const seq = recordSeq(slab, at);
    if (this.#isSettled(epoch, seq)) return false;
    if (age > rule.maxAge) return this.#refuse("expired", rule, epoch, seq);
    if (rule.thinAfter === null || age <= rule.thinAfter.age) return true;
    const { interval } = rule.thinAfter;
    const stays =
      interval === null ? this.#isLast(subject, seq) : this.#isFirst(subject, seq, this.#bucketOf(stamp, boot, interval));
    return stays || this.#refuse("thinned", rule, epoch, seq);
  }

  /**
   * Looks at a record ahead of the decisions, for rules that keep the last of each subject only: all old records, in order.
   * False: it is young, and so is what follows. `onNewer` hears of the one that was the last of its subject so far.
   */
  scan(slab: Buffer, at: number, boot: string | null, onNewer?: (seq: number) => void): boolean {
    const { last } = this.#memory;
    if (!this.#view.look(slab, at + RECORD_HEADER_BYTES, bodyBytes(slab, at))) return true;
    const subject = this.#view.subjectText();
    const thinAfter = this.#ruleOf(subject)?.thinAfter;
    const age = this.#calendar.ageOf(recordTime(slab, at), boot);
    if (thinAfter == null || thinAfter.interval !== null || age === undefined) return true;
    if (age <= thinAfter.age) return false;
    const before = last.get(subject);
    if (before !== undefined) onNewer?.(before);
    if (before !== undefined || last.size < SUBJECTS_MAX) last.set(subject, recordSeq(slab, at));
    return true;
  }

  /** Which interval of wall time; of time since boot where the calendar was never learnt. */
  #bucketOf(stamp: number, boot: string | null, interval: Millis): number {
    return Math.floor((this.#calendar.wallOf(stamp, boot) ?? stamp) / interval);
  }

  #isFirst(subject: string, seq: number, bucket: number): boolean {
    const { kept } = this.#memory;
    const known = kept.get(subject);
    if (known !== undefined && known.bucket === bucket) return seq <= known.seq;
    if (known !== undefined) {
      known.bucket = bucket;
      known.seq = seq;
      return true;
    }
    if (kept.size >= SUBJECTS_MAX) kept.clear();
    kept.set(subject, { bucket, seq });
    return true;
  }

  #isLast(subject: string, seq: number): boolean {
    const last = this.#memory.last.get(subject);
    return last === undefined || seq >= last;
  }

  #refuse(reason: Removed["reason"], rule: Rule, epoch: number, seq: number): false {
    const key = `${reason} ${rule.index} ${epoch}`;
    const found = this.#found.get(key);
    if (found === undefined) {
      this.#found.set(key, { reason, rule: rule.index, epoch, runs: [seq, seq], messages: 1 });
    } else {
      const { runs } = found;
      if (runs.at(-1) === seq - 1) runs[runs.length - 1] = seq;
      else runs.push(seq, seq);
      found.messages += 1;
    }
    return false;
  }

  #ruleOf(subject: string): Rule | undefined {
    const known = this.#matches.get(subject);
    if (known !== undefined) return known;
    if (this.#matches.size >= SUBJECTS_MAX) this.#matches.clear();
    const rule = this.#rules.match(subject);
    this.#matches.set(subject, rule);
    return rule;
  }
}
