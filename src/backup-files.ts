// What goes into a backup and comes out of one: the settings document and the files in secrets/, without the keys of what lies on this
// device's flash and without what each device makes for itself.

import { type Clock, timestamp } from "#base/clock.ts";
import { type Disk, ensureDirectory, listIfThere, readWhole, replaceWhole } from "#base/disk.ts";
import { systemCode } from "#base/errors.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import type { BackupContents } from "#web/server/backup.ts";

const FILE_BYTES_MAX = 256 * 1024;
const FILES_MAX = 200;
/** The outbox's key would be of no use elsewhere and a danger everywhere; a certificate and a claim code are one device's own. */
const OWN = /^(?:outbox\.key|claim-code|web-(?:cert|key)\.pem)/;
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
const USERS_FILE = "web-users.json";

export async function gatherBackup(
  settings: SettingsDocument,
  place: { readonly dataDir: string; readonly device: string },
  { disk, clock }: { readonly disk: Disk; readonly clock: Clock },
): Promise<BackupContents> {
  const directory = `${place.dataDir}/secrets`;
  const files: { name: string; bytes: Buffer }[] = [];
  for (const name of await listIfThere(disk, directory)) {
    if (!isCarried(name) || files.length >= FILES_MAX) continue;
    const bytes = await tryRead(disk, `${directory}/${name}`);
    if (bytes !== undefined && bytes.length > 0 && bytes.length <= FILE_BYTES_MAX) files.push({ name, bytes });
  }
  return { device: place.device, at: timestamp(clock.wall()), settings, files };
}

/** The page's users, as their file has them: whoever holds them in memory must take them. */
export function usersIn({ files }: BackupContents): Buffer | undefined {
  return files.find(({ name }) => name === USERS_FILE)?.bytes;
}

/** Writes all secrets but the page's users. */
export async function spreadSecrets(contents: BackupContents, dataDir: string, disk: Disk): Promise<void> {
  const directory = `${dataDir}/secrets`;
  await ensureDirectory(disk, directory);
  for (const { name, bytes } of contents.files)
    if (isCarried(name) && name !== USERS_FILE) await replaceWhole(disk, directory, name, bytes);
}

function isCarried(name: string): boolean {
  return NAME.test(name) && !OWN.test(name) && !name.endsWith(".new");
}

async function tryRead(disk: Disk, path: string): Promise<Buffer | undefined> {
  try {
    return await readWhole(disk, path, FILE_BYTES_MAX + 1);
  } catch (error) {
    if (systemCode(error) === "EISDIR") return undefined;
    throw error;
  }
}
