// Decides whether the calendar is to be believed, and how far. Pure: handed two numbers now and then, it touches nothing.
//
//        floor ──────────── line ─────────────────── now + offset ────────────▶ ceiling
//   "at least this,     the floor, risen by         what we tell the hub        no calendar
//    an earlier life     what has surely passed                                  beyond it
//    was sure of it"     since: ages go by it
//                        until the calendar has
//                        held still for an hour
//
// Why each rule is as it is: README.md.

import type { Millis, WallMillis } from "./clock.ts";
import { clockAdvice, EARLIEST_WALL_MS, instantText } from "./wall-clock.ts";

const HOUR_MS: Millis = 3_600_000;
const DAY_MS: Millis = 24 * HOUR_MS;
const WEEK_MS: Millis = 7 * DAY_MS;

/** No calendar beyond this is believed: twenty years. */
const CEILING: WallMillis = EARLIEST_WALL_MS + 7305 * DAY_MS;
/** Smaller changes are the time between two reads of two clocks. */
const JITTER_MS: Millis = 50;
/** Larger changes are a step, which somebody has made. */
const STEP_MS: Millis = 2000;
/** A calendar that held still for so long may expire messages of earlier boots and raise the floor. */
const STEADY_MS: Millis = HOUR_MS;
/** The floor stays this far behind the calendar, so that one which ran ahead by a time zone may come back. */
const SLACK_MS: Millis = DAY_MS;
/** A calendar that is further ahead of what we know … */
const LEAP_MS: Millis = WEEK_MS;
/** … must hold still for so long before it counts for the floor and for ages. */
const LEAP_STEADY_MS: Millis = WEEK_MS;

/** What a boot knew. */
export interface BootTime {
  readonly id: string;
  /** Wall time at its instant 0. */
  readonly offset: WallMillis;
  /** The instant since which that holds. */
  readonly since: Millis;
  /** The last instant at which it was looked at. */
  readonly seen: Millis;
}

/** What is remembered from life to life. */
export interface TimeMemory {
  readonly floor: WallMillis;
  /** For how long a calendar that leads by more than LEAP_MS has held still. */
  readonly leapMs: Millis;
  /** The oldest first. */
  readonly boots: readonly BootTime[];
}

export const NO_MEMORY: TimeMemory = { floor: EARLIEST_WALL_MS, leapMs: 0, boots: [] };

export type Seen = "nothing new" | "learnt" | "adjusted" | "stepped";

export class ClockTrust {
  /** Wall time at instant 0 of this boot; undefined: not known. */
  offset: WallMillis | undefined;
  /** What the calendar shows that cannot be; undefined: it is believed. */
  doubted: WallMillis | undefined;
  #since: Millis;
  #floor: WallMillis;
  #floorAt: Millis;
  #leapMs: Millis;

  /** `known`: what an earlier process of this boot found out. */
  constructor(memory: TimeMemory, known: BootTime | undefined, now: Millis) {
    const floor = Math.max(memory.floor, EARLIEST_WALL_MS);
    this.#floor = floor <= CEILING ? floor : EARLIEST_WALL_MS;
    this.#floorAt = now;
    this.#leapMs = memory.leapMs;
    this.offset = known?.offset;
    this.#since = known?.since ?? now;
  }

  get floor(): WallMillis {
    return this.#floor;
  }

  get leapMs(): Millis {
    return this.#leapMs;
  }

  get since(): Millis {
    return this.#since;
  }

  look(now: Millis, wall: WallMillis): Seen {
    const isCredible = wall >= this.#line(now) - STEP_MS && wall <= CEILING; // false for NaN, too
    this.doubted = isCredible ? undefined : wall;
    if (!isCredible) return "nothing new";
    const before = this.offset;
    const offset = wall - now;
    if (before !== undefined && Math.abs(offset - before) <= JITTER_MS) return "nothing new";
    this.offset = offset;
    if (before !== undefined && Math.abs(offset - before) <= STEP_MS) return "adjusted";
    this.#since = now;
    return before === undefined ? "learnt" : "stepped";
  }

  /** What may be told. */
  wall(now: Millis): WallMillis {
    const line = this.#line(now);
    return this.offset === undefined ? line : Math.max(line, now + this.offset);
  }

  /** What messages of earlier boots may be expired by: never ahead of the truth, as far as anybody can tell. */
  wallForAges(now: Millis): WallMillis {
    return this.#isSteady(now) && !this.#isLeap(now) ? this.wall(now) : this.#line(now);
  }

  /** Raises the floor to what is certain now. */
  raise(now: Millis): void {
    const line = this.#line(now);
    const passed = now - this.#floorAt;
    const isLeap = this.#isSteady(now) && this.#isLeap(now);
    this.#leapMs = isLeap ? this.#leapMs + passed : this.#isSteady(now) ? 0 : this.#leapMs;
    const isBelieved = this.#isSteady(now) && (!isLeap || this.#leapMs >= LEAP_STEADY_MS);
    this.#floor = isBelieved ? Math.max(line, this.wall(now) - SLACK_MS) : line;
    this.#floorAt = now;
  }

  /** The floor, risen by the time that has passed since without any doubt. */
  #line(now: Millis): WallMillis {
    return this.#floor + Math.max(0, now - this.#floorAt);
  }

  #isSteady(now: Millis): boolean {
    return this.offset !== undefined && now - this.#since >= STEADY_MS;
  }

  #isLeap(now: Millis): boolean {
    return this.wall(now) - SLACK_MS - this.#line(now) > LEAP_MS;
  }
}

/** Why the calendar is not believed, and what to do. */
export function clockFault(doubted: WallMillis, floor: WallMillis): string {
  if (doubted > CEILING) return clockAdvice(doubted, `later than ${instantText(CEILING)}, the last day believed`);
  return clockAdvice(doubted, `earlier than ${instantText(floor)}, which has certainly passed`);
}
