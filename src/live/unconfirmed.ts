// A settings change that reverts unless somebody confirms it, kept through restarts and power cuts.
//
//   settings.unconfirmed    what the settings were before, and how often a daemon has started with the new ones
//
//   written before the new settings ─▶ restart ─▶ one start with the new settings, 90 s to confirm ─▶ confirmed: removed
//                                                        └─ no confirmation, a crash, a power cut ─▶ the old ones are back
//
// An unconfirmed change gets one start: settings that keep the daemon from coming up cannot keep it down.

import { isObject } from "#base/decode.ts";
import { type Disk, readWhole, removeIfThere, replaceWhole } from "#base/disk.ts";
import type { Log } from "#base/log.ts";
import { SETTINGS_BYTES_MAX, type SettingsDocument, type SettingsFile } from "#config/settings-file.ts";

const FILE = "settings.unconfirmed";

export interface Unconfirmed {
  readonly previous: SettingsDocument;
  /** Starts with the new settings. */
  readonly starts: number;
}

/** undefined: nothing waits for confirmation. Unreadable counts as nothing: the settings themselves are whole. */
export async function readUnconfirmed(disk: Disk, dataDir: string): Promise<Unconfirmed | undefined> {
  const bytes = await readWhole(disk, `${dataDir}/${FILE}`, 2 * SETTINGS_BYTES_MAX);
  if (bytes === undefined) return undefined;
  try {
    const { previous, starts } = JSON.parse(bytes.toString("utf8")) as Unconfirmed;
    return isObject(previous) && Number.isInteger(starts) ? { previous, starts } : undefined;
  } catch {
    return undefined; // rot
  }
}

export async function writeUnconfirmed(disk: Disk, dataDir: string, unconfirmed: Unconfirmed): Promise<void> {
  await replaceWhole(disk, dataDir, FILE, Buffer.from(`${JSON.stringify(unconfirmed)}\n`));
}

export async function removeUnconfirmed(disk: Disk, dataDir: string): Promise<void> {
  await removeIfThere(disk, `${dataDir}/${FILE}`);
  await disk.syncDirectory(dataDir);
}

/** At the start, before the settings are read. The answer: what they were before, if the new ones may be confirmed now. */
export async function beginUnconfirmed(
  disk: Disk,
  dataDir: string,
  file: SettingsFile,
  log: Log,
): Promise<SettingsDocument | undefined> {
  const unconfirmed = await readUnconfirmed(disk, dataDir);
  if (unconfirmed === undefined) return undefined;
  const current = await file.current();
  if (current.state === "whole" && JSON.stringify(current.document) === JSON.stringify(unconfirmed.previous)) {
    await removeUnconfirmed(disk, dataDir); // a power cut came before the change, or after its end
    return undefined;
  }
  if (unconfirmed.starts === 0) {
    await writeUnconfirmed(disk, dataDir, { ...unconfirmed, starts: 1 });
    return unconfirmed.previous;
  }
  log.warn("a settings change was not confirmed before the daemon ended; the settings before it are back");
  await file.write(unconfirmed.previous);
  await removeUnconfirmed(disk, dataDir);
  return undefined;
}
