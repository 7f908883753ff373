// What streams say of messages that are to be stored, told to the lane that waits for it and to the subjects that may have to.
//
//   stored ────────────────▶ lane: done and safe
//   refused, for good ─────▶ lane: done, counted as refused
//   refused, for now ──┐
//   silence ───────────┴───▶ lane: held        subject: suspended (suspensions.ts)

import type { Clock, Millis } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { displaySubject } from "#core/subject.ts";
import type { Lane } from "../lane.ts";
import type { LaneSet } from "../lane-set.ts";
import type { Losses } from "../ledger/losses.ts";
import type { Found } from "../reconcile/reconcile.ts";
import type { LookFor } from "../reconcile/reconciling.ts";
import type { Sent } from "../sent-table.ts";
import { CLASSES } from "../urgency.ts";
import type { PubAck } from "./pub-ack.ts";
import { type SuspendedSubject, Suspensions, type Told, whyDeaf, whyNotStored, whySilent } from "./suspensions.ts";

export interface StreamAnswersHost {
  readonly lanes: LaneSet;
  readonly losses: Losses;
  /** What becomes of messages on this subject has changed. */
  onChanged(subject: string): void;
  isBehind(subject: string): boolean;
  laneOf(subject: string): Lane;
  /** Asks streams what they hold. Absent: what they did not answer for is sent again. */
  readonly lookFor?: LookFor | undefined;
  /** Since when some of the lane may be in streams that was to be sent again while they know its ids; Infinity: nothing of that kind. */
  leftSince(lane: Lane): Millis;
  /** Index in `outbox.rules`. */
  ruleOf(subject: string): number | null;
  /** Answers of streams do not reach us, and some rule wants them. */
  isDeaf(): boolean;
  /** Is it still a stream that is to confirm it? */
  wantsStream(subject: string): boolean;
  /** It is about to be done with, and is lost. */
  onLost(lane: Lane, seq: number): void;
  /** The streams may be others than we know. */
  onDoubt(): void;
}

export class StreamAnswers {
  readonly suspensions: Suspensions;
  readonly #host: StreamAnswersHost;
  readonly #log: Log;

  constructor(host: StreamAnswersHost, env: { readonly clock: Clock; readonly log: Log }) {
    this.#host = host;
    this.#log = env.log;
    this.suspensions = new Suspensions(
      {
        onChanged: (subject) => host.onChanged(subject),
        onDue: () => host.lanes.lookAgain(),
        look: () => host.lanes.look,
        isBehind: (subject) => host.isBehind(subject),
        isLeft: (subject) => host.leftSince(host.laneOf(subject)) < Number.POSITIVE_INFINITY,
        ...(host.lookFor === undefined ? {} : { ask: (subjects, signal) => this.#ask(subjects, signal) }),
      },
      env,
    );
  }

  onAnswer(classIndex: number, seq: number, answer: PubAck): void {
    const lane = this.#host.lanes.all[classIndex];
    if (lane === undefined || answer.is === "garbage") return; // no answer of a stream: its time runs on
    if (answer.is === "stored" && this.suspensions.size === 0) {
      lane.onStored(seq); // nearly always, and nothing is made for it
      return;
    }
    const sent = lane.awaiting.get(seq);
    const late = lane.awaiting.late(seq);
    if (answer.is === "stored") lane.onStored(seq);
    if (late !== undefined && answer.is === "refused" && answer.isFinal) this.#onFinal(classIndex, seq, late, answer.text);
    if (sent === undefined) return; // late: its subject is suspended already
    const { subject } = sent;
    if (answer.is === "refused" && !answer.isFinal) {
      if (answer.why === "busy") lane.awaiting.onOverrun(seq);
      lane.onNotStored(seq);
      this.#onNotStored(subject, seq, whyNotStored(subject, answer), false);
      return;
    }
    if (answer.is === "refused") this.#onFinal(classIndex, seq, sent, answer.text);
    this.suspensions.onStored(subject, seq); // whatever it said of this one, the stream is there
  }

  #onFinal(classIndex: number, seq: number, { subject, epoch }: Sent, text: string): void {
    const lane = this.#host.lanes.all[classIndex]!;
    this.#host.onLost(lane, seq);
    lane.onRefused(seq);
    this.#tell(subject, text);
    const where = { lane: CLASSES[classIndex]!, fromSeq: seq, throughSeq: seq, epoch };
    this.#host.losses.add("refused", 1, where, this.#host.ruleOf(subject));
  }

  /** No answer came in time. */
  onSilence(subject: string, seq: number): void {
    this.#onNotStored(subject, seq, whySilent(subject), true);
  }

  #onNotStored(subject: string, seq: number, why: string, isSilence: boolean): void {
    if (this.#host.wantsStream(subject)) {
      this.suspensions.onNotStored(subject, seq, why, isSilence);
      this.#host.onDoubt();
    } else this.#host.lanes.lookAgain(); // its stream is gone since it was sent: it goes without
  }

  #ask(subjects: readonly string[], signal: AbortSignal): Promise<Told> | undefined {
    const { lanes, leftSince } = this.#host;
    const sinceMs = Math.min(lanes.doubt()?.sinceMs ?? Number.POSITIVE_INFINITY, ...lanes.all.map(leftSince));
    if (sinceMs === Number.POSITIVE_INFINITY) return undefined;
    return this.#host.lookFor?.(subjects, sinceMs, signal)?.then((found) => this.#told(found));
  }

  #told({ isWhole, ids }: Found): Told {
    const { lanes } = this.#host;
    return {
      tellLanes: () => {
        for (const { classIndex, epoch, seqs } of ids) lanes.all[classIndex]!.onFoundInStream(epoch, seqs);
      },
      isStored: (subject, seq) => {
        const at = lanes.all.indexOf(this.#host.laneOf(subject));
        return isWhole && ids.some(({ classIndex, seqs }) => classIndex === at && seqs.has(seq));
      },
    };
  }

  /** Subjects whose messages wait for a stream, the first few, with the reason in words. */
  list(): readonly SuspendedSubject[] {
    const suspended = this.suspensions.list();
    return this.#host.isDeaf() ? [{ subject: ">", why: whyDeaf() }, ...suspended] : suspended;
  }

  /** The stream will never take this one: it is not held for ever. Said once, counted each time. */
  #tell(subject: string, text: string): void {
    if (this.#host.losses.count("refused") > 0) return;
    const facts = { subject: displaySubject(subject), because: text };
    this.#log.warn("outbox: a stream refuses a message for good; it is dropped and counted", facts);
  }
}
