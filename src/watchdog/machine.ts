// What the watchdog does to the process itself. A test, and whatever runs on a clock turned by hand, brings its own.

import { type Exec, systemExec } from "#base/exec.ts";
import { type CrashRecord, writeCrashNow } from "./crash-record.ts";
import type { WatchdogLimits } from "./limits.ts";
import { type OpenLoopWatch, openLoopWatch } from "./loop-watch.ts";

export interface WatchdogMachine {
  /** Runs the service manager's own program. Absent: nobody is told that the daemon runs. */
  readonly exec?: Exec;
  /** Absent: the usual ones. */
  readonly limits?: WatchdogLimits;
  readonly openLoopWatch: OpenLoopWatch;
  /** Ends the process at once: with threads that hang in the kernel nothing else does. */
  kill(): void;
  /** Keeps the record before this call returns. */
  writeNow(dataDir: string, record: CrashRecord): void;
  /** Hears of what nobody caught, before the process dies of it. */
  onBug(listener: (error: unknown) => void): Disposable;
}

export function systemWatchdogMachine(): WatchdogMachine {
  return {
    exec: systemExec(),
    openLoopWatch,
    kill: () => void process.kill(process.pid, "SIGKILL"),
    writeNow: writeCrashNow,
    onBug(listener) {
      process.on("uncaughtExceptionMonitor", listener);
      return { [Symbol.dispose]: () => void process.off("uncaughtExceptionMonitor", listener) };
    },
  };
}

/** Watches nothing outside of the seams and kills nobody. */
export function noWatchdogMachine(): WatchdogMachine {
  return {
    openLoopWatch: () => ({ [Symbol.asyncDispose]: async () => undefined }),
    kill: () => undefined,
    writeNow: () => undefined,
    onBug: () => ({ [Symbol.dispose]: () => undefined }),
  };
}
