// Carries out what thinning.ts decides: one segment at a time, the least urgent class first, and counts what went.
//
//   by the clock, and soon again while there is something to do ──┐
//   a limit is reached ───────────────────────────────────────────┴─▶ next old segment of a lane ─▶ decide ─▶ count ─▶ rewrite
//
// Tests: test/unit/outbox/retention.test.ts, test/integration/rules.test.ts

import type { Millis } from "#base/clock.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { recordBytes, recordSeq } from "#journal/record.ts";
import { type Calendar, isExpired } from "./calendar.ts";
import type { Lane } from "./lane.ts";
import type { Losses } from "./ledger/losses.ts";
import type { RuleBook } from "./rules.ts";
import { ThinningMemory, ThinningPass } from "./thinning.ts";
import { CLASSES, type UrgencyClass } from "./urgency.ts";

const PERIOD_MIN_MS: Millis = 1_000;
const PERIOD_MAX_MS: Millis = 3_600_000;
/** Segments looked at in one go, at most: commits must not wait for more. */
const SEGMENTS_MAX = 4;
const READ_BYTES = 256 * 1024;

interface ThinnedLane {
  readonly urgency: UrgencyClass;
  /** A segment is looked at when all of it is older. */
  readonly age: Millis;
  /** Some rule of the class keeps the last of each subject only: which is that must be known before anything goes. */
  readonly wantsLast: boolean;
  readonly memory: ThinningMemory;
}

export interface ThinnerEnv {
  readonly log: Log;
  readonly calendar: Calendar;
}

export class Thinner {
  readonly #rules: RuleBook;
  readonly #losses: Losses;
  readonly #env: ThinnerEnv;
  /** By index of CLASSES; undefined: nothing of the class is ever looked at alone. */
  #lanes: readonly (ThinnedLane | undefined)[];
  #fault: string | null = null;

  constructor(rules: RuleBook, losses: Losses, env: ThinnerEnv) {
    this.#rules = rules;
    this.#losses = losses;
    this.#env = env;
    this.#lanes = thinnedLanes(rules);
  }

  /** The rules are others: what was remembered of subjects was theirs. */
  onRulesChanged(): void {
    this.#lanes = thinnedLanes(this.#rules);
  }

  /** How often to look for work; undefined: no rule ever asks for any. */
  get period(): Millis | undefined {
    const ages = this.#lanes.flatMap((lane) => lane?.age ?? []);
    return ages.length === 0 ? undefined : Math.max(PERIOD_MIN_MS, Math.min(PERIOD_MAX_MS, Math.min(...ages) / 4));
  }

  /** `lanes`: all, the most urgent first. True: some messages went, and there may be more of them. */
  async thinOne(lanes: readonly Lane[]): Promise<boolean> {
    for (let i = lanes.length - 1; i >= 0; i--) {
      const thinned = this.#lanes[i];
      // A backlog that leaves needs no thinning.
      if (thinned === undefined || lanes[i]!.isBehind) continue;
      for (let segments = 0; segments < SEGMENTS_MAX; segments++) {
        const messages = await this.#thin(lanes[i]!, thinned);
        if (messages === undefined) break;
        if (messages > 0) return true;
      }
    }
    return false;
  }

  /** How many messages went; undefined: no segment is left to look at, or the disk refuses. */
  async #thin(lane: Lane, thinned: ThinnedLane): Promise<number | undefined> {
    const { calendar, log } = this.#env;
    const { urgency, memory } = thinned;
    const isSettled = (epoch: number, seq: number) => lane.givingUp.isSettled(seq) || this.#losses.isTold(urgency, epoch, seq);
    const pass = new ThinningPass(this.#rules, calendar, memory, isSettled);
    let messages = 0;
    try {
      if (thinned.wantsLast) await scan(lane, memory, pass);
      const isOld = (newest: number, boot: string | null) => isExpired(calendar, newest, boot, thinned.age);
      const keep = (slab: Buffer, at: number, epoch: number, boot: string | null) => pass.keep(slab, at, epoch, boot);
      let isBusy = false;
      const dropped = await lane.journal.rewriteOldest(isOld, keep, async ({ throughSeq }) => {
        // What is on its way to the hub must not be counted as gone: a link may have come up since we began.
        isBusy = lane.isBehind || lane.givingUp.isUnderWay(throughSeq);
        if (!isBusy) messages = await this.#count(lane, urgency, pass);
        return !isBusy;
      });
      if (dropped === undefined || isBusy) return undefined;
      if (dropped.records === 0) return 0; // nothing was refused, or the segment has gone meanwhile
      for (const { runs } of pass.removed) lane.givingUp.onGone(runs);
    } catch (error) {
      if (!isFault(error)) throw error;
      // A full card has no room for the copy; then the oldest go as a whole.
      if (this.#fault === null) log.warn("outbox: old messages could not be thinned", { error: explain(error) });
      this.#fault = explain(error);
      return undefined;
    }
    this.#fault = null;
    return messages;
  }

  /** Every loss has its line before it happens. What the hub got while the copy was made is none. */
  async #count(lane: Lane, urgency: UrgencyClass, { removed }: ThinningPass): Promise<number> {
    let messages = 0;
    for (const { reason, rule, epoch, runs } of removed) {
      for (let i = 0; i < runs.length; i += 2) {
        for (let seq = runs[i]!; seq <= runs[i + 1]!; seq++) {
          if (lane.givingUp.isSettled(seq)) continue;
          this.#losses.add(reason, 1, { lane: urgency, fromSeq: seq, throughSeq: seq, epoch }, rule);
          messages += 1;
        }
      }
    }
    await this.#losses.flush();
    return messages;
  }
}

/** Reads on from where the last scan ended until the messages become young. */
async function scan(lane: Lane, memory: ThinningMemory, pass: ThinningPass): Promise<void> {
  const reader = lane.journal.read(memory.scannedThrough + 1);
  for (;;) {
    const read = await reader.next(READ_BYTES);
    if (read === undefined) return;
    for (let at = read.start; at < read.end; at += recordBytes(read.slab, at)) {
      if (!pass.scan(read.slab, at, read.boot, (seq) => lane.journal.reconsider(seq))) return;
      memory.scannedThrough = recordSeq(read.slab, at);
    }
  }
}

function thinnedLanes(rules: RuleBook): readonly (ThinnedLane | undefined)[] {
  return CLASSES.map((urgency) => {
    const age = rules.lookAtAge(urgency);
    if (age === undefined) return undefined;
    const wantsLast = rules.all.some((rule) => rule.class === urgency && rule.thinAfter?.interval === null);
    return { urgency, age, wantsLast, memory: new ThinningMemory() };
  });
}
