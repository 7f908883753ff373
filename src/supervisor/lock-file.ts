// The update lock as balena's supervisor understands it: a file whose existence keeps it from updating, restarting and rebooting for a new
// setting, and an exclusive flock on the same file, which keeps the host's own update from rebooting.
//
// Node has no flock. The lock belongs to the open file, not to a process: `flock -x 3` takes it on a file that we opened and hand down, and it
// stays ours after that program has ended, until we close the file.

import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { systemCode } from "#base/errors.ts";

/** As the supervisor mounts it into every service. */
export const lockPlace = "/tmp/balena/updates.lock";

/** The supervisor takes the same file when it updates, as this user. */
const SUPERVISOR_UID = 65_534;

export interface LockFile {
  /** undefined: somebody else has it. Disposing lets it go. */
  take(): Promise<AsyncDisposable | undefined>;
  /** Removes what an earlier life of ours left behind; it would keep updates out until the next reboot. True: there was one. */
  clearStale(): Promise<boolean>;
}

/** undefined where there is no such place: no balena, nothing to lock out. `searchPath`: where flock is. */
export async function systemLockFile(file: string, searchPath = "/usr/bin:/bin"): Promise<LockFile | undefined> {
  const folder = await fs.stat(path.dirname(file)).catch(() => undefined); // not on balena
  if (folder === undefined || !folder.isDirectory()) return undefined;
  return {
    take: () => take(file, searchPath),
    async clearStale() {
      const found = await fs.stat(file).catch(() => undefined); // none: the usual
      if (found === undefined || found.uid === SUPERVISOR_UID) return false;
      await remove(file);
      return true;
    },
  };
}

async function take(file: string, searchPath: string): Promise<AsyncDisposable | undefined> {
  let handle: fs.FileHandle;
  try {
    handle = await fs.open(file, "wx", 0o600);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return undefined;
    throw error;
  }
  const letGo = async () => {
    try {
      if (await isSameFile(file, handle)) await remove(file);
    } finally {
      await handle.close();
    }
  };
  try {
    await lockOpenFile(handle.fd, searchPath);
  } catch (error) {
    await letGo(); // a file without anybody who lets it go would keep updates out for good
    throw error;
  }
  return { [Symbol.asyncDispose]: letGo };
}

/** Overridden by the supervisor, the file there may be another's by now. */
async function isSameFile(file: string, handle: fs.FileHandle): Promise<boolean> {
  const [there, ours] = await Promise.all([fs.stat(file).catch(() => undefined), handle.stat()]); // gone: nothing to remove
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}

/** Without the program the file alone has to do: it keeps out all but the host's own update. */
async function lockOpenFile(fd: number, searchPath: string): Promise<void> {
  const child = spawn("flock", ["-x", "-n", "3"], {
    stdio: ["ignore", "ignore", "ignore", fd],
    env: { PATH: searchPath },
    timeout: 5_000,
    killSignal: "SIGKILL",
  });
  await once(child, "close").catch(() => undefined); // there is no flock
}

async function remove(file: string): Promise<void> {
  try {
    await fs.unlink(file);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error; // the supervisor was told to override it
  }
}
