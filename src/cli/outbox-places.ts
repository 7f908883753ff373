// Where the outboxes are, and what is in them: what `petiole outbox` reads with. Changes nothing, locks nothing.
//
//   DIR/outbox/<remote>/            ledger, ledger.old, ledger.reserve, and a folder for each class
//                      alarm/ state/ telemetry/ bulk/
//   DIR/secrets/outbox.key          if they are encrypted

import type { WallMillis } from "#base/clock.ts";
import { timestamp } from "#base/clock.ts";
import { type Disk, readWhole } from "#base/disk.ts";
import { explain, isFault, PetioleError, systemCode } from "#base/errors.ts";
import { type Log, silentLog } from "#base/log.ts";
import { TimeKeeperFile } from "#base/time-keeper-file.ts";
import { type Inspection, inspectJournal } from "#journal/inspect.ts";
import type { Packer } from "#journal/packer.ts";
import { KEY_BYTES } from "#journal/sealing.ts";
import { type LedgerHistory, readLedger } from "#outbox/ledger/ledger-file.ts";
import { CLASSES, type UrgencyClass } from "#outbox/urgency.ts";

export const OUTBOX_NOT_FOUND = "OUTBOX_NOT_FOUND";
export const OUTBOX_NOT_READABLE = "OUTBOX_NOT_READABLE";

/** From here on a time is a wall time; below, milliseconds since a boot (base/time-keeper.ts). */
const WALL_STAMP_MIN = 1e12;

export interface OutboxPlace {
  readonly dataDir: string;
  /** One remote's; default: all there are. */
  readonly remote?: string;
  readonly disk: Disk;
  /** What the journals were packed with. */
  readonly packer?: Packer;
}

export interface OutboxFolder {
  readonly remote: string;
  readonly directory: string;
}

export interface LaneFolder {
  readonly urgency: UrgencyClass;
  readonly journal: Inspection;
}

/** Sorted by name. Throws OUTBOX_NOT_FOUND if there is none, or none of that name. */
export async function findOutboxes(place: OutboxPlace): Promise<readonly OutboxFolder[]> {
  const parent = `${place.dataDir}/outbox`;
  let names: readonly string[];
  try {
    names = await place.disk.list(parent);
  } catch (cause) {
    if (!isAbsent(cause)) throw notReadable(parent, cause);
    throw new PetioleError(
      OUTBOX_NOT_FOUND,
      `there is no outbox in ${place.dataDir}; name the daemon's data directory with --data, or configure a remote first`,
      { remedy: "never" },
    );
  }
  const all: OutboxFolder[] = [];
  for (const name of names) {
    const directory = `${parent}/${name}`;
    if (await isOutbox(place.disk, directory)) all.push({ remote: nameOf(name), directory });
  }
  const wanted = place.remote === undefined ? all : all.filter(({ remote }) => remote === place.remote);
  if (wanted.length > 0) return wanted;
  const found = all.length === 0 ? "none" : all.map(({ remote }) => remote).join(", ");
  const message =
    place.remote === undefined
      ? `there is no outbox in ${parent}; name the daemon's data directory with --data`
      : `no remote "${place.remote}" has an outbox in ${place.dataDir}; there is: ${found}`;
  throw new PetioleError(OUTBOX_NOT_FOUND, message, { remedy: "never" });
}

/** Whatever else somebody has put there is none of ours. */
async function isOutbox(disk: Disk, directory: string): Promise<boolean> {
  try {
    return (await disk.list(directory)).some((name) => CLASSES.some((urgency) => urgency === name));
  } catch (cause) {
    if (isAbsent(cause)) return false;
    throw notReadable(directory, cause);
  }
}

/** The journals of one outbox, the most urgent first; a class that never kept anything is left out. */
export async function inspectLanes(
  place: OutboxPlace,
  folder: OutboxFolder,
  only?: UrgencyClass,
): Promise<readonly LaneFolder[]> {
  const lanes: LaneFolder[] = [];
  const key = await keyOf(place, [`${place.dataDir}/secrets`, folder.directory]);
  const options = { key, ...(place.packer === undefined ? {} : { packer: place.packer }) };
  for (const urgency of only === undefined ? CLASSES : [only]) {
    const directory = `${folder.directory}/${urgency}`;
    try {
      lanes.push({ urgency, journal: await inspectJournal(place.disk, directory, options) });
    } catch (cause) {
      if (!isFault(cause)) throw cause;
      if (systemCode(cause) !== "ENOENT") throw notReadable(directory, cause);
    }
  }
  return lanes;
}

/** The key that journals are encrypted with, in the first of these folders that has it; null: there is none that can be read. */
export async function keyOf({ disk }: Pick<OutboxPlace, "disk">, folders: readonly string[]): Promise<Buffer | null> {
  for (const folder of folders) {
    try {
      const key = await readWhole(disk, `${folder}/outbox.key`, KEY_BYTES + 1);
      if (key?.length === KEY_BYTES) return key;
    } catch (error) {
      if (!isFault(error)) throw error; // not for us: encrypted segments will be said to be sealed
    }
  }
  return null;
}

/** The loss ledger of one outbox, and what is wrong with it. */
export async function inspectLedger(
  place: OutboxPlace,
  folder: OutboxFolder,
): Promise<{ readonly history: LedgerHistory; readonly faults: readonly string[] }> {
  const faults: string[] = [];
  const hear = (message: string) => void faults.push(message);
  const log: Log = { ...silentLog(), warn: hear, error: hear };
  return { history: await readLedger(place.disk, folder.directory, log), faults };
}

/** Turns a record's time into a wall time, as far as the time of its boot was ever learnt. */
export async function openTimes(place: OutboxPlace): Promise<(stamp: number, boot: string | null) => WallMillis | undefined> {
  const { memory } = await new TimeKeeperFile(place.disk, place.dataDir).load();
  const offsets = new Map(memory.boots.map(({ id, offset }) => [id, offset]));
  return (stamp, boot) => {
    if (stamp >= WALL_STAMP_MIN) return stamp;
    const offset = boot === null ? undefined : offsets.get(boot);
    return offset === undefined ? undefined : offset + stamp;
  };
}

/** RFC 3339, or words for a time that nobody knows. */
export function shownTime(wall: WallMillis | undefined): string {
  return wall === undefined || !Number.isFinite(wall) ? "time not known" : timestamp(wall);
}

function nameOf(folder: string): string {
  try {
    return decodeURIComponent(folder);
  } catch {
    return folder; // not one of ours; it is shown as it is
  }
}

function isAbsent(cause: unknown): boolean {
  return systemCode(cause) === "ENOENT" || systemCode(cause) === "ENOTDIR";
}

export function notReadable(path: string, cause: unknown): PetioleError {
  const remedy =
    systemCode(cause) === "EACCES" ? "run it as the daemon's user, or as root" : "check the card, then the system's log";
  return new PetioleError(OUTBOX_NOT_READABLE, `cannot read ${path} (${explain(cause)}); ${remedy}`);
}
