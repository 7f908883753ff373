// What a start finishes before it reads the settings: a factory reset that was asked for, a settings change that nobody confirmed.
//
// Only under the lock of the data directory, and only if there is something to do: a second start beside a running daemon must not
// erase what that one works with, nor count as the one start that an unconfirmed change gets.

import { rmdir } from "node:fs/promises";
import type { Env } from "#base/env.ts";
import { isFault } from "#base/errors.ts";
import { type SettingsDocument, SettingsFile } from "#config/settings-file.ts";
import { beginUnconfirmed, readUnconfirmed } from "#live/unconfirmed.ts";
import { lockDataDirectory } from "./data-lock.ts";
import { finishFactoryReset, isResetAsked } from "./factory-reset.ts";
import { controlSocketPath } from "./spoke.ts";

/** What the settings were before those that are about to run, if those wait for confirmation. `dataDir` exists. */
export async function finishAtStart(
  dataDir: string,
  settingsFile: string,
  { disk, entropy, log }: Pick<Env, "disk" | "entropy" | "log">,
): Promise<SettingsDocument | undefined> {
  if (!(await isResetAsked(disk, dataDir)) && (await readUnconfirmed(disk, dataDir)) === undefined) return undefined;
  await using _lock = await lockDataDirectory({ dataDir, controlSocket: controlSocketPath(dataDir) }, log);
  await finishFactoryReset({ dataDir, settingsFile, removeFolder }, { disk, entropy, log });
  return await beginUnconfirmed(disk, dataDir, new SettingsFile(disk, settingsFile), log);
}

/** One that is not empty stays: whatever is in it is not ours. */
async function removeFolder(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}
