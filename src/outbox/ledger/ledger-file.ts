// The ledger on flash: two generations of at most 256 KiB, append-only.
//
//   ledger       the newer: what all came to before it, then line after line what is new
//   ledger.old   the one before it: for its ranges, and in case the newer one rots
//   ledger.reserve   room that is given up where the disk has no other (ledger-reserve.ts)
//
// When the newer one is full it becomes the old one, and the next begins with the totals. Lines that were tried and did not get
// through are tried again as they were, at the same place, so that none is there twice; their numbers would tell if one were.
//
// What a start finds may be in the kernel's memory only, if the last life was killed behind a sync that failed (journal/tail.ts): it is
// written again before records go on the strength of it. Nothing tells where the last lines began: all of the newer file, 256 KiB at most.
// Tests: test/unit/outbox/ledger/ledger-file.test.ts

import { type Disk, type DiskFile, readWhole, replaceWhole } from "#base/disk.ts";
import { explain, isFault, systemCode } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { type LedgerEntry, LossTotals } from "./ledger-entry.ts";
import { type Before, encodeLine, firstLine, type LedgerText, parseLedger } from "./ledger-lines.ts";
import { LedgerReserve } from "./ledger-reserve.ts";

export const GENERATION_BYTES_MAX = 256 * 1024;
/** A file of ours is never longer than a generation and one batch of lines. */
const READ_BYTES_MAX = 4 * GENERATION_BYTES_MAX;
const NAME = "ledger";
const OLD_NAME = "ledger.old";
/** Tries at one place of the file, before a new one is begun. */
const TRIES_MAX = 3;
const NOTHING = Buffer.alloc(0);

/** What the last lives wrote down. */
export interface LedgerHistory {
  readonly totals: LossTotals;
  /** Oldest first. */
  readonly entries: readonly LedgerEntry[];
  readonly damage: readonly string[];
  /** Entries, perhaps older than those in `entries`, some of whose messages may be met again. */
  readonly told: readonly LedgerEntry[];
  readonly lastNumber: number;
  /** What the rules' numbers in it refer to; null: nothing is there. */
  readonly rules: string | null;
}

export class LedgerFile {
  readonly reserve: LedgerReserve;
  readonly #disk: Disk;
  readonly #directory: string;
  /** Where the next line goes; undefined: a new file must be begun. */
  #endBytes: number | undefined;
  /** Something may stand behind `endBytes` that is no line. */
  #isTailDirty = false;
  #tries = 0;
  /** The file that is full has its new name. */
  #isOldMoved = false;

  private constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
    this.reserve = new LedgerReserve(disk, directory);
  }

  /** Never refuses: what cannot be read, or made durable, is said in the log, and begun anew. */
  static async open(
    disk: Disk,
    directory: string,
    log: Log,
  ): Promise<{ readonly file: LedgerFile; readonly history: LedgerHistory }> {
    const file = new LedgerFile(disk, directory);
    const newer = await readGeneration(disk, `${directory}/${NAME}`, log);
    const older = await readGeneration(disk, `${directory}/${OLD_NAME}`, log);
    if (newer.text !== undefined && newer.text.endBytes > 0 && !newer.text.isNewer) {
      file.#endBytes = newer.text.endBytes;
      file.#isTailDirty = newer.bytes.length > newer.text.endBytes;
      await file.#writeAgain(newer.bytes.subarray(0, newer.text.endBytes), log);
    }
    return { file, history: historyOf(older.text, newer.text) };
  }

  /**
   * Makes `lines` durable; rejects with the system's fault if it may not have. Then the very same lines, and perhaps more behind them,
   * must be given again. `before` says what all came to before them, should a new file be begun.
   */
  async append(lines: string, before: () => Before): Promise<void> {
    try {
      await this.#append(lines, before);
    } catch (error) {
      if (systemCode(error) !== "ENOSPC" || !(await this.reserve.release())) throw error;
      await this.#append(lines, before);
    }
  }

  async #writeAgain(found: Buffer, log: Log): Promise<void> {
    try {
      await this.#write(found, 0, found.length);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#endBytes = undefined;
      log.warn("outbox: the loss ledger cannot be written again as it was found; a new one is begun with the next loss", {
        error: explain(error),
      });
    }
  }

  async #append(lines: string, before: () => Before): Promise<void> {
    const bytes = Buffer.from(lines);
    const at = this.#endBytes;
    if (at === undefined || at + bytes.length > GENERATION_BYTES_MAX || this.#tries >= TRIES_MAX) {
      await this.#begin(bytes, before());
      return;
    }
    this.#tries += 1;
    await this.#write(bytes, at, at);
    this.#tries = 0;
  }

  /** `whole`: where the lines end that were there before. */
  async #write(bytes: Buffer, at: number, whole: number): Promise<void> {
    let file: DiskFile;
    try {
      file = await this.#disk.open(`${this.#directory}/${NAME}`, "update");
    } catch (error) {
      if (systemCode(error) === "ENOENT") this.#endBytes = undefined; // somebody removed it: begun anew at the next try
      throw error;
    }
    await using open = file;
    if (this.#isTailDirty) await open.truncate(whole);
    this.#isTailDirty = true;
    await open.write(bytes, at);
    await open.datasync();
    this.#endBytes = at + bytes.length;
    this.#isTailDirty = false;
  }

  async #begin(bytes: Buffer, before: Before): Promise<void> {
    if (!this.#isOldMoved) {
      try {
        await this.#disk.rename(`${this.#directory}/${NAME}`, `${this.#directory}/${OLD_NAME}`);
        await this.#disk.syncDirectory(this.#directory);
      } catch (error) {
        if (systemCode(error) !== "ENOENT") throw error;
      }
      this.#isOldMoved = true;
    }
    const whole = Buffer.concat([Buffer.from(firstLine() + encodeLine({ is: "before", ...before })), bytes]);
    await replaceWhole(this.#disk, this.#directory, NAME, whole);
    this.#endBytes = whole.length;
    this.#isTailDirty = false;
    this.#isOldMoved = false;
    this.#tries = 0;
  }
}

