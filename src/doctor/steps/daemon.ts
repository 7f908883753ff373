// Does the daemon run, does it answer, and what does it say of itself? From its status the other steps take what it knows.

import { DATA_DIRECTORY_IN_USE } from "#data-lock.ts";
import type { StatusReport } from "#status/report.ts";
import { DOCTOR_DAEMON_DEGRADED, DOCTOR_DAEMON_FAILED, DOCTOR_DAEMON_SILENT, DOCTOR_DAEMON_STOPPED } from "../errors.ts";
import { troubleOf } from "../fault-words.ts";
import { broken, DEVICE, type Draft, fine, type Target, warning } from "../finding.ts";
import type { Scene, Step } from "../scene.ts";
import { lastRun } from "./last-run.ts";

const REASONS_SHOWN_MAX = 5;

export const daemonStep: Step = {
  id: "daemon",
  title: "the daemon",
  async run(scene: Scene): Promise<readonly Draft[]> {
    return [await thisRun(scene), ...(await lastRun(scene.probe))];
  },
};

async function thisRun({ probe, status, statusFault }: Scene): Promise<Draft> {
  const about: Target = { target: probe.dataDir, ref: null };
  if (status !== undefined) return ofHealth(status);
  const holder = await probe.lockHolder();
  const { cause, remedy, detail } = troubleOf(statusFault);
  if (holder !== undefined)
    return broken(about, {
      code: DOCTOR_DAEMON_SILENT,
      detail: DATA_DIRECTORY_IN_USE,
      cause: `${holder} works in this data directory, but no daemon answers there (${cause})`,
      remedy: "it hangs, or runs where its control socket is not seen (another container); restart it, and let only one run",
    });
  if (detail == null || !ABSENT.has(detail))
    return broken(about, { code: DOCTOR_DAEMON_SILENT, detail: detail ?? null, cause, remedy });
  return warning(about, {
    code: DOCTOR_DAEMON_STOPPED,
    cause: "the daemon does not run: nothing is taken and nothing is sent",
    remedy: `start it with "petiole run --data ${probe.dataDir}"`,
  });
}

/** No socket, or one that was left behind (cli/status.ts). */
const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ECONNREFUSED", "ENOTDIR"]);

function ofHealth({ health, version, uptime_seconds, device_id }: StatusReport): Draft {
  const facts = { version, uptime_seconds, device_id, verdict: health.verdict, reasons: health.reasons };
  if (health.verdict === "ok") return fine(DEVICE, `the daemon runs (version ${version}) and says that all is well`, facts);
  const cause = `the daemon runs, but says: ${health.reasons.slice(0, REASONS_SHOWN_MAX).join(" | ")}`;
  if (health.verdict === "failed")
    return broken(
      DEVICE,
      { code: DOCTOR_DAEMON_FAILED, cause, remedy: "it takes nothing reliably now; mend what it names, the first one first" },
      facts,
    );
  return warning(
    DEVICE,
    { code: DOCTOR_DAEMON_DEGRADED, cause, remedy: "it works on; see what the steps below say of it" },
    facts,
  );
}
