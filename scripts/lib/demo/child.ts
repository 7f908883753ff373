// The demo's own programs. Each runs in a session of its own, so that a Ctrl-C on the terminal reaches the demo alone, which then
// ends them in the right order; and the kernel ends them should the demo die without a chance to do so (setpriv's pdeathsig).

import { setTimeout as sleep } from "node:timers/promises";
import { SpawnedProcess, type SpawnOptions } from "../../../test/support/processes.ts";

export async function startChild(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<SpawnedProcess> {
  return await SpawnedProcess.start("setsid", ["setpriv", "--pdeathsig", "KILL", "--", command, ...args], options);
}

/** Calls `onEnd` with a sentence when the child ends before `signal` is aborted. */
export function watchChild(child: SpawnedProcess, title: string, signal: AbortSignal, onEnd: (why: Error) => void): void {
  void child.exited.then(({ code, signal: by }) => {
    if (signal.aborted) return;
    const said = lastLines(child.output, 8);
    onEnd(new Error(`${title} ended by itself with ${by ?? `code ${code}`}${said === "" ? "" : `. Its last words:\n${said}`}`));
  });
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

/** Sleeps; rejects with the signal's own reason when it is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await sleep(Math.max(0, ms), undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** The promise's outcome, or a rejection with the signal's reason if that comes first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
