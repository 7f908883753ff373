// What time it was: for a board that wakes up in 1970, learns the time minutes later, and may lose it again.
//
//   stamp ──▶ milliseconds since boot, always < 1e12; kept with the boot's id, corrected whenever the calendar is
//   wallOf ─▶ stamp + (what the calendar led the boot by, for that boot)
//
// How others use it:
//   at capture             `time.stamp()`, once a batch: one read of the monotonic clock. Never `clock.wall()`.
//   beside the record      `time.bootId`: it belongs to the life that writes, so once a segment is enough.
//   `Petiole-Time`         `time.wallOf(stamp, boot)` when it is *written to the link*; undefined: leave the line out and write
//                          `Petiole-Clock: unset`. Whoever remembers the text of an instant forgets it when `revision` has changed.
//   max_age, thin_after    `time.ageOf(stamp, boot)`: exact within a boot, even without any calendar; never too large.
//                          undefined: of unknown age, does not expire. Do not subtract walls: a calendar that is years ahead for
//                          five minutes must not expire a whole backlog.
//   certificates, the log  `clock.wall()`, the plain calendar.
// Why, and what a calendar may do: README.md. Tests: test/unit/base/time-keeper*.test.ts, test/integration/clock.test.ts

import { randomBootId, tryReadBootId } from "./boot-id.ts";
import { type Clock, type Millis, timestamp, type WallMillis } from "./clock.ts";
import type { Disk } from "./disk.ts";
import type { Entropy } from "./entropy.ts";
import { explain, isFault } from "./errors.ts";
import type { Log } from "./log.ts";
import { BOOTS_MAX, TimeKeeperFile } from "./time-keeper-file.ts";
import { type BootTime, ClockTrust, clockFault, type TimeMemory } from "./time-keeper-trust.ts";
import { EARLIEST_WALL_MS } from "./wall-clock.ts";

/** From here on a number is a wall time; below, milliseconds since some boot (which would last 31 years). */
export const WALL_STAMP_MIN = 1e12;

export interface TimeKeeper extends AsyncDisposable {
  /** A UUID. */
  readonly bootId: string;
  /** The calendar was credible at least once in this boot. */
  readonly isTrusted: boolean;
  /** No calendar that shows less is believed. */
  readonly floor: WallMillis;
  /** Why the calendar is not believed, as a sentence with a remedy; null when it is. */
  readonly fault: string | null;
  /** Goes up whenever `wallOf` gives another answer than before. */
  readonly revision: number;
  /** What a record captured now carries: whole milliseconds. */
  stamp(): number;
  /** Wall time of a stamp made in `boot` (null: by a version that stamped walls), undefined if that was never learnt. */
  wallOf(stamp: number, boot: string | null): WallMillis | undefined;
  /** How long ago at least; 0 or more; undefined if nobody knows. */
  ageOf(stamp: number, boot: string | null): Millis | undefined;
  /** Wall time now, as far as we know; never below the floor. */
  wall(): WallMillis;
  /** Called when the time of this boot is learnt or corrected, until disposed. */
  onTrusted(listener: () => void): Disposable;
}

export interface TimeKeeperEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly entropy: Entropy;
  readonly log: Log;
}

const LOOK_EVERY_MS: Millis = 1000;
/** How often the floor is raised and written: the one small file that a healthy system writes. */
const RAISE_EVERY_MS: Millis = 3_600_000;
/** Steps are written at most so often: a calendar that jumps to and fro must not wear the card. */
const SAVE_EVERY_MS: Millis = 60_000;
/** … nor fill the log: so many lines in a minute. */
const TELLS_MAX = 3;
/** A boot cannot go back: the same id with an earlier instant is another boot's (a restored snapshot), or another clock's. */
const BACKWARD_MS: Millis = 1000;
/** Tries to read both clocks without being interrupted in between, and what counts as not interrupted. */
const READS_MAX = 5;
const READ_MS: Millis = 10;

/** `directory` exists. Never fails for what it finds on the disk, or for what the disk refuses: it says so in the log. */
export async function openTimeKeeper(directory: string, env: TimeKeeperEnv): Promise<TimeKeeper> {
  const file = new TimeKeeperFile(env.disk, directory);
  const { memory, fault } = await file.load();
  if (fault !== null) env.log.warn(`what the device knew about the time cannot be used: ${fault}`);
  const bootId = await bootIdFor(memory, env);
  const keeper = new Keeper(bootId, memory, file, env);
  await keeper.start();
  return keeper;
}

async function bootIdFor({ boots }: TimeMemory, env: TimeKeeperEnv): Promise<string> {
  const id = await tryReadBootId(env.disk);
  if (id === undefined) {
    env.log.info("the system gives this boot no id: what was captured by an earlier process without the time stays without it");
    return randomBootId(env.entropy);
  }
  const known = boots.find((boot) => boot.id === id);
  return known !== undefined && known.seen > env.clock.now() + BACKWARD_MS ? randomBootId(env.entropy) : id;
}

class Keeper implements TimeKeeper {
  readonly bootId: string;
  revision = 0;
  readonly #env: TimeKeeperEnv;
  readonly #file: TimeKeeperFile;
  readonly #trust: ClockTrust;
  /** All boots but this one, the oldest first. */
  readonly #earlier: Map<string, BootTime>;
  readonly #listeners = new Set<() => void>();
  #timer: Disposable | undefined;
  #saving: Promise<void> = Promise.resolve();
  #isDirty = false;
  #savedAt: Millis = -Infinity;
  #raisedAt: Millis;
  /** When the last lines were written to the log, the latest last. */
  readonly #tells: Millis[] = [];
  #wasDoubted = false;
  #hasFailed = false;
  #closed: Promise<void> | undefined;

