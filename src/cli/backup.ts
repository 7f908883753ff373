// `petiole export FILE` and `petiole restore FILE`: the settings, secrets and the page's users, encrypted with a passphrase.
//
// Not the outbox: what waits there belongs to this device and goes out from it. The passphrase comes from --passphrase-file or by
// typing (its first line from stdin), never from the command line, which others can read.

import * as path from "node:path";
import { isObject } from "#base/decode.ts";
import { readWhole, replaceWhole } from "#base/disk.ts";
import { diskWords } from "#base/disk-words.ts";
import type { Env } from "#base/env.ts";
import { PetioleError, systemCode } from "#base/errors.ts";
import { formatFault } from "#base/fault.ts";
import { parseConfig } from "#config/config.ts";
import { readIdentity } from "#config/identity.ts";
import { brokenFault } from "#config/load-config.ts";
import { type SettingsDocument, SettingsFile } from "#config/settings-file.ts";
import { removeUnconfirmed } from "#live/unconfirmed.ts";
import { BACKUP_BYTES_MAX, openBackup, PASSPHRASE_CHARS_MIN, sealBackup } from "#web/server/backup.ts";
import { restoreUsers } from "#web/server/users.ts";
import { gatherBackup, spreadSecrets, usersIn } from "../backup-files.ts";
import { lockDataDirectory } from "../data-lock.ts";
import { controlSocketPath } from "../spoke.ts";

const PASSPHRASE_BYTES_MAX = 4096;

const USAGE = `petiole export FILE [--data DIR] [--settings FILE] [--passphrase-file FILE]    writes an encrypted backup
petiole restore FILE [--data DIR] [--settings FILE] [--passphrase-file FILE]   puts one back; the daemon must be stopped

Settings, credentials and the page's users go along; the outbox and its key do not. Without --passphrase-file the passphrase is typed.

  petiole export gw-7.backup --data /var/lib/petiole
`;

export const BACKUP_HELP_TEXT = { usage: USAGE };

export interface BackupPlaces {
  readonly dataDir: string;
  readonly settingsFile?: string;
  readonly env: Pick<Env, "clock" | "disk" | "entropy" | "log">;
  readonly passphraseFile: string | undefined;
  /** One line that a person types. */
  readonly ask: (question: string) => Promise<string>;
}

export type BackupOutcome = { readonly misuse: string } | { readonly text: string; readonly code: number };

export async function runBackup(
  command: "export" | "restore",
  words: readonly string[],
  places: BackupPlaces,
): Promise<BackupOutcome> {
  try {
    return await run(command, words, places);
  } catch (error) {
    const why = whyNot(error);
    if (why === undefined) throw error;
    return { text: `petiole: cannot ${command}: ${why}\n`, code: 1 };
  }
}

/** What the disk said, in words; undefined: it was not the disk. */
function whyNot(error: unknown): string | undefined {
  const words = diskWords(error);
  if (words === undefined || !(error instanceof Error) || error instanceof PetioleError) return undefined;
  const place = "path" in error && typeof error.path === "string" ? error.path : "a file";
  if (systemCode(error) === "EISDIR") return `${place} is a folder; name a file in it`;
  if (systemCode(error) === "ENOENT") return `there is no folder ${path.dirname(place)}; make it, or correct the path`;
  return `${place} ${words.found}; ${words.remedy}`;
}

async function run(command: "export" | "restore", words: readonly string[], places: BackupPlaces): Promise<BackupOutcome> {
  const [file, ...more] = words;
  if (file === undefined || more.length > 0) return { misuse: `"petiole ${command}" wants the name of one file` };
  const target = path.resolve(file);
  const { disk } = places.env;
  if (command === "export" && (await readWhole(disk, target, 1)) !== undefined)
    return { text: `petiole: ${target} is there already; choose another name\n`, code: 1 };
  const passphrase = await passphraseFor(command, places);
  if (passphrase === undefined)
    return { text: `petiole: the passphrase wants ${PASSPHRASE_CHARS_MIN} characters at least, the same both times\n`, code: 1 };
  return command === "export" ? await exportTo(target, passphrase, places) : await restoreFrom(target, passphrase, places);
}

