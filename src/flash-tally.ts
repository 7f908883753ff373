// What this process writes to flash, per day and by cause, counted at the disk seam. In memory: counting must not write.
//
//   <data>/outbox/…            outbox        <data>/mqtt/…       mqtt
//   <data>/settings*, secrets/, users, trail settings            everything else below <data>: other

import { type Clock, timestamp, type WallMillis } from "#base/clock.ts";
import { countedDisk } from "#base/counted-disk.ts";
import type { Disk } from "#base/disk.ts";
import type { FlashBytes, FlashReport } from "#status/history-report.ts";

const DAY_MS = 86_400_000;
/** Days remembered. */
const DAYS_MAX = 31;

type Cause = keyof FlashBytes;

export class FlashTally {
  readonly #clock: Clock;
  readonly #since: WallMillis;
  readonly #prefix: string;
  /** By day since 1970, as the calendar had it; in the order of their coming. */
  readonly #days = new Map<number, Record<Cause, number>>();
  #day = -1;
  #bytes: Record<Cause, number> = none();

  constructor(dataDir: string, clock: Clock) {
    this.#prefix = `${dataDir}/`;
    this.#clock = clock;
    this.#since = clock.wall();
  }

  /** The same disk, counted. */
  watch(disk: Disk): Disk {
    return countedDisk(disk, (path, bytes) => this.#onWritten(path, bytes));
  }

  report(): Omit<FlashReport, "life"> {
    this.#turn();
    const today = this.#bytes;
    return {
      since: timestamp(this.#since),
      bytes_today: today.outbox + today.mqtt + today.settings + today.other,
      bytes_per_day: [...this.#days].map(([day, by_cause]) => ({
        date: timestamp(day * DAY_MS).slice(0, 10),
        by_cause: { ...by_cause },
      })),
    };
  }

  #onWritten(path: string, bytes: number): void {
    if (!path.startsWith(this.#prefix)) return; // a lock in /tmp wears nothing
    this.#turn();
    this.#bytes[causeOf(path.slice(this.#prefix.length))] += bytes;
  }

  #turn(): void {
    const day = Math.floor(this.#clock.wall() / DAY_MS);
    if (day === this.#day) return;
    this.#day = day;
    this.#bytes = this.#days.get(day) ?? none();
    this.#days.delete(day); // a calendar that was set may come back to one: it is the last again
    this.#days.set(day, this.#bytes);
    for (const oldest of this.#days.keys()) {
      if (this.#days.size <= DAYS_MAX) break;
      this.#days.delete(oldest);
    }
  }
}

function none(): Record<Cause, number> {
  return { outbox: 0, mqtt: 0, settings: 0, other: 0 };
}

function causeOf(place: string): Cause {
  if (place.startsWith("outbox/")) return "outbox";
  if (place.startsWith("mqtt/")) return "mqtt";
  return /^(settings|secrets\/|audit)/.test(place) ? "settings" : "other";
}
