// Subjects whose stream does not store at the moment. Their messages wait, all but one at a time, which goes to see whether it does again.
//
//                  ┌────────────── not stored: wait twice as long ───────────────┐
//                  ▼                                                              │
//   not stored ─▶ shut ── wait over, or a new link ──▶ due ── next of the subject ──▶ out ── stored ──▶ well ──▶ open
//                   │                                ▲  └── nothing of it waits any more ────────────────────▶ open
//                   └─ doubt ───▶ asked: not found ──┘
//                                 asked: the stream has what it did not answer for ──────────────────▶ open
//
// A stream that said nothing may have stored all the same (one that acknowledges nothing, an answer that was lost). So before anything is
// sent again it is asked what it holds: one question for all subjects whose time has come, and no other before it is answered. So is one
// that refuses for now what a link that fell may have brought it, and what was to be sent again while it still knows the ids.
//
// Only the message that was sent to see counts as an answer: what was under way before may still be stored or not.
//
// To become due, and to open, means that the lanes look through what waits from its beginning: the oldest goes first. That is a pass over
// all of it, so one pass serves all whose time has come, and passes take a fifth of the time at most: the next one waits for the end
// of the last, or a minute, and four times as long as it took.
// Tests: test/unit/outbox/streams/suspensions.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { Voice } from "#base/voice.ts";
import { displaySubject } from "#core/subject.ts";
import type { PubAck } from "./pub-ack.ts";

const WAIT_MIN_MS: Millis = 1_000;
const WAIT_MAX_MS: Millis = 60_000;
/** Looked at no more often. */
const TICK_MS: Millis = 1_000;
/** Share of the time that goes into looking through what waits. */
const LOOK_SHARE = 1 / 5;
/** A link that is slow makes a pass long: then others whose stream is back must not wait for its end. */
const PASS_MAX_MS: Millis = 60_000;
/** A message that was let through and of which nothing is heard, not even that its time is over, was never sent. */
const PROBE_LOST_MS: Millis = 30_000;
/** Subjects remembered; above, the one that has been here longest is tried as if it were new. */
const SUSPENDED_MAX = 8192;
/** Shown in status. */
const SHOWN_MAX = 32;

interface Suspension {
  why: string;
  wait: Millis;
  at: "shut" | "asked" | "due" | "out" | "well";
  /** When this state began. */
  since: Millis;
  /** The message that was sent to see, or that was found not to be stored. */
  probeSeq: number;
  /** Some of it was sent and never answered for. */
  isDoubtful: boolean;
}

/** What streams hold of what they did not answer for. */
export interface Told {
  /** The lanes hear of it now: they are about to look through what waits. */
  tellLanes(): void;
  /** Does the stream that takes the subject have this one, and was all of it looked through? */
  isStored(subject: string, seq: number): boolean;
}

/** Looking through what waits: is it going on, and how long has it taken in all? */
export interface Look {
  readonly isOn: boolean;
  readonly ms: Millis;
}

export interface SuspensionsHost {
  /** What becomes of messages on this subject has changed. */
  onChanged(subject: string): void;
  /** Some of what waits may go: look through it from its beginning. */
  onDue(): void;
  look(): Look;
  /** What do the streams of these hold? undefined: nobody can tell. Never rejects. */
  ask?(subjects: readonly string[], signal: AbortSignal): Promise<Told> | undefined;
  /** Is the subject's lane still on its way through what waits? */
  isBehind(subject: string): boolean;
  /** Was some of its lane sent over a link that fell, and not looked for since it was to be sent again in time? */
  isLeft(subject: string): boolean;
}

export interface SuspendedSubject {
  readonly subject: string;
  readonly why: string;
}

export class Suspensions implements Disposable {
  readonly #clock: Clock;
  readonly #voice: Voice;
  readonly #host: SuspensionsHost;
  readonly #subjects = new Map<string, Suspension>();
  /** Their stream stores again, and they open with the next pass. */
  #well: string[] = [];
  #timer: Disposable | undefined;
  #isUp = false;
  /** A question is under way. */
  #asking: AbortController | undefined;
  /** When the last pass began, and what all of them had taken by then. */
  #lookedAt: Millis = Number.NEGATIVE_INFINITY;
  #lookMsBefore: Millis = 0;

