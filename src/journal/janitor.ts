// Writes the cursor when it is due, and removes the files of what is done with: in this order, or a crash between would send it again.
//
//   wholly freed, dropped, replaced ──▶ soon: cursor, then remove, or keep one of the freed for the next segment
//   freed in part                   ──▶ within the interval: cursor
//   damaged beyond use              ──▶ at the start: set aside
//
// Whoever opened the journal is asked first (`beforeForget`): a loss is to be on flash before what was lost is gone from it.
// Runs in its journal's queue, one sweep at a time. Tests: test/unit/journal/journal.test.ts, append-faults.test.ts

import type { Clock, Millis } from "#base/clock.ts";
import { type Disk, removeIfThere } from "#base/disk.ts";
import { explain, systemCode } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { cursorTimeNow, writeCursor } from "./cursor.ts";
import { damagedName, type Recovered } from "./recovery.ts";
import type { Segment } from "./segment.ts";
import type { Shelf } from "./shelf.ts";
import type { Spare } from "./spare.ts";

/** How long a crash may forget what was freed, and send it again. */
const CURSOR_INTERVAL_MS: Millis = 30_000;

export interface JanitorOptions {
  /** Absolute; made if it is not there. Nobody else's, and one journal's at a time: the caller sees to that. */
  readonly directory: string;
  /** Awaited before it is written down that records are done with, and before their files go: what is to be told of them is safe then. */
  readonly beforeForget?: () => Promise<void>;
}

/** What a janitor needs of its journal. */
export interface JanitorHost {
  readonly freedThrough: number;
  /** As a cursor may say it: what lies up to it is durable. */
  readonly lastSeq: number;
  readonly isClosing: boolean;
  /** Absent: no file is kept. */
  readonly spare: Spare | undefined;
  /** Queues a sweep. */
  sweepInTurn(): void;
  /** Queues a sweep that gives back the active segment's room, too. */
  tidyInTurn(): void;
}

export interface JanitorEnv {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly bootId?: string;
}

export class Janitor {
  readonly #shelf: Shelf;
  readonly #directory: string;
  readonly #beforeForget: JanitorOptions["beforeForget"];
  readonly #env: JanitorEnv;
  readonly #host: JanitorHost;
  readonly #epoch: number;
  /** Names of files that hold nothing readable. */
  #useless: readonly string[];
  #surplus: readonly string[];
  /** What the cursor on the disk says. */
  #freed: number;
  #lastSeq: number;
  #timer: Disposable | undefined;
  #isDue = false;

  constructor(shelf: Shelf, recovered: Recovered, options: JanitorOptions, env: JanitorEnv, host: JanitorHost) {
    const { cursor, syncedSeq, useless, surplus } = recovered;
    this.#shelf = shelf;
    this.#epoch = cursor.epoch;
    this.#useless = useless;
    this.#surplus = surplus;
    this.#freed = cursor.freedThrough;
    this.#lastSeq = syncedSeq;
    this.#directory = options.directory;
    this.#beforeForget = options.beforeForget;
    this.#env = env;
    this.#host = host;
  }

  /** Something was freed, or left the shelf. */
  onFreed(): void {
    if (this.#shelf.hasRetired) this.sweepSoon();
    else if (this.#shelf.first !== undefined && this.#host.freedThrough > this.#freed) this.#armCursor();
  }

  sweepSoon(): void {
    if (this.#isDue || (!this.#shelf.hasRetired && !this.#hasUseless)) return;
    this.#isDue = true;
    this.#host.sweepInTurn();
  }

  /** No timer any more. */
  close(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  /**
   * False: the disk is read-only. It would give no room back, nor take down what is lost: that would be back at the next start, and be sent
   * behind what is newer. Costs no sync.
   */
  async mayForget(): Promise<boolean> {
    try {
      await this.#env.disk.setMode(`${this.#directory}/epoch`, 0o600); // as it is
      return true;
    } catch (error) {
      return systemCode(error) !== "EROFS"; // the removal itself will tell
    }
  }

  /** `isRoomWanted`: no file is kept. */
  async sweep(isRoomWanted = false): Promise<void> {
    this.#isDue = false;
    const { freedThrough, lastSeq, isClosing } = this.#host;
    const retired = this.#shelf.takeRetired(); // what is freed while the cursor is written waits for the next
    const { disk, log } = this.#env;
    const isLastWord = isClosing && lastSeq > this.#lastSeq;
    const isForgetting = retired.length > 0 || this.#hasUseless || freedThrough > this.#freed;
    if (isForgetting) await this.#beforeForget?.();
    if (this.#hasUseless) await this.#setAside();
    if (freedThrough > this.#freed || isLastWord) {
      try {
        const cursor = { epoch: this.#epoch, freedThrough, lastSeq };
        await writeCursor(disk, this.#directory, "cursor", cursor, cursorTimeNow(this.#env));
        this.#freed = freedThrough;
        this.#lastSeq = lastSeq;
        this.close();
        if (this.#host.freedThrough > freedThrough) this.#armCursor(); // freed meanwhile
      } catch (error) {
        // A full card may refuse this, too; then it is all the more important to remove what is done with.
        log.warn("journal: what is done with could not be written down; after a crash some of it may be sent twice", {
          directory: this.#directory,
          error: explain(error),
        });
        this.#armCursor();
      }
    }
    for (const segment of retired) {
      if (!isRoomWanted && (await this.#tryKeep(segment))) continue;
      try {
        await removeIfThere(disk, `${this.#directory}/${segment.name}`);
      } catch (error) {
        log.warn("journal: a segment that is done with could not be removed; tried again at the next start", {
          name: segment.name,
          error: explain(error),
        });
      }
    }
  }

  /** Only what the cursor on the disk says is freed: it must not be missed, in whatever state it is found. */
  async #tryKeep(segment: Segment): Promise<boolean> {
    const { spare, isClosing } = this.#host;
    return spare !== undefined && !isClosing && segment.lastSeq <= this.#freed && (await spare.tryKeep(segment));
  }

  get #hasUseless(): boolean {
    return this.#useless.length > 0 || this.#surplus.length > 0;
  }

  /** What holds nothing readable is kept for a look; a few of them, so that rot cannot fill the card. */
  async #setAside(): Promise<void> {
    const { disk, log } = this.#env;
    for (const name of this.#useless) {
      try {
        await disk.rename(`${this.#directory}/${name}`, `${this.#directory}/${damagedName(name)}`);
      } catch (error) {
        log.warn("journal: a damaged segment could not be set aside", { name, error: explain(error) });
      }
    }
    for (const name of this.#surplus) {
      try {
        await removeIfThere(disk, `${this.#directory}/${name}`);
      } catch (error) {
        log.warn("journal: a damaged segment could not be removed", { name, error: explain(error) });
      }
    }
    this.#useless = [];
    this.#surplus = [];
  }

  #armCursor(): void {
    if (this.#host.isClosing) return;
    this.#timer ??= this.#env.clock.after(CURSOR_INTERVAL_MS, () => {
      this.#timer = undefined;
      this.#host.tidyInTurn();
    });
  }
}
