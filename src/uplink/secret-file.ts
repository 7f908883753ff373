// Reads a file that a setting names: credentials, seeds, certificates, keys. Secret ones are kept at mode 0600.

import type { Disk } from "#base/disk.ts";
import { readWhole } from "#base/disk.ts";
import { isFault, PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { LEAF_CREDENTIALS } from "./errors.ts";

export interface NamedFile {
  /** The setting it stands in: `credentials`, `tls.ca_file`. */
  readonly setting: string;
  /** Relative to the data directory, or absolute. */
  readonly path: string;
  readonly bytesMax: number;
  readonly isSecret: boolean;
}

const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/** Throws LEAF_CREDENTIALS naming the setting and the file. The buffer is the caller's to wipe. */
export async function readNamedFile(disk: Disk, dataDir: string, file: NamedFile, log: Log): Promise<Buffer> {
  const { setting, bytesMax } = file;
  const path = absolutePath(dataDir, file.path);
  const refuse = (words: string, cause?: unknown) =>
    new PetioleError(LEAF_CREDENTIALS, `${setting}: ${words}`, { remedy: "backoff", ...(cause === undefined ? {} : { cause }) });
  if (file.isSecret) await keepToOwner(disk, dataDir, path, setting, log);
  let bytes: Buffer | undefined;
  try {
    bytes = await readWhole(disk, path, bytesMax + 1);
  } catch (cause) {
    throw refuse(`cannot read ${path}`, cause);
  }
  if (bytes === undefined) throw refuse(`there is no file ${path}; put it there or correct the path`);
  if (bytes.length === 0) throw refuse(`${path} is empty; put the file there again`);
  if (bytes.length <= bytesMax) return bytes;
  bytes.fill(0);
  throw refuse(`${path} is longer than ${bytesMax} bytes; it cannot be the right file`);
}

export function absolutePath(dataDir: string, path: string): string {
  return path.startsWith("/") ? path : `${dataDir}/${path}`;
}

/**
 * Takes group's and others' rights from a file under the data directory, which is ours; of one elsewhere it only warns.
 * Never throws: a file whose mode cannot be changed may still be read.
 */
export async function keepToOwner(disk: Disk, dataDir: string, path: string, setting: string, log: Log): Promise<void> {
  try {
    const mode = await disk.mode(path);
    if ((mode & OTHERS) === 0) return;
    const facts = { file: path, mode: mode.toString(8).padStart(4, "0") };
    if (isUnder(dataDir, path)) {
      await disk.setMode(path, OWNER_ONLY);
      log.info(`${setting}: others on this device could read the file; its mode is 0600 now`, facts);
    } else log.warn(`${setting}: others on this device can read the file; chmod 600 it`, facts);
  } catch (error) {
    if (!isFault(error)) throw error;
    // No such file: reading it says so, and better. A read-only disk: said elsewhere, and the file can be read all the same.
  }
}

function isUnder(dataDir: string, path: string): boolean {
  return path.startsWith(`${dataDir.replace(/\/+$/, "")}/`) && !path.split("/").includes("..");
}
