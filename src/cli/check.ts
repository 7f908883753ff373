// `petiole check`: every fault of the settings in one go. Reads only: nothing is hashed, written or made.

import * as path from "node:path";
import type { Disk } from "#base/disk.ts";
import { type Fault, formatFault, formatPath } from "#base/fault.ts";
import { applyOverrides, blame } from "#config/apply-overrides.ts";
import { type Config, parseConfig } from "#config/config.ts";
import { readIdentity } from "#config/identity.ts";
import { brokenFault } from "#config/load-config.ts";
import { type Environment, readOverrides } from "#config/overrides.ts";
import { settingsSchema } from "#config/settings.ts";
import { type SettingsDocument, SettingsFile } from "#config/settings-file.ts";

export interface CheckOptions {
  readonly dataDir: string;
  /** Default: settings.json in the data directory. */
  readonly settingsFile?: string;
  readonly env: Environment;
  readonly disk: Disk;
  /** Another document instead, made of the one that is there with its overrides: to try something out. Faults are this one's alone. */
  readonly instead?: (document: SettingsDocument) => unknown;
}

export interface CheckReport {
  readonly file: string;
  /** false: no such file, so the defaults were checked. */
  readonly isThere: boolean;
  readonly faults: readonly Fault[];
  readonly overridden: readonly { readonly path: string; readonly variable: string }[];
  readonly config: Config | undefined;
}

/** Exit codes of the command. */
export const CHECK_FINE = 0;
export const CHECK_FAULTS = 1;

export async function checkSettings(options: CheckOptions): Promise<CheckReport> {
  const file = new SettingsFile(options.disk, options.settingsFile ?? path.join(options.dataDir, "settings.json"));
  const version = await file.current();
  const overrides = readOverrides(options.env, settingsSchema.node);
  const overridden = overrides.list.map((each) => ({ path: formatPath(each.path), variable: each.variable }));
  const deviceId = (await readIdentity(options.disk, options.dataDir).catch(() => undefined)) ?? "0000000000";

  if (version.state === "broken") {
    const faults = [brokenFault(version), ...overrides.faults];
    return { file: file.path, isThere: true, faults, overridden, config: undefined };
  }
  const { instead } = options;
  const applied = applyOverrides(version.state === "whole" ? version.document : {}, overrides.list);
  const context = { deviceId, dataDir: options.dataDir };
  if (instead !== undefined) {
    const tried = parseConfig(instead(applied.document), context);
    return { file: file.path, isThere: version.state === "whole", ...tried, overridden };
  }
  const parsed = parseConfig(applied.document, context);
  const faults = [...overrides.faults, ...[...applied.faults, ...parsed.faults].map((fault) => blame(fault, overrides.list))];
  return { file: file.path, isThere: version.state === "whole", faults, overridden, config: parsed.config };
}

export function checkExitCode(report: CheckReport): number {
  return report.faults.length === 0 ? CHECK_FINE : CHECK_FAULTS;
}

/** For people; ends with a line break. */
export function formatCheck(report: CheckReport): string {
  const name = report.isThere ? report.file : `${report.file} (no such file: defaults)`;
  const sources = report.overridden.map(({ path, variable }) => `  ${path} comes from ${variable}`);
  if (report.faults.length === 0) return lines([`${name}: fine`, ...sources]);
  const count = report.faults.length === 1 ? "1 fault" : `${report.faults.length} faults`;
  return lines([`${name}: ${count}`, ...report.faults.map((fault) => `  ${formatFault(fault)}`), ...sources]);
}

/** For programs: `{ file, is_there, ok, faults: [{ path, kind, wanted, found, remedy }], overridden: [{ path, variable }] }`. */
export function formatCheckJson(report: CheckReport): string {
  const { file, isThere, faults, overridden } = report;
  return `${JSON.stringify({ file, is_there: isThere, ok: faults.length === 0, faults, overridden }, undefined, 2)}\n`;
}

function lines(list: readonly string[]): string {
  return list.map((line) => `${line}\n`).join("");
}