  constructor(host: SuspensionsHost, env: { readonly clock: Clock; readonly log: Log }) {
    this.#host = host;
    this.#clock = env.clock;
    this.#voice = new Voice(env.clock, env.log);
  }

  get size(): number {
    return this.#subjects.size;
  }

  /** Its messages are to wait. */
  has(subject: string): boolean {
    return this.#subjects.has(subject);
  }

  /**
   * May this message of a subject that is shut go and see? True of one message for each wait; as often as that one is asked about, since
   * there may have been no room for it.
   */
  mayProbe(subject: string, seq: number): boolean {
    const known = this.#subjects.get(subject);
    if (known?.at === "out") return known.probeSeq === seq;
    if (known?.at !== "due") return false;
    this.#enter(known, "out");
    known.probeSeq = seq;
    return true;
  }

  /**
   * A message of a subject that is shut came in. If its lane has passed all that waited, this one waits at its end: what comes after it
   * must not go to see in its place, so the lane looks through what waits once more.
   */
  onParked(subject: string): void {
    const known = this.#subjects.get(subject);
    if (known?.at !== "due" || this.#host.isBehind(subject)) return;
    known.at = "shut";
    known.since = this.#clock.now() - known.wait;
  }

  /** A stream stored the message, or gave an answer that is final for this message alone: it is there. */
  onStored(subject: string, seq: number): void {
    const known = this.#subjects.get(subject);
    if (known?.at !== "out" || known.probeSeq !== seq) return;
    this.#enter(known, "well");
    this.#well.push(subject);
    if (!this.#mayLook()) return; // the next tick asks again
    this.#openWell();
    this.#look();
  }

  /** `why`: in words, for the owner. */
  onNotStored(subject: string, seq: number, why: string, isSilence = false): void {
    const known = this.#subjects.get(subject);
    if (known === undefined) {
      this.#shut(subject, seq, why, isSilence || this.#host.isLeft(subject));
      return;
    }
    known.why = why;
    known.isDoubtful ||= isSilence;
    if (known.at !== "out" || known.probeSeq !== seq) return; // was under way before it was shut
    known.wait = Math.min(WAIT_MAX_MS, known.wait * 2);
    this.#enter(known, "shut");
    this.#arm();
  }

  /** Those need no stream any more. The lanes are to look through what waits. */
  openWhere(isMeant: (subject: string) => boolean): void {
    for (const subject of [...this.#subjects.keys()]) if (isMeant(subject)) this.#open(subject);
  }

  /** A new link, perhaps to another hub: each subject may try at once. */
  onReady(): void {
    this.#isUp = true;
    this.#well = [];
    this.#lookMsBefore = this.#host.look().ms; // the lanes look through all that waits anyway
    this.#lookedAt = this.#clock.now();
    for (const known of this.#subjects.values()) {
      this.#enter(known, "due");
      known.isDoubtful = true; // the link that fell may have taken answers with it
    }
    this.#arm();
  }

  onDown(): void {
    this.#isUp = false;
    this[Symbol.dispose]();
  }

  /** The first few, for status. */
  list(): readonly SuspendedSubject[] {
    const shown: SuspendedSubject[] = [];
    for (const [subject, { why }] of this.#subjects) {
      if (shown.length >= SHOWN_MAX) break;
      shown.push({ subject: displaySubject(subject), why });
    }
    return shown;
  }

  [Symbol.dispose](): void {
    this.#asking?.abort();
    this.#asking = undefined;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #shut(subject: string, seq: number, why: string, isDoubtful: boolean): void {
    const oldest = this.#subjects.size >= SUSPENDED_MAX ? this.#subjects.keys().next().value : undefined;
    if (oldest !== undefined) this.#open(oldest);
    this.#subjects.set(subject, { why, wait: WAIT_MIN_MS, at: "shut", since: this.#clock.now(), probeSeq: seq, isDoubtful });
    this.#voice.warn("not stored", `outbox: messages wait: ${why}`, { subject: displaySubject(subject) });
    this.#host.onChanged(subject);
    this.#arm();
  }

  #open(subject: string): void {
    this.#subjects.delete(subject);
    this.#host.onChanged(subject);
  }

  #enter(suspension: Suspension, at: Suspension["at"]): void {
    suspension.at = at;
    suspension.since = this.#clock.now();
  }

  #arm(): void {
    if (!this.#isUp || this.#subjects.size === 0) return;
    this.#timer ??= this.#clock.after(TICK_MS, () => {
      this.#timer = undefined;
      this.#tick();
      this.#arm();
    });
  }

