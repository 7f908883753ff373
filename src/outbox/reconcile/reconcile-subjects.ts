// The subjects of what may have been sent already, and since when: of the oldest records, which leave first, and of the newest, which
// `live_first` lets pass them. Nothing is under way in between: a link takes a megabyte at most before it wants to hear of it.

import type { Millis, WallMillis } from "#base/clock.ts";
import { isFault } from "#base/errors.ts";
import type { JournalReader } from "#journal/reader.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordBytes, recordTime } from "#journal/record.ts";
import type { Calendar } from "../calendar.ts";
import { KeptView } from "../kept-message.ts";

/** A journal, as far as it is read here. */
export interface DoubtfulJournal {
  readonly records: number;
  readonly lastSeq: number;
  read(fromSeq: number): Pick<JournalReader, "next">;
}

export interface DoubtfulRecords {
  readonly journal: DoubtfulJournal;
  /** Records that are in memory only, the oldest first, until `visit` returns false. */
  forEachStaged?(visit: (slab: Buffer, at: number, seq: number) => boolean): void;
}

/** Records looked at from either end of one journal, and in memory, at most. */
export const DOUBTFUL_MAX = 20_000;
const SUBJECTS_MAX = 20_000;
const READ_BYTES = 256 * 1024;
/** How far back to look when nobody knows since when. */
const UNKNOWN_AGE_MS: Millis = 24 * 3_600_000;
/** Clocks differ: the servers' of a cluster among each other, and ours from theirs by more. */
const HUB_MARGIN_MS: Millis = 60_000;
const OUR_MARGIN_MS: Millis = 300_000;

/** How old the oldest of some records is: nothing of them can have been sent before it was captured. */
export class Oldest {
  #age: Millis = 0;
  #wall: WallMillis = Number.POSITIVE_INFINITY;

  note(stamp: number, boot: string | null, calendar: Calendar): void {
    if (boot !== null && boot === calendar.bootId) {
      this.#age = Math.max(this.#age, calendar.ageOf(stamp, boot) ?? UNKNOWN_AGE_MS);
      return;
    }
    const wall = calendar.wallOf(stamp, boot);
    if (wall === undefined) this.#age = Math.max(this.#age, UNKNOWN_AGE_MS);
    else this.#wall = Math.min(this.#wall, wall);
  }

  add(other: Oldest): void {
    this.#age = Math.max(this.#age, other.#age);
    this.#wall = Math.min(this.#wall, other.#wall);
  }

  /** By the calendar of a hub that shows `now`. Our own may be wrong: what it says of the hub's future is not believed. */
  sinceAt(now: WallMillis): WallMillis {
    const byAge = now - this.#age - HUB_MARGIN_MS;
    if (this.#wall === Number.POSITIVE_INFINITY) return byAge;
    return Math.min(byAge, this.#wall > now + OUR_MARGIN_MS ? now - UNKNOWN_AGE_MS : this.#wall - OUR_MARGIN_MS);
  }

  static of(age: Millis): Oldest {
    const oldest = new Oldest();
    oldest.#age = age;
    return oldest;
  }
}

export class DoubtfulSubjects {
  /** latin1 form. */
  readonly all = new Map<string, Oldest>();
  /** False: there are more, or they could not be read. */
  isWhole = true;
  readonly #calendar: Calendar;
  readonly #view = new KeptView();

  static async of(lanes: readonly DoubtfulRecords[], calendar: Calendar): Promise<DoubtfulSubjects> {
    const subjects = new DoubtfulSubjects(calendar);
    for (const lane of lanes) await subjects.#addLane(lane);
    return subjects;
  }

  private constructor(calendar: Calendar) {
    this.#calendar = calendar;
  }

  async #addLane(lane: DoubtfulRecords): Promise<void> {
    const { journal } = lane;
    let staged = 0;
    lane.forEachStaged?.((slab, at) => {
      this.#add(slab, at, this.#calendar.bootId);
      staged += 1;
      return staged < DOUBTFUL_MAX;
    });
    if (journal.records > 0) await this.#addFrom(journal, 0);
    if (journal.records > DOUBTFUL_MAX) await this.#addFrom(journal, journal.lastSeq - DOUBTFUL_MAX + 1);
  }

  async #addFrom(journal: DoubtfulJournal, fromSeq: number): Promise<void> {
    const reader = journal.read(fromSeq);
    let faults = 0;
    for (let seen = 0; seen < DOUBTFUL_MAX; ) {
      try {
        const read = await reader.next(READ_BYTES);
        if (read === undefined) return;
        for (let at = read.start; at < read.end; at += recordBytes(read.slab, at)) this.#add(read.slab, at, read.boot);
        seen += read.count;
      } catch (error) {
        if (!isFault(error)) throw error;
        faults += 1; // the reader passes over what is refused again and again
        if (faults < 8) continue;
        this.isWhole = false;
        return;
      }
    }
  }

  #add(slab: Buffer, at: number, boot: string | null): void {
    if (!this.#view.look(slab, at + RECORD_HEADER_BYTES, bodyBytes(slab, at))) return;
    const subject = this.#view.subjectText();
    let oldest = this.all.get(subject);
    if (oldest === undefined) {
      if (this.all.size >= SUBJECTS_MAX) {
        this.isWhole = false;
        return;
      }
      oldest = new Oldest();
      this.all.set(subject, oldest);
    }
    oldest.note(recordTime(slab, at), boot, this.#calendar);
  }
}