async function readGeneration(
  disk: Disk,
  path: string,
  log: Log,
): Promise<{ readonly text: LedgerText | undefined; readonly bytes: Buffer }> {
  try {
    const bytes = await readWhole(disk, path, READ_BYTES_MAX);
    if (bytes === undefined) return { text: undefined, bytes: NOTHING };
    const text = parseLedger(bytes);
    if (text.bad > 0)
      log.warn("outbox: lines of the loss ledger are damaged; what they counted is missing", { path, lines: text.bad });
    if (text.isNewer)
      log.warn("outbox: the loss ledger was written by a later version of this program; kept, and a new one is begun", { path });
    return { text, bytes };
  } catch (error) {
    if (!isFault(error)) throw error;
    log.error("outbox: the loss ledger cannot be read; losses of earlier are missing", { path, error: explain(error) });
    return { text: undefined, bytes: NOTHING };
  }
}

/** For whoever only looks: what the two files say. */
export async function readLedger(disk: Disk, directory: string, log: Log): Promise<LedgerHistory> {
  const newer = await readGeneration(disk, `${directory}/${NAME}`, log);
  const older = await readGeneration(disk, `${directory}/${OLD_NAME}`, log);
  return historyOf(older.text, newer.text);
}

/** The totals of the newest readable beginning and all that follows it; numbers tell what was counted already. */
function historyOf(older: LedgerText | undefined, newer: LedgerText | undefined): LedgerHistory {
  const lines = [...(older?.lines ?? []), ...(newer?.lines ?? [])];
  let totals = new LossTotals();
  const entries = new Map<number, LedgerEntry>();
  const damage = new Set<string>();
  const told = new Map<number, LedgerEntry>();
  let lastNumber = 0;
  /** Number of the last entry in `totals`. */
  let counted = 0;
  let rules: string | null = null;
  /** True: they have changed, and what numbers of rules stood for is not known any more. */
  const learnRules = (key: string): boolean => {
    const haveChanged = rules !== null && rules !== key;
    if (haveChanged) for (const [number, entry] of entries) entries.set(number, { ...entry, rule: null });
    rules = key;
    return haveChanged;
  };
  for (const line of lines) {
    if (line.is === "before") {
      totals = new LossTotals();
      for (const total of line.totals) totals.add(total);
      for (const name of line.damage) damage.add(name);
      for (const entry of line.told) told.set(entry.number, entry);
      counted = line.number;
      lastNumber = Math.max(lastNumber, counted);
      learnRules(line.rules);
    } else if (line.is === "rules") {
      if (learnRules(line.key)) totals.forgetRules();
    } else if (line.is === "loss") {
      const { entry } = line;
      if (entry.number > counted) totals.add(entry);
      counted = Math.max(counted, entry.number);
      lastNumber = Math.max(lastNumber, counted);
      for (const name of entry.damage) damage.add(name);
      entries.set(entry.number, entry);
      told.set(entry.number, entry);
    }
  }
  return { totals, entries: [...entries.values()], damage: [...damage], told: [...told.values()], lastNumber, rules };
}
