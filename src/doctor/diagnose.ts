// The examination: one step after the other, each finding handed out as soon as its step is done.
//
//   settings → daemon → clock → interfaces → gateway → dns → reach → greeting → certificate → login → same_name → permissions
//            → isolation → interest → streams → disk → card → power → serial → ports
//
//   for await (const finding of diagnose(probe, signal)) show(finding);
//
// A step that breaks down or hangs is a finding, too, and the rest goes on.

import { type Millis, timestamp } from "#base/clock.ts";
import { isFault } from "#base/errors.ts";
import { compactOf } from "./compact.ts";
import { troubleOf } from "./fault-words.ts";
import { broken, DEVICE, type Draft } from "./finding.ts";
import type { Probe } from "./probe.ts";
import type { DoctorReport, Finding } from "./report.ts";
import { openScene, type Scene, type Step, stepLimit } from "./scene.ts";
import { cardStep } from "./steps/card.ts";
import { certificateStep } from "./steps/certificate.ts";
import { clockStep } from "./steps/clock.ts";
import { daemonStep } from "./steps/daemon.ts";
import { diskStep } from "./steps/disk.ts";
import { dnsStep } from "./steps/dns.ts";
import { gatewayStep } from "./steps/gateway.ts";
import { greetingStep } from "./steps/greeting.ts";
import { interestStep } from "./steps/interest.ts";
import { interfacesStep } from "./steps/interfaces.ts";
import { isolationStep } from "./steps/isolation.ts";
import { loginStep } from "./steps/login.ts";
import { permissionsStep } from "./steps/permissions.ts";
import { portsStep } from "./steps/ports.ts";
import { powerStep } from "./steps/power.ts";
import { reachStep } from "./steps/reach.ts";
import { sameNameStep } from "./steps/same-name.ts";
import { serialStep } from "./steps/serial.ts";
import { settingsStep } from "./steps/settings.ts";
import { streamsStep } from "./steps/streams.ts";
import { within } from "./within.ts";

/** In this order: what a later step says is worth little where an earlier one is broken. */
export const STEPS: readonly Step[] = Object.freeze([
  settingsStep,
  daemonStep,
  clockStep,
  interfacesStep,
  gatewayStep,
  dnsStep,
  reachStep,
  greetingStep,
  certificateStep,
  loginStep,
  sameNameStep,
  permissionsStep,
  isolationStep,
  interestStep,
  streamsStep,
  diskStep,
  cardStep,
  powerStep,
  serialStep,
  portsStep,
]);

/** Ends with the signal's reason when that is aborted; nothing is left open. */
export async function* diagnose(
  probe: Probe,
  signal: AbortSignal,
  steps: readonly Step[] = STEPS,
): AsyncGenerator<Finding, DoctorReport> {
  const scene = await openScene(probe, signal);
  const findings: Finding[] = [];
  for (const step of steps) {
    const startedAt = probe.env.clock.now();
    const drafts = await take(step, scene, signal);
    const took = Math.round(probe.env.clock.now() - startedAt);
    for (const draft of drafts) {
      const finding = finish(step, draft, took);
      findings.push(finding);
      yield finding;
    }
  }
  return reportOf(findings, scene);
}

/** All of it at once. */
export async function examine(probe: Probe, signal: AbortSignal, steps: readonly Step[] = STEPS): Promise<DoctorReport> {
  const walk = diagnose(probe, signal, steps);
  for (;;) {
    const next = await walk.next();
    if (next.done) return next.value;
  }
}

async function take(step: Step, scene: Scene, signal: AbortSignal): Promise<readonly Draft[]> {
  try {
    return await within(stepLimit(scene.probe, step.title, signal), (inner) => step.run(scene, inner));
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return [broken(DEVICE, troubleOf(error))];
  }
}

function finish({ id }: Step, draft: Draft, took: Millis): Finding {
  return { step: id, ...draft, took_ms: took };
}

function reportOf(findings: readonly Finding[], { probe, config, status }: Scene): DoctorReport {
  const wall = probe.env.clock.wall();
  const name = config?.serverName ?? status?.server_name ?? null;
  const has = (verdict: Finding["verdict"]) => findings.some((finding) => finding.verdict === verdict);
  return {
    version: probe.version,
    server_name: name,
    device_id: config?.deviceId ?? status?.device_id ?? null,
    now: timestamp(wall),
    verdict: has("broken") ? "broken" : has("warning") ? "warning" : "fine",
    findings,
    compact: compactOf(findings, { version: probe.version, name: name ?? "", wall }),
  };
}