async function exportTo(target: string, passphrase: string, places: BackupPlaces): Promise<BackupOutcome> {
  const { env, dataDir } = places;
  const file = settingsFileOf(places);
  const version = await file.current();
  const settings = await file.read();
  // A backup of nothing would be found out when it is needed.
  if (settings === null && version.state === "broken")
    return {
      text: `petiole: nothing was exported, for ${file.path} cannot be used: ${formatFault(brokenFault(version))}\n`,
      code: 1,
    };
  const isHere =
    settings !== null || (places.settingsFile === undefined && (await readIdentity(env.disk, dataDir)) !== undefined);
  if (!isHere)
    return { text: `petiole: nothing was exported, for there is no ${file.path}; name the place with --data\n`, code: 1 };
  const device = typeof settings?.["server_name"] === "string" ? settings["server_name"] : await defaultName(places);
  const contents = await gatherBackup(settings ?? {}, { dataDir: path.resolve(dataDir), device }, env);
  const sealed = await sealBackup(contents, passphrase, env.entropy);
  await replaceWhole(env.disk, path.dirname(target), path.basename(target), sealed);
  return { text: `wrote ${target}: settings and ${contents.files.length} secrets of ${device}\n`, code: 0 };
}

async function restoreFrom(source: string, passphrase: string, places: BackupPlaces): Promise<BackupOutcome> {
  const { disk, log } = places.env;
  const bytes = await readWhole(disk, source, BACKUP_BYTES_MAX + 1);
  if (bytes === undefined) return { text: `petiole: there is no file ${source}\n`, code: 1 };
  const contents = await openBackup(bytes, passphrase);
  const dataDir = path.resolve(places.dataDir);
  const document = contents.settings;
  const deviceId = (await readIdentity(disk, dataDir)) ?? "restored";
  const { faults } = parseConfig(document, { deviceId, dataDir });
  if (faults.length > 0 || !isObject(document)) {
    const lines = faults.map((fault) => `  ${formatFault(fault)}\n`).join("");
    return { text: `petiole: the backup's settings have faults, so nothing was restored:\n${lines}`, code: 1 };
  }
  await using _lock = await lockDataDirectory({ dataDir, controlSocket: controlSocketPath(dataDir) }, log);
  const users = usersIn(contents);
  if (users !== undefined) await restoreUsers(disk, dataDir, users);
  await spreadSecrets(contents, dataDir, disk);
  await settingsFileOf(places).write(document as SettingsDocument);
  await removeUnconfirmed(disk, dataDir);
  return { text: `restored ${contents.device} as of ${contents.at}; start the daemon\n`, code: 0 };
}

function settingsFileOf({ dataDir, settingsFile, env }: BackupPlaces): SettingsFile {
  return new SettingsFile(env.disk, settingsFile ?? path.join(path.resolve(dataDir), "settings.json"));
}

async function defaultName({ env, dataDir }: BackupPlaces): Promise<string> {
  return `petiole-${(await readIdentity(env.disk, path.resolve(dataDir))) ?? "new"}`;
}

/** undefined: too short, or typed differently the second time. */
async function passphraseFor(command: string, { passphraseFile, env, ask }: BackupPlaces): Promise<string | undefined> {
  const passphrase =
    passphraseFile === undefined
      ? await ask("passphrase: ")
      : firstLine((await readWhole(env.disk, path.resolve(passphraseFile), PASSPHRASE_BYTES_MAX))?.toString("utf8") ?? "");
  if ([...passphrase].length < PASSPHRASE_CHARS_MIN) return undefined;
  if (command === "export" && passphraseFile === undefined && (await ask("once more:  ")) !== passphrase) return undefined;
  return passphrase;
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0]!;
}
