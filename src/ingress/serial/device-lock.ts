// Keeps a device to one program. Three kinds of programs use serial ports, and each looks elsewhere:
//
//   who                                   looks at                          we
//   the spoke, Python, newer terminals    the kernel's lock (flock)         take it when we open (system-tty.ts)
//   minicom, cu, pppd, older picocom      a lock file, LCK..ttyUSB0         honour it, and write one where the folder is there
//   getty, gpsd, a careless script        nothing                           see that they have it open, and stay away
//
// The kernel's lock ends with its process. A lock file does not: one whose process is gone, or lives but does not have the device
// open, was left behind and is removed. Without the folder (most containers) there is no file, and the other two do.

import { link, readdir, readFile, readlink, unlink, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { systemCode } from "#base/errors.ts";
import { findLockHolder, nameProcess } from "./lock-holder.ts";

/** Where the system shows what we need; other than these only under test. */
export interface LockPlaces {
  readonly proc: string;
  readonly lockFolder: string;
}

export const SYSTEM_LOCK_PLACES: LockPlaces = { proc: "/proc", lockFolder: "/run/lock" };

/** Descriptors looked at per process: a program with more is no terminal. */
const DESCRIPTORS_MAX = 4096;
/**
 * Device files that one program has at a time. Not among them: the end of a pty, which is held open by whoever made it, such as socat for
 * a serial server in the network.
 */
const SERIAL_FILE = /\/(tty(?!\d|$)|rfcomm)\w+$/;
/** Tries to put our lock file in the place of one that was left behind. */
const TRIES_MAX = 3;

/** `minicom (process 812)`: whoever locks the device or has it open, ourselves included; undefined: nobody, as far as we may see. */
export async function findHolder(path: string, places: LockPlaces = SYSTEM_LOCK_PLACES): Promise<string | undefined> {
  const locker = await findLockHolder(path, places.proc);
  if (locker !== undefined) return locker;
  const owner = await lockFileOwner(path, places);
  if (owner !== undefined && owner !== process.pid) return await nameProcess(String(owner), places.proc);
  if (!SERIAL_FILE.test(path)) return undefined;
  const opener = await findOpener(path, places.proc);
  return opener === undefined ? undefined : await nameProcess(opener, places.proc);
}

/** Writes the lock file, if there is a folder for it; dispose it to take it away. It never says no: `findHolder` was asked before. */
export async function writeLockFile(path: string, places: LockPlaces = SYSTEM_LOCK_PLACES): Promise<AsyncDisposable> {
  const file = lockFilePath(path, places);
  const draft = `${places.lockFolder}/LTMP.petiole.${process.pid}.${basename(path)}`;
  let isOurs = false;
  try {
    await writeFile(draft, `${String(process.pid).padStart(10)}\n`, { mode: 0o644 });
    for (let i = 0; i < TRIES_MAX && !isOurs; i++) isOurs = await tryLink(draft, file, path, places);
  } catch {
    // no such folder, or not ours to write: the kernel's lock is there all the same
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  return {
    async [Symbol.asyncDispose]() {
      if (isOurs) await unlink(file).catch(() => undefined); // somebody took it away: then it is
      isOurs = false;
    },
  };
}

/** A link comes to be whole or not at all: nobody reads a lock file without its number. */
async function tryLink(draft: string, file: string, path: string, places: LockPlaces): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
  if ((await lockFileOwner(path, places)) === undefined) await unlink(file).catch(() => undefined);
  return false;
}

/** The process that a lock file speaks of, if it is to be believed. */
async function lockFileOwner(path: string, places: LockPlaces): Promise<number | undefined> {
  const bytes = await readFile(lockFilePath(path, places)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  // HDB writes ten digits, older programs the number itself.
  const owner = bytes.length === 4 ? bytes.readInt32LE(0) : Number.parseInt(bytes.toString("latin1"), 10);
  if (!Number.isSafeInteger(owner) || owner <= 0 || owner === process.pid) return undefined; // ours of an earlier life, or of nobody
  const opened = await hasOpen(String(owner), path, places.proc);
  return opened === "gone" || opened === "no" ? undefined : owner;
}

async function findOpener(path: string, proc: string): Promise<string | undefined> {
  const processes = await readdir(proc).catch((): string[] => []);
  for (const processId of processes) {
    if (!/^\d+$/.test(processId)) continue;
    if ((await hasOpen(processId, path, proc)) === "yes") return processId;
  }
  return undefined;
}

/** `hidden`: the process lives, and is not ours to look into. */
async function hasOpen(processId: string, path: string, proc: string): Promise<"yes" | "no" | "gone" | "hidden"> {
  let descriptors: string[];
  try {
    descriptors = await readdir(`${proc}/${processId}/fd`);
  } catch (error) {
    return systemCode(error) === "ENOENT" || systemCode(error) === "ESRCH" ? "gone" : "hidden";
  }
  for (const each of descriptors.slice(0, DESCRIPTORS_MAX)) {
    if ((await readlink(`${proc}/${processId}/fd/${each}`).catch(() => "")) === path) return "yes";
  }
  return "no";
}

function lockFilePath(path: string, places: LockPlaces): string {
  return `${places.lockFolder}/LCK..${basename(path)}`;
}
