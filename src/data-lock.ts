// One daemon per data directory, wherever it runs: a lock that the kernel keeps and that ends with the process, however that ends.
//
//   data directory/lock   a record lock on this empty file. It holds across containers (namespaces of network and processes) on one
//                         volume, and no power cut or kill -9 leaves it behind: the file stays, the lock does not.
//   control.sock          a daemon that answers there is one, even if somebody removed the file it has locked.
//   abstract socket       only if the file cannot be locked (a full disk at the very first start): named after the directory's device
//                         and inode, it holds within one network namespace.
//
// Node has no call that locks a file; SQLite within it has, and asks nothing for it but a database that is never written.
//
// Nothing but a living daemon stops a start; what else is wrong with the lock is said, and the start goes on.
// Tests: test/unit/data-lock.test.ts, test/integration/outbox-directory.test.ts

import { constants } from "node:fs";
import { access, open, stat, truncate } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { diskFault, diskWords } from "#base/disk-words.ts";
import { explain, isFault, PetioleError, systemCode } from "#base/errors.ts";
import type { Log } from "#base/log.ts";

export const DATA_DIRECTORY_IN_USE = "DATA_DIRECTORY_IN_USE";
export const DATA_DIRECTORY_UNUSABLE = "DATA_DIRECTORY_UNUSABLE";

/** Two that try in the same instant disturb each other; one of them gets it well within this time. */
const CONTEST_MS = 250;
/** Primary result codes of SQLite. */
const BUSY = 5;
const READ_ONLY = 8;
const CORRUPT = 11;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;

export interface LockPlace {
  /** Exists. */
  readonly dataDir: string;
  /** Where a daemon answers. */
  readonly controlSocket: string;
}

/** Throws DATA_DIRECTORY_IN_USE if another daemon works there, DATA_DIRECTORY_UNUSABLE if nothing can be written there. */
export async function lockDataDirectory({ dataDir, controlSocket }: LockPlace, log: Log): Promise<AsyncDisposable> {
  await using scope = new AsyncDisposableStack();
  const file = `${dataDir}/lock`;
  try {
    scope.use(await lockFile(file, dataDir));
  } catch (error) {
    if (error instanceof PetioleError || !isFault(error)) throw error;
    await mustBeWritable(dataDir);
    const words = diskWords(error) ?? { found: "cannot be locked", remedy: "remove it" };
    log.warn(
      `${file} ${words.found}; the start goes on, but a second daemon in another container might not be noticed. To mend: ${words.remedy}`,
      { error: explain(error) },
    );
    scope.use(await lockName(dataDir, log));
  }
  if (await isAnswered(controlSocket)) throw inUse(dataDir);
  return scope.move();
}

async function mustBeWritable(dataDir: string): Promise<void> {
  try {
    await access(dataDir, constants.W_OK);
  } catch (cause) {
    throw diskFault(DATA_DIRECTORY_UNUSABLE, `cannot write into the data directory ${dataDir}`, cause);
  }
}

function inUse(dataDir: string, cause?: unknown): PetioleError {
  const message = `another petiole daemon works in ${dataDir}; stop it first, or give this one its own --data directory`;
  return new PetioleError(DATA_DIRECTORY_IN_USE, message, { remedy: "never", ...(cause === undefined ? {} : { cause }) });
}

/** Throws DATA_DIRECTORY_IN_USE, or the fault for which the file cannot be locked. */
async function lockFile(path: string, dataDir: string): Promise<AsyncDisposable> {
  await createIfMissing(path);
  for (let tries = 1; ; tries++) {
    try {
      return tryLockFile(path);
    } catch (cause) {
      const result = resultOf(cause);
      if (result === BUSY) throw inUse(dataDir);
      if (result === CANNOT_OPEN || result === READ_ONLY) throw await refusalOf(path, cause);
      // Somebody wrote into it. It is locked before it is looked at, so nobody holds it: emptied in place, never replaced, so that
      // whoever does the same at this moment locks the same file.
      if ((result !== NOT_A_DATABASE && result !== CORRUPT) || tries > 1) throw cause;
      await truncate(path, 0);
    }
  }
}

/** Never opens one that exists: closing it again would free a lock that this process may have on it. */
async function createIfMissing(path: string): Promise<void> {
  try {
    const handle = await open(path, "wx", 0o600);
    await handle.close();
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

/** The system's own fault: SQLite does not say why it cannot open a file. */
async function refusalOf(path: string, cause: unknown): Promise<unknown> {
  try {
    const handle = await open(path, "r+");
    await handle.close();
    return cause;
  } catch (refusal) {
    return refusal;
  }
}

/** Blocks for as long as CONTEST_MS when another has it. */
function tryLockFile(path: string): AsyncDisposable {
  const database = new DatabaseSync(path, { timeout: CONTEST_MS });
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    throw error;
  }
  let isOpen = true;
  return {
    async [Symbol.asyncDispose]() {
      if (isOpen) database.close(); // nothing was written: the file is as empty as before
      isOpen = false;
    },
  };
}

function resultOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

async function lockName(dataDir: string, log: Log): Promise<AsyncDisposable> {
  const { dev, ino } = await stat(dataDir);
  const listener = createServer((stream) => stream.destroy());
  const listening = Promise.withResolvers<void>();
  listener.once("error", listening.reject).listen({ path: `\0petiole-${dev}-${ino}` }, listening.resolve);
  try {
    await listening.promise;
  } catch (cause) {
    if (systemCode(cause) === "EADDRINUSE") throw inUse(dataDir, cause);
    log.warn("nor can a name be locked: nothing keeps a second daemon away", { error: explain(cause) });
    return { [Symbol.asyncDispose]: async () => undefined };
  }
  listener.unref();
  return {
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      listener.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

/** A socket that was left behind refuses at once; one that is listened to takes the call, or is too busy to. */
async function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const call = createConnection({ path });
  call.once("connect", () => resolve(true)).once("error", (error) => resolve(systemCode(error) === "EAGAIN"));
  try {
    return await promise;
  } finally {
    call.destroy();
  }
}
