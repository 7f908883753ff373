// `petiole doctor`: the field diagnosis, step by step, with the daemon running or not.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { MessageChannel } from "node:worker_threads";
import { diskFault } from "#base/disk-words.ts";
import type { Env } from "#base/env.ts";
import { isFault } from "#base/errors.ts";
import type { Environment } from "#config/overrides.ts";
import { diagnose, STEPS } from "#doctor/diagnose.ts";
import { qrSvg, qrText } from "#doctor/qr.ts";
import type { DoctorReport, Finding } from "#doctor/report.ts";
import { type ProbeSources, systemProbe } from "#doctor/system-probe.ts";
import { controlSocketPath } from "../spoke.ts";
import { VERSION } from "../version.ts";
import { checkSettings } from "./check.ts";
import { printable } from "./printable.ts";
import { fetchStatus } from "./status.ts";

export const DOCTOR_HELP_TEXT = {
  usage: `petiole doctor: walks from the clock to the disk and says of each step: fine, or cause and remedy

  petiole doctor [--json] [--qr] [--svg FILE]     also with the daemon stopped; changes nothing, disturbs nothing

  --json       the whole report, when it is complete: findings with stable codes, facts and the compact result
  --qr         the compact result as a QR code, for head office
  --svg FILE   the same as a picture

All take --data DIR (default /data) and --settings FILE.

exit 0  everything fine, or warnings at most      exit 1  something is broken, or it was told to end
exit 2  the command line was not understood

  petiole doctor --data /var/lib/petiole
  petiole doctor --json | jq '.findings[] | select(.verdict == "broken") | .cause'
`,
} as const;

export const PICTURE_NOT_WRITTEN = "PICTURE_NOT_WRITTEN";

export const DOCTOR_FINE = 0;
export const DOCTOR_BROKEN = 1;

export interface DoctorPlace {
  readonly dataDir: string;
  readonly settingsFile?: string;
  readonly environment: Environment;
  readonly env: Env;
  /** What is shown as it comes. */
  readonly write: (text: string) => void;
  readonly signal: AbortSignal;
  /** For tests. */
  readonly probe?: Pick<ProbeSources, "limits" | "places">;
}

export interface DoctorFlags {
  readonly json: boolean;
  readonly qr: boolean;
  readonly svg?: string | undefined;
}

/** Returns the exit code. */
export async function runDoctor(place: DoctorPlace, flags: DoctorFlags): Promise<number> {
  const { environment, env, signal, write } = place;
  const dataDir = path.resolve(place.dataDir);
  const { port1 } = new MessageChannel();
  port1.ref(); // a step may wait for nothing but time, and no timer of ours keeps a process alive
  try {
    const settingsFile = place.settingsFile === undefined ? {} : { settingsFile: place.settingsFile };
    const probe = systemProbe({
      env,
      dataDir,
      version: VERSION,
      settings: () => checkSettings({ dataDir, ...settingsFile, env: environment, disk: env.disk }),
      status: () => fetchStatus(controlSocketPath(dataDir)),
      ...place.probe,
    });
    const walk = diagnose(probe, signal);
    let last = "";
    for (;;) {
      const next = await walk.next();
      if (next.done) return await conclude(next.value, flags, write);
      if (flags.json || "because" in next.value.facts) continue; // what broke before was said
      write(formatFinding(next.value, next.value.step !== last));
      last = next.value.step;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    return DOCTOR_BROKEN; // told to end: nobody can say that all is fine
  } finally {
    port1.close();
  }
}

async function conclude(report: DoctorReport, flags: DoctorFlags, write: (text: string) => void): Promise<number> {
  if (flags.json) write(`${JSON.stringify(report, undefined, 2)}\n`);
  else {
    write(`\n${SUMMARY[report.verdict](report)}\nfor head office: ${report.compact}\n`);
    if (flags.qr) write(qrText(report.compact));
  }
  if (flags.svg !== undefined) await draw(flags.svg, report); // last: a folder that is not there must not cost the report
  return report.verdict === "broken" ? DOCTOR_BROKEN : DOCTOR_FINE;
}

/** Throws PICTURE_NOT_WRITTEN. */
async function draw(file: string, { compact }: DoctorReport): Promise<void> {
  try {
    await fs.writeFile(file, qrSvg(compact));
  } catch (cause) {
    if (!isFault(cause)) throw cause;
    throw diskFault(PICTURE_NOT_WRITTEN, `cannot write the picture ${file}`, cause);
  }
}

const SUMMARY: Readonly<Record<DoctorReport["verdict"], (report: DoctorReport) => string>> = {
  fine: () => "everything that was looked at is fine",
  warning: (report) => `${counted(report, "warning")}, nothing is broken`,
  broken: (report) => `${counted(report, "broken")} broken; begin with the first one, the others may follow from it`,
};

function counted({ findings }: DoctorReport, verdict: Finding["verdict"]): string {
  const count = findings.filter((finding) => finding.verdict === verdict).length;
  if (verdict === "warning") return `${count} ${count === 1 ? "warning" : "warnings"}`;
  return `${count} ${count === 1 ? "thing is" : "things are"}`;
}

const MARKS: Readonly<Record<Finding["verdict"], string>> = {
  fine: "fine   ",
  warning: "WARNING",
  broken: "BROKEN ",
  skipped: "skipped",
};

/** What comes from hubs and files is made safe to show. */
export function formatFinding(finding: Finding, isFirstOfStep: boolean): string {
  const { step, target, verdict, cause, remedy, code, facts } = finding;
  const title = STEPS.find(({ id }) => id === step)?.title ?? step;
  const lines = isFirstOfStep ? [title] : [];
  const place = target === null || cause.includes(target) ? "" : `${printable(target)}: `;
  lines.push(`  ${MARKS[verdict]}  ${place}${printable(cause)}`);
  if (remedy !== null) lines.push(`           ${printable(remedy)}${code === null ? "" : ` (${code})`}`);
  if (verdict !== "fine" && Array.isArray(facts["chain"]))
    for (const { subject, issuer, begins, ends, sha256 } of facts["chain"] as readonly Record<string, string>[])
      lines.push(`           ${printable(`certificate ${subject}, by ${issuer}, ${begins} to ${ends}, sha256 ${sha256}`)}`);
  return lines.map((line) => `${line}\n`).join("");
}
