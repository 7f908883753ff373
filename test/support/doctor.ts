// The doctor in a set-up of a test's own: settings in a folder, limits that make silence short, and what it found made easy to ask for.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { silentLog } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import type { Json } from "#base/schema.ts";
import { examine, STEPS } from "#doctor/diagnose.ts";
import type { DoctorLimits, DoctorPlaces, Probe } from "#doctor/probe.ts";
import type { DoctorReport, Finding } from "#doctor/report.ts";
import { systemProbe } from "#doctor/system-probe.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { checkSettings } from "../../src/cli/check.ts";
import { fetchStatus } from "../../src/cli/status.ts";
import { controlSocketPath } from "../../src/spoke.ts";
import { LEAF } from "./hub.ts";
import { tempFolder } from "./temp-folder.ts";

export interface DoctorSetup {
  /** Of `leafnodes.remotes`; logs in as the hubs' leaf user unless it says otherwise. */
  readonly remote?: { readonly [key: string]: Json };
  /** Laid over the whole document. */
  readonly settings?: { readonly [key: string]: Json };
  /** Default: a folder of its own, with these settings in it. With one given, the settings there count. */
  readonly dataDir?: string;
  readonly env?: Partial<Env>;
  readonly limits?: Partial<DoctorLimits>;
  readonly places?: Partial<DoctorPlaces>;
  /** Steps to take; default: all but those that look at this machine. */
  readonly steps?: readonly string[];
  readonly probe?: (probe: Probe) => Probe;
}

/** What may differ from machine to machine is left out unless a test asks for it. */
const STEPS_OF_SETUP = STEPS.map(({ id }) => id).filter((id) => !["interfaces", "gateway", "card", "power"].includes(id));
const LIMITS: Partial<DoctorLimits> = { dial: 3_000, greeting: 600, dns: 400, phase: 4_000, streams: 4_000 };

export function doctorSettings({ remote, settings }: DoctorSetup): { readonly [key: string]: Json } {
  const login = { user: LEAF.user, password: LEAF.password };
  const hasLogin = remote !== undefined && ["user", "credentials", "nkey"].some((key) => key in remote);
  return {
    server_name: "gw-1",
    leafnodes: { remotes: remote === undefined ? [] : [{ ...(hasLogin ? {} : login), ...remote }] },
    mqtt: null,
    monitor: null,
    outbox: { free_reserve: "0B" },
    ...settings,
  };
}

export async function doctorOn(setup: DoctorSetup): Promise<DoctorReport> {
  await using scope = new AsyncDisposableStack();
  const dataDir = setup.dataDir ?? scope.use(await tempFolder("petiole-doctor")).path;
  if (setup.dataDir === undefined || setup.remote !== undefined || setup.settings !== undefined)
    await fs.writeFile(path.join(dataDir, "settings.json"), JSON.stringify(doctorSettings(setup)));
  const clock = systemClock();
  const env: Env = {
    clock,
    disk: systemDisk(),
    net: systemNet(),
    tty: systemTty(),
    entropy: systemEntropy(),
    log: silentLog(),
    ...setup.env,
  };
  const probe = systemProbe({
    env,
    dataDir,
    version: "test",
    settings: () => checkSettings({ dataDir, env: {}, disk: env.disk }),
    status: () => fetchStatus(controlSocketPath(dataDir)),
    limits: { ...LIMITS, ...setup.limits },
    ...(setup.places === undefined ? {} : { places: setup.places }),
  });
  const wanted = setup.steps ?? STEPS_OF_SETUP;
  const steps = STEPS.filter(({ id }) => wanted.includes(id));
  return await examine(setup.probe?.(probe) ?? probe, AbortSignal.timeout(30_000), steps);
}

/** What a set-up must be called. */
export interface Named {
  readonly step: string;
  readonly code: string;
  readonly detail?: string;
  readonly cause: RegExp;
  readonly remedy: RegExp;
  readonly verdict?: "warning";
}

/** Exactly this is broken, or warned of, and nothing else is broken. */
export function assertNamed(report: DoctorReport, { step, code, detail, cause, remedy, verdict }: Named): Finding {
  const about = verdict ?? "broken";
  const told = report.findings.filter((finding) => finding.verdict === "broken" || finding.verdict === about);
  const found = told.find((finding) => finding.step === step && finding.verdict === about);
  const text = JSON.stringify(told, undefined, 1);
  assert.ok(found !== undefined, `step ${step} is not ${about}: ${text}`);
  assert.deepEqual(
    report.findings.filter((finding) => finding.verdict === "broken").map((finding) => finding.step),
    about === "broken" ? [step] : [],
    text,
  );
  assert.equal(found.code, code, text);
  if (detail !== undefined) assert.equal(found.detail, detail, text);
  assert.match(found.cause, cause);
  assert.match(found.remedy ?? "", remedy);
  assert.ok(report.compact.includes(code), report.compact);
  assert.ok(!/-password|SUA[A-Z2-7]{20}/.test(JSON.stringify(report)), "no secret of a test's login is told");
  return found;
}

export function findingOf(report: DoctorReport, step: string): Finding {
  const found = report.findings.find((finding) => finding.step === step);
  assert.ok(found !== undefined, `no finding of ${step}`);
  return found;
}
