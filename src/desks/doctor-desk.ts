// The doctor as the page asks for it: of this daemon, from inside, or of a hub that somebody is about to write into the settings.
//
//   settings on flash ─┬─────────────────────────────▶ all steps
//                      └─ remotes: [the candidate] ──▶ the steps that are about hubs

import { isObject } from "#base/decode.ts";
import type { Env } from "#base/env.ts";
import { formatFault } from "#base/fault.ts";
import { type CheckReport, checkSettings } from "#cli/check.ts";
import { mergeSecrets } from "#config/merge-secrets.ts";
import type { Environment } from "#config/overrides.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import { diagnose, STEPS } from "#doctor/diagnose.ts";
import type { DoctorReport } from "#doctor/report.ts";
import { systemProbe } from "#doctor/system-probe.ts";
import type { StatusReport } from "#status/report.ts";
import { WEB_FAULTS, WebRefusal } from "#web/server/errors.ts";
import type { DoctorDesk } from "#web/server/live-desks.ts";

export interface DoctorDeskDeps {
  readonly dataDir: string;
  /** Default: settings.json in the data directory. */
  readonly settingsFile?: string | undefined;
  readonly version: string;
  readonly environment: Environment;
  readonly env: Env;
  readonly status: () => StatusReport;
}

/** What is found on the way to one hub. The clock: without it no certificate is valid. */
const HUB_STEPS: ReadonlySet<string> = new Set([
  "clock",
  "interfaces",
  "gateway",
  "dns",
  "reach",
  "greeting",
  "certificate",
  "login",
  "permissions",
  "isolation",
  "interest",
  "streams",
]);
const PLACE = "leafnodes.remotes[0]";

export function createDoctorDesk(deps: DoctorDeskDeps): DoctorDesk {
  return {
    async prepare(remote) {
      const isWhole = remote === undefined;
      const steps = isWhole ? STEPS : STEPS.filter(({ id }) => HUB_STEPS.has(id));
      const candidate = isWhole ? undefined : await candidateOf(remote, deps);
      const { dataDir, version, env } = deps;
      const settings = () => (candidate === undefined ? check(deps) : Promise.resolve(candidate));
      const probe = systemProbe({ env, dataDir, version, settings, status: async () => deps.status() });
      return {
        steps: steps.map(({ id }) => id),
        async run(onFinding, signal) {
          const walk = diagnose(probe, signal, steps);
          for (;;) {
            const next = await walk.next();
            if (next.done) return doneOf(next.value);
            onFinding(next.value);
          }
        },
      };
    },
  };
}

/** Throws WEB_FAULTS. */
async function candidateOf(remote: unknown, deps: DoctorDeskDeps): Promise<CheckReport> {
  let left: CheckReport["faults"] = [];
  const report = await check(deps, (document) => {
    const leafnodes = { ...(isObject(document["leafnodes"]) ? document["leafnodes"] : {}), remotes: [remote] };
    const merged = mergeSecrets({ ...document, leafnodes }, document);
    left = merged.faults;
    return merged.document;
  });
  const faults = [...left, ...report.faults];
  // What else is wrong in the settings is no matter here as long as there is something to try.
  const own = faults.filter(({ path }) => path.startsWith(PLACE));
  const told = report.config === undefined || own.length > 0 ? (own.length > 0 ? own : faults) : [];
  if (told.length > 0) throw new WebRefusal(400, WEB_FAULTS, told.map(formatFault).join("; "), { faults: told });
  return report;
}

function check(
  { dataDir, settingsFile, environment, env }: DoctorDeskDeps,
  instead?: (document: SettingsDocument) => unknown,
): Promise<CheckReport> {
  const places = { dataDir, ...(settingsFile === undefined ? {} : { settingsFile }) };
  return checkSettings({ ...places, env: environment, disk: env.disk, ...(instead === undefined ? {} : { instead }) });
}

function doneOf(report: DoctorReport): object {
  const counts = { fine: 0, warning: 0, broken: 0, skipped: 0 };
  for (const { verdict } of report.findings) counts[verdict] += 1;
  const { verdict, compact, version, server_name, device_id, now } = report;
  return { summary: { verdict, ...counts }, compact, version, server_name, device_id, now };
}
