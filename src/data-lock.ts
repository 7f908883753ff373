// One daemon per data directory. The kernel keeps the lock: it ends with the process, however the process ends.
//
// An abstract Unix socket named after the directory's device and inode; nothing lies on disk, so nothing can be left behind.

import { stat } from "node:fs/promises";
import { createServer } from "node:net";
import { PetioleError, systemCode } from "#base/errors.ts";

export const DATA_DIRECTORY_IN_USE = "DATA_DIRECTORY_IN_USE";

/** Throws DATA_DIRECTORY_IN_USE if another daemon of this network namespace holds it. */
export async function lockDataDirectory(dataDir: string): Promise<AsyncDisposable> {
  const { dev, ino } = await stat(dataDir);
  const server = createServer((stream) => stream.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen({ path: `\0petiole-${dev}-${ino}` }, resolve);
  try {
    await promise;
  } catch (cause) {
    if (systemCode(cause) !== "EADDRINUSE") throw cause;
    const message = `another petiole daemon works in ${dataDir}; stop it first, or give this one its own --data directory`;
    throw new PetioleError(DATA_DIRECTORY_IN_USE, message, { remedy: "never", cause });
  }
  server.unref();
  return {
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}
