// The key that everything on flash is encrypted with: 32 random bytes in a file that only we may read.
//
//   openKey   ──▶ there: mode 0600 and 32 bytes, or refused; its name synced      not there: made, synced, and only then used
//   findKey   ──▶ the same, never made
//   eraseKey  ──▶ overwritten, synced, removed: what was written with it is noise from then on
//
// A key file that is not as it must be is never mended or replaced: it may be all that stands between an owner and their data.
// Flash keeps old blocks for a while, so overwriting is the best we can do, not a proof. Tests: test/unit/journal/key-file.test.ts

import { type Disk, ensureDirectory, readWhole, removeIfThere } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { isFault, systemCode } from "#base/errors.ts";
import { changeFailed, JournalError } from "./errors.ts";
import { KEY_BYTES } from "./sealing.ts";

const MODE = 0o600;
const ADVICE = "put the right one back, or remove it to begin anew without what was encrypted";
/** A file in the key's place that is longer was never a key. */
const ERASED_BYTES_MAX = 4096;

/** The key in `directory/name`, made at first use. */
export async function openKey(disk: Disk, directory: string, name: string, entropy: Entropy): Promise<Buffer> {
  return await speaking("opening", `${directory}/${name}`, async () => {
    const found = await readKey(disk, directory, name);
    if (found !== undefined) {
      await syncName(disk, directory);
      return found;
    }
    await ensureDirectory(disk, directory);
    await writeKey(disk, directory, name, entropy.bytes(KEY_BYTES));
    // What stands there counts, not what we meant to write: nothing may be encrypted with a key that nobody will find again.
    return (await readKey(disk, directory, name)) ?? refuse(`${directory}/${name}`, "is gone as soon as it was written");
  });
}

/** Whoever made it may have been killed before its name was durable. A folder that is not ours to sync, we did not make it in. */
async function syncName(disk: Disk, directory: string): Promise<void> {
  try {
    await disk.syncDirectory(directory);
  } catch (error) {
    const code = systemCode(error);
    if (code !== "EACCES" && code !== "EROFS") throw error;
  }
}

/** The same, but never made: undefined if there is none. */
export async function findKey(disk: Disk, directory: string, name: string): Promise<Buffer | undefined> {
  return await speaking("reading", `${directory}/${name}`, () => readKey(disk, directory, name));
}

/**
 * Makes all that was encrypted with it unreadable, for good. Fine if there is none. For a factory reset: the outbox must be closed, for
 * it knows the key by heart. Rejects if the key is still there, or may be read from where it was: the file is gone then, if that
 * could be had.
 */
export async function eraseKey(disk: Disk, directory: string, name: string, entropy: Entropy): Promise<void> {
  const path = `${directory}/${name}`;
  await speaking("erasing", path, async () => {
    let fault: unknown;
    try {
      await overwrite(disk, path, entropy);
    } catch (error) {
      if (!isFault(error)) throw error;
      fault = error; // a disk too full or too worn for it may still let go of the name
    }
    for (const each of [`${path}.new`, path]) await removeIfThere(disk, each);
    try {
      await disk.syncDirectory(directory);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error; // not even the folder
    }
    if (fault !== undefined) throw fault;
  });
}

async function speaking<T>(doing: string, path: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof JournalError || !isFault(error)) throw error;
    throw changeFailed("JOURNAL_KEY_FAILED", `journal: ${doing} the key file ${path}`, error);
  }
}

async function readKey(disk: Disk, directory: string, name: string): Promise<Buffer | undefined> {
  const path = `${directory}/${name}`;
  const found = await readWhole(disk, path, KEY_BYTES + 1);
  if (found === undefined) {
    if (await isListed(disk, directory, name)) refuse(path, "points to what is not there; mount it, or remove the link");
    return undefined;
  }
  if (found.length !== KEY_BYTES) {
    const size = found.length > KEY_BYTES ? "more" : `${found.length} bytes`;
    refuse(path, `holds ${size}, wanted ${KEY_BYTES} bytes; ${ADVICE}`);
  }
  if (found.every((byte) => byte === 0)) refuse(path, `holds nothing but zeros, wanted a random key; ${ADVICE}`);
  const mode = await disk.mode(path);
  if (mode !== MODE) {
    const found = mode.toString(8).padStart(4, "0");
    refuse(path, `has mode ${found}, wanted 0600: others may have read it; chmod 600 it if that is fine with you`);
  }
  return found;
}

function refuse(path: string, what: string): never {
  throw new JournalError("JOURNAL_KEY_REFUSED", `journal: key file ${path} ${what}`);
}

async function isListed(disk: Disk, directory: string, name: string): Promise<boolean> {
  try {
    return (await disk.list(directory)).includes(name);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return false;
  }
}

/** Under its own name only when it is whole and durable: a key that was used and is then lost would take the data with it. */
async function writeKey(disk: Disk, directory: string, name: string, key: Buffer): Promise<void> {
  const path = `${directory}/${name}`;
  await removeIfThere(disk, `${path}.new`);
  {
    await using file = await disk.open(`${path}.new`, "create");
    await disk.setMode(`${path}.new`, MODE);
    await file.write(key, 0);
    await file.datasync();
  }
  await disk.rename(`${path}.new`, path);
  await disk.syncDirectory(directory);
}

/** All of it, whatever its size. */
async function overwrite(disk: Disk, path: string, entropy: Entropy): Promise<void> {
  try {
    await using file = await disk.open(path, "update");
    await file.write(entropy.bytes(Math.min(Math.max(await file.size(), KEY_BYTES), ERASED_BYTES_MAX)), 0);
    await file.datasync();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
