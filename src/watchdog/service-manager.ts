// systemd, where it started us: told when the daemon runs, and from then on, twice in the time it grants, that it still does. It ends a
// process that says nothing: the net below our own watchdog, for a process whose threads all stand still.
//
// Its socket takes datagrams, which Node has none of for such sockets: its own program systemd-notify says it for us, a process a minute.
// Source: sd_notify(3), systemd.service(5) WatchdogSec.

import type { Clock, Millis } from "#base/clock.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Exec } from "#base/exec.ts";
import type { Log } from "#base/log.ts";

const TELL_WITHIN_MS: Millis = 20_000;
/** A busy board may not get a process started in time: told again soon, or the next word could come too late. */
const AGAIN_MS: Millis = 5_000;

export interface ServiceManagerEnv {
  readonly clock: Clock;
  readonly exec: Exec;
  readonly log: Log;
}

/** Says that the daemon runs, and goes on saying it until disposed. Does nothing where no systemd waits for it. */
export function tellServiceManager(
  environment: Readonly<Record<string, string | undefined>>,
  env: ServiceManagerEnv,
): Disposable {
  const socket = environment["NOTIFY_SOCKET"];
  const scope = new DisposableStack();
  if (!socket) return scope;
  const ending = new AbortController();
  scope.defer(() => ending.abort());
  let isToldOf = false;
  const again = new Map<string, Disposable>();
  scope.defer(() => {
    for (const timer of again.values()) timer[Symbol.dispose]();
  });
  const tellAgain = (...words: readonly string[]) => {
    const key = words.join(" ");
    again.get(key)?.[Symbol.dispose]();
    const timer = env.clock.after(AGAIN_MS, () => void tell(...words));
    again.set(key, timer);
  };
  const tell = async (...words: readonly string[]) => {
    try {
      const args = [`NOTIFY_SOCKET=${socket}`, "systemd-notify", ...words];
      const { status, stderr } = await env.exec.run({ file: "env", args, timeoutMs: TELL_WITHIN_MS }, ending.signal);
      if (status === 0) return;
      tellAgain(...words);
      if (isToldOf) return;
      isToldOf = true;
      env.log.warn("systemd could not be told that the daemon runs; it may start it anew", { status, error: stderr.trim() });
    } catch (error) {
      if (ending.signal.aborted) return;
      if (!isFault(error)) throw error;
      tellAgain(...words);
      if (!isToldOf) env.log.warn("systemd could not be told that the daemon runs", { error: explain(error) });
      isToldOf = true;
    }
  };
  void tell("--ready");
  const grantedMs = Number(environment["WATCHDOG_USEC"]) / 1000;
  if (grantedMs > 0) scope.use(env.clock.every(grantedMs / 2, () => void tell("WATCHDOG=1")));
  return scope;
}