  constructor(bootId: string, memory: TimeMemory, file: TimeKeeperFile, env: TimeKeeperEnv) {
    this.bootId = bootId;
    this.#env = env;
    this.#file = file;
    this.#earlier = new Map(memory.boots.map((boot) => [boot.id, boot]));
    const now = env.clock.now();
    this.#trust = new ClockTrust(memory, this.#earlier.get(bootId), now);
    this.#earlier.delete(bootId);
    this.#raisedAt = now;
  }

  get isTrusted(): boolean {
    return this.#trust.offset !== undefined;
  }

  get floor(): WallMillis {
    return this.#trust.floor;
  }

  get fault(): string | null {
    const { doubted, floor } = this.#trust;
    return doubted === undefined ? null : clockFault(doubted, floor);
  }

  stamp(): number {
    return Math.floor(this.#env.clock.now());
  }

  wallOf(stamp: number, boot: string | null): WallMillis | undefined {
    if (stamp >= WALL_STAMP_MIN) return stamp >= EARLIEST_WALL_MS ? stamp : undefined;
    if (boot === null) return undefined; // by a calendar that had not been set
    const offset = boot === this.bootId ? this.#trust.offset : this.#earlier.get(boot)?.offset;
    return offset === undefined ? undefined : offset + stamp;
  }

  ageOf(stamp: number, boot: string | null): Millis | undefined {
    const now = this.#env.clock.now();
    if (stamp < WALL_STAMP_MIN && boot === this.bootId) return Math.max(0, now - stamp);
    const wall = this.wallOf(stamp, boot);
    return wall === undefined ? undefined : Math.max(0, this.#trust.wallForAges(now) - wall);
  }

  wall(): WallMillis {
    return this.#trust.wall(this.#env.clock.now());
  }

  onTrusted(listener: () => void): Disposable {
    const own = () => listener(); // so that one function may listen twice
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  /** The first look; what it shows is on flash before anything is captured. */
  async start(): Promise<void> {
    this.#look();
    if (this.#isDirty) this.#save();
    await this.#saving;
    this.#timer = this.#env.clock.every(LOOK_EVERY_MS, () => this.#tick());
  }

  /** Writes what is certain by now, unless that was just done. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#listeners.clear();
    this.#look();
    if (this.#isDirty || this.#env.clock.now() - this.#savedAt >= SAVE_EVERY_MS) this.#save();
    await this.#saving;
  }

  #tick(): void {
    this.#look();
    const now = this.#env.clock.now();
    if (now - this.#raisedAt >= RAISE_EVERY_MS || (this.#isDirty && now - this.#savedAt >= SAVE_EVERY_MS)) this.#save();
  }

  #look(): void {
    const { now, wall } = this.#read();
    const before = this.#trust.offset;
    const seen = this.#trust.look(now, wall);
    this.#tell(now, seen === "stepped" ? before : undefined);
    if (seen === "nothing new") return;
    this.revision += 1;
    if (seen === "adjusted") return; // written with the next
    this.#isDirty = true;
    for (const listener of this.#listeners) listener();
  }

  /** Both clocks as at one instant. */
  #read(): { readonly now: Millis; readonly wall: WallMillis } {
    const { clock } = this.#env;
    for (let tries = 1; ; tries++) {
      const now = clock.now();
      const wall = clock.wall();
      if (clock.now() - now <= READ_MS || tries === READS_MAX) return { now, wall };
    }
  }

  /** A calendar that is doubted, or no longer, or was set. */
  #tell(now: Millis, before: WallMillis | undefined): void {
    const fault = this.fault;
    const isChange = this.#wasDoubted !== (fault !== null) || before !== undefined;
    if (this.#tells.length > 0 && now - this.#tells[0]! >= 60_000) this.#tells.shift();
    if (!isChange || this.#tells.length >= TELLS_MAX) return;
    const { log } = this.#env;
    this.#wasDoubted = fault !== null;
    this.#tells.push(now);
    if (fault !== null)
      log.warn(
        `${fault}. Until then, ${this.isTrusted ? "the time is reckoned from what it was before" : "messages wait without their time, and are corrected later"}`,
      );
    else if (before === undefined)
      log.info("the clock can be believed: what was captured since boot has its time", { now: timestamp(this.wall()) });
    else
      log.info("the clock was set: what was captured since boot is corrected", {
        now: timestamp(this.wall()),
        by_ms: Math.round(this.#trust.offset! - before),
      });
  }

  /** A write that fails is told once, and tried again with the next. */
  #save(): void {
    const now = this.#env.clock.now();
    this.#trust.raise(now);
    this.#raisedAt = now;
    this.#savedAt = now;
    this.#isDirty = false;
    const memory = this.#memory(now);
    this.#saving = this.#saving.then(async () => {
      try {
        await this.#file.save(memory);
        this.#hasFailed = false;
      } catch (error) {
        if (!isFault(error)) throw error;
        if (!this.#hasFailed)
          this.#env.log.warn(
            `cannot keep the time on flash; after a restart the times of what waits may be unknown: ${explain(error)}`,
          );
        this.#hasFailed = true;
      }
    });
  }

  #memory(now: Millis): TimeMemory {
    const { floor, leapMs, offset, since } = this.#trust;
    const own = offset === undefined ? [] : [{ id: this.bootId, offset, since, seen: now }];
    return { floor, leapMs, boots: [...this.#earlier.values(), ...own].slice(-BOOTS_MAX) };
  }
}
