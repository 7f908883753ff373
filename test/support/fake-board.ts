// A board without a battery for its clock: boots with whatever calendar its disk suggests, is told the time later, loses power.
//
//   const board = new FakeBoard();
//   board.boot({ wall: 0 });                     // 1970
//   await using life = await board.open();       // a process: its time keeper, its log
//   board.clock.setWall(NOW);                    // NTP steps the calendar
//   await board.clock.pass(1000);                // … which is seen within a second

import { ensureDirectory, replaceWhole } from "#base/disk.ts";
import { createLog, formatLine } from "#base/log.ts";
import { openTimeKeeper, type TimeKeeper } from "#base/time-keeper.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeDisk } from "./fake-disk.ts";
import { seededRandom } from "./seeded-random.ts";

const DATA = "/data";
const KERNEL = "/proc/sys/kernel/random";

export interface Life extends AsyncDisposable {
  readonly time: TimeKeeper;
  readonly log: readonly string[];
}

export class FakeBoard {
  readonly dataDir = DATA;
  readonly disk: FakeDisk;
  clock = new FakeClock();
  readonly #random: () => number;
  #boots = 0;

  constructor(seed = 1) {
    this.#random = seededRandom(seed);
    this.disk = new FakeDisk({ random: this.#random });
  }

  /** Resolves once the kernel is up; the processes are opened one by one. */
  async boot({ wall, id }: { readonly wall: number; readonly id?: string }): Promise<string> {
    this.clock = new FakeClock(wall);
    this.#boots += 1;
    const bootId = id ?? `00000000-0000-4000-8000-${String(this.#boots).padStart(12, "0")}`;
    await ensureDirectory(this.disk, DATA);
    await ensureDirectory(this.disk, KERNEL);
    await replaceWhole(this.disk, KERNEL, "boot_id", Buffer.from(`${bootId}\n`));
    return bootId;
  }

  /** Whole hours go by, quickly: the event loop turns after each. */
  async hours(count: number): Promise<void> {
    for (let hour = 0; hour < count; hour++) {
      this.clock.advance(3_599_000);
      await this.clock.pass(1000);
    }
  }

  async open(): Promise<Life> {
    const log: string[] = [];
    const random = this.#random;
    const env = {
      clock: this.clock,
      disk: this.disk.mount(),
      entropy: { random, bytes: (count: number) => Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256))) },
      log: createLog(this.clock, "debug", (line) => log.push(formatLine(line))),
    };
    const time = await openTimeKeeper(DATA, env);
    return { time, log, [Symbol.asyncDispose]: () => time[Symbol.asyncDispose]() };
  }
}
