// What the time keeper remembers from life to life, on flash: the file `clock` in the data directory, and the one before it.
//
//   clock, clock.1     {"version":1,"floor":…,"leap_ms":…,"boots":[["<boot id>",<offset>,<since>,<seen>],…]}␊
//                      crc32c <8 hex digits over the line above, its newline included>␊
//
// A power cut leaves `clock` whole, or only `clock.1`; rot in one leaves the other. A version may add keys; old ones are read for ever.

import { isBootId } from "./boot-id.ts";
import { crc32c } from "./crc32c.ts";
import { type Disk, readWhole, replaceWhole } from "./disk.ts";
import { diskWords } from "./disk-words.ts";
import { explain, isFault } from "./errors.ts";
import { type BootTime, NO_MEMORY, type TimeMemory } from "./time-keeper-trust.ts";

const NAME = "clock";
const OLDER = `${NAME}.1`;
const FILE_BYTES_MAX = 256 * 1024;
/**
 * A record whose boot is forgotten loses its time, so there are enough for a fortnight without a hub in which the power fails
 * eighteen times a day. 256 of them are about 20 KiB.
 */
export const BOOTS_MAX = 256;

export interface Loaded {
  readonly memory: TimeMemory;
  /** What is wrong with the files, in words; null: nothing. */
  readonly fault: string | null;
}

export class TimeKeeperFile {
  readonly #disk: Disk;
  readonly #directory: string;
  /** `clock` is worth keeping as the older generation. */
  #isWhole = false;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /** Never fails: a file that cannot be used is as good as none, and said. */
  async load(): Promise<Loaded> {
    const faults: string[] = [];
    for (const name of [NAME, OLDER]) {
      const path = `${this.#directory}/${name}`;
      try {
        const bytes = await readWhole(this.#disk, path, FILE_BYTES_MAX + 1);
        if (bytes === undefined) continue;
        const memory = tryParse(bytes);
        if (memory === undefined) faults.push(`${path} is damaged`);
        else {
          this.#isWhole = name === NAME;
          return { memory, fault: faults.length > 0 ? `${faults.join("; ")}; went on with ${path}` : null };
        }
      } catch (error) {
        if (!isFault(error)) throw error;
        const { found, remedy } = diskWords(error) ?? { found: "cannot be read", remedy: "remove it" };
        faults.push(`${path} ${found}, ${remedy} (${explain(error)})`);
      }
    }
    return { memory: NO_MEMORY, fault: faults.length > 0 ? faults.join("; ") : null };
  }

  /** One at a time: the caller sees to it. */
  async save(memory: TimeMemory): Promise<void> {
    const path = `${this.#directory}/${NAME}`;
    if (this.#isWhole) {
      this.#isWhole = false;
      await this.#disk.rename(path, `${this.#directory}/${OLDER}`);
    }
    await replaceWhole(this.#disk, this.#directory, NAME, encode(memory));
    this.#isWhole = true;
  }
}

function encode({ floor, leapMs, boots }: TimeMemory): Buffer {
  const table = boots.slice(-BOOTS_MAX).map(({ id, offset, since, seen }) => [id, offset, Math.round(since), Math.round(seen)]);
  const line = Buffer.from(`${JSON.stringify({ version: 1, floor, leap_ms: leapMs, boots: table })}\n`);
  return Buffer.concat([line, Buffer.from(sumLine(line))]);
}

function sumLine(line: Buffer): string {
  return `crc32c ${crc32c(line, 0, line.length).toString(16).padStart(8, "0")}\n`;
}

/** undefined: not whole. */
function tryParse(bytes: Buffer): TimeMemory | undefined {
  const end = bytes.indexOf(0x0a) + 1;
  if (end === 0 || bytes.length > FILE_BYTES_MAX) return undefined;
  const line = bytes.subarray(0, end);
  if (bytes.toString("latin1", end) !== sumLine(line)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.toString("utf8"));
  } catch {
    return undefined; // a checksum that fits by chance, or by somebody's hand
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { floor, leap_ms: leapMs, boots }: { floor?: unknown; leap_ms?: unknown; boots?: unknown } = parsed;
  if (!isNumber(floor) || !isNumber(leapMs) || !Array.isArray(boots)) return undefined;
  return { floor, leapMs, boots: boots.slice(-BOOTS_MAX).flatMap(tryBoot) };
}

function tryBoot(row: unknown): BootTime[] {
  if (!Array.isArray(row)) return [];
  const [id, offset, since, seen]: unknown[] = row;
  if (typeof id !== "string" || !isBootId(id) || !isNumber(offset) || !isNumber(since) || !isNumber(seen)) return [];
  return [{ id, offset, since, seen }];
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