  #tick(): void {
    const now = this.#clock.now();
    const mayLook = this.#mayLook();
    let isDue = this.#well.length > 0;
    const doubtful: string[] = [];
    for (const [subject, known] of this.#subjects) {
      const age = now - known.since;
      // Its lane has passed all that waits, and there was nothing of this subject to send.
      if (known.at === "due" && age >= TICK_MS && !this.#host.isBehind(subject)) this.#open(subject);
      else if (mayLook && ((known.at === "shut" && age >= known.wait) || (known.at === "out" && age >= PROBE_LOST_MS))) {
        if (known.at === "shut" && known.isDoubtful && this.#host.ask !== undefined) {
          doubtful.push(subject);
          continue;
        }
        this.#enter(known, "due");
        isDue = true;
      }
    }
    if (doubtful.length > 0 && this.#ask(doubtful)) isDue = true;
    if (!mayLook || !isDue) return;
    this.#openWell();
    this.#look();
  }

  /** True: nobody can tell, so that they are due as they are. */
  #ask(subjects: readonly string[]): boolean {
    if (this.#asking !== undefined) return false; // they stay shut until that is answered
    const ending = new AbortController();
    const answer = this.#host.ask?.(subjects, ending.signal);
    for (const subject of subjects) this.#enter(this.#subjects.get(subject)!, answer === undefined ? "due" : "asked");
    if (answer === undefined) return true;
    this.#asking = ending;
    void answer.then((told) => {
      if (this.#asking !== ending) return; // another link by now, or none
      this.#asking = undefined;
      this.#onTold(subjects, told);
    });
    return false;
  }

  #onTold(subjects: readonly string[], told: Told): void {
    told.tellLanes();
    for (const subject of subjects) {
      const known = this.#subjects.get(subject);
      if (known?.at !== "asked") continue;
      known.isDoubtful = false;
      if (told.isStored(subject, known.probeSeq)) this.#open(subject);
      else this.#enter(known, "due");
    }
    this.#openWell();
    this.#look(); // at once: what was found is forgotten when a lane has caught up
  }

  #openWell(): void {
    for (const subject of this.#well.splice(0)) if (this.#subjects.get(subject)?.at === "well") this.#open(subject);
  }

  #mayLook(): boolean {
    const age = this.#clock.now() - this.#lookedAt;
    const { isOn, ms } = this.#host.look();
    if (isOn && age < PASS_MAX_MS) return false;
    return age >= (ms - this.#lookMsBefore) / LOOK_SHARE;
  }

  #look(): void {
    this.#lookedAt = this.#clock.now();
    this.#lookMsBefore = this.#host.look().ms;
    this.#host.onDue();
  }
}

/** Why a stream's answer means that the messages of a subject wait, in words with a remedy. */
export function whyNotStored(subject: string, answer: Extract<PubAck, { is: "refused" }>): string {
  const shown = displaySubject(subject);
  const said = answer.text === "" ? `code ${answer.code}` : answer.text;
  if (answer.why === "no_stream") return noStream(shown);
  if (answer.why === "no_space")
    return `the stream that takes ${shown} has no room (${said}): raise its limits, or let it discard old messages`;
  if (answer.why === "busy")
    return `the stream that takes ${shown} is behind (${said}): its hub or its disk is slow; we go on as fast as it can`;
  return `the stream that takes ${shown} does not store its messages (${said}): see the log of the hub`;
}

/** Why an answer that does not come means that the messages of a subject wait. */
export function whySilent(subject: string): string {
  return `no stream answers for ${displaySubject(subject)}: ${REMEDY}`;
}

/** Why nothing can be confirmed by a stream over a link on which answers do not reach us. */
export function whyDeaf(): string {
  return "the hub does not let this device hear the answers of streams: let its user subscribe to its inbox, or set confirm: auto";
}

const REMEDY = "make one whose subjects include it (and that acknowledges), or set confirm: auto";

function noStream(shown: string): string {
  return `no stream takes ${shown}: ${REMEDY}`;
}
