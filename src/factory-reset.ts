// Back to what left the factory: keys first, then everything that was kept, by the next start.
//
//   asked for ─▶ <data>/factory-reset is on flash ─▶ restart ─▶ keys overwritten ─▶ files removed ─▶ factory-reset removed
//
// The outbox must be closed for it, so a start does it, before anything is opened. A power cut in between leaves the mark, and the next
// start goes on. Only what we made is removed, by name: a data directory that was named by mistake keeps the rest.

import { type Disk, removeIfThere, replaceWhole } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { systemCode } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { eraseKey } from "#journal/key-file.ts";

const MARK = "factory-reset";
const KEY = /\.key$/;
const FOLDERS = ["secrets", "outbox", "mqtt", "audit", "compiled"];
/** The record of a crash has lines of the log, which names users and hubs. */
const FILES = /^(?:settings\.(?:json|unconfirmed)|identity\.json|last-crash\.json)/;
const DEPTH_MAX = 6;

export async function requestFactoryReset(disk: Disk, dataDir: string): Promise<void> {
  await replaceWhole(disk, dataDir, MARK, Buffer.from("everything here is erased at the next start\n"));
}

export async function isResetAsked(disk: Disk, dataDir: string): Promise<boolean> {
  return (await listed(disk, dataDir))?.includes(MARK) === true;
}

export interface ResetPlace {
  readonly dataDir: string;
  /** With its folder; its copies lie beside it. */
  readonly settingsFile: string;
  /** Removes an empty folder. */
  removeFolder(path: string): Promise<void>;
}

/** Erases if it was asked for. The data directory must be ours alone. */
export async function finishFactoryReset(
  place: ResetPlace,
  { disk, entropy, log }: { readonly disk: Disk; readonly entropy: Entropy; readonly log: Log },
): Promise<boolean> {
  const { dataDir, settingsFile } = place;
  if (!(await isResetAsked(disk, dataDir))) return false;
  const names = (await listed(disk, dataDir)) ?? [];
  log.warn("factory reset: erasing keys, outbox, settings, users and secrets");
  for (const folder of FOLDERS) await eraseKeysIn(disk, `${dataDir}/${folder}`, entropy, 0);
  for (const folder of FOLDERS) await removeTree(place, disk, `${dataDir}/${folder}`, 0);
  for (const name of names) if (FILES.test(name)) await removeIfThere(disk, `${dataDir}/${name}`);
  for (const suffix of ["", ".last", ".1", ".2", ".sums", ".broken", ".new"]) await removeIfThere(disk, settingsFile + suffix);
  await disk.syncDirectory(dataDir);
  await removeIfThere(disk, `${dataDir}/${MARK}`);
  await disk.syncDirectory(dataDir);
  log.warn("factory reset: done");
  return true;
}

async function eraseKeysIn(disk: Disk, folder: string, entropy: Entropy, depth: number): Promise<void> {
  for (const name of (await listed(disk, folder)) ?? []) {
    if (KEY.test(name)) await eraseKey(disk, folder, name, entropy);
    else if (depth < DEPTH_MAX) await eraseKeysIn(disk, `${folder}/${name}`, entropy, depth + 1);
  }
}

async function removeTree(place: ResetPlace, disk: Disk, folder: string, depth: number): Promise<void> {
  const names = await listed(disk, folder);
  if (names === undefined) return;
  for (const name of names) {
    const path = `${folder}/${name}`;
    if (depth < DEPTH_MAX && (await listed(disk, path)) !== undefined) await removeTree(place, disk, path, depth + 1);
    else await removeIfThere(disk, path);
  }
  await disk.syncDirectory(folder);
  await place.removeFolder(folder);
}

/** undefined: no folder. */
async function listed(disk: Disk, path: string): Promise<readonly string[] | undefined> {
  try {
    return await disk.list(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}
