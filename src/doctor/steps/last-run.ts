// How the last run ended, if it did not end well: kept by the watchdog in the data directory, so it is there with the daemon stopped, too.

import { parseTimestamp } from "#base/clock.ts";
import { type CrashRecord, crashFileName, readCrash } from "#watchdog/crash-record.ts";
import { DOCTOR_LAST_RUN } from "../errors.ts";
import { DEVICE, type Draft, warning } from "../finding.ts";
import type { Probe } from "../probe.ts";

/** What is older than this is history; so is what a clock that is wrong dated later than now. */
const MATTERS_MS = 7 * 86_400_000;

const REMEDIES = {
  loop: "nobody but us can mend that: report it",
  bug: "nobody but us can mend that: report it",
  uplink: "if it comes again, report it",
  disk: "look at the card and its seat, and at the system's log (dmesg); have a spare card ready. If both are well, report it",
} as const satisfies Readonly<Record<CrashRecord["kind"], string>>;

export async function lastRun({ dataDir, env }: Probe): Promise<readonly Draft[]> {
  const crash = await readCrash(env.disk, dataDir);
  if (crash === undefined) return [];
  const { kind, reason, at, version, uptimeSeconds } = crash;
  const age = env.clock.wall() - (parseTimestamp(at) ?? 0);
  if (age < -MATTERS_MS || age > MATTERS_MS) return [];
  return [
    warning(
      DEVICE,
      {
        code: DOCTOR_LAST_RUN,
        cause: `an earlier run did not end well (${at}): ${reason.split("\n")[0]}`,
        remedy: `${REMEDIES[kind]}, with ${dataDir}/${crashFileName}: the last lines of its log are in it`,
      },
      { kind, at, version, uptime_seconds: uptimeSeconds, log: crash.log.slice(-10) },
    ),
  ];
}
