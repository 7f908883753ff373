// What the steps of one examination know: what was looked up before the first of them, and what each leaves behind for later ones.

import { isFault, PetioleError } from "#base/errors.ts";
import type { Config } from "#config/config.ts";
import type { StatusReport } from "#status/report.ts";
import { DOCTOR_STEP_FAILED } from "./errors.ts";
import type { Draft } from "./finding.ts";
import { type HubCase, hubCasesOf } from "./hub/hub-case.ts";
import type { Probe, SettingsLook } from "./probe.ts";
import { type TimeLimit, within } from "./within.ts";

export interface Scene {
  readonly probe: Probe;
  /** A fault: they could not be looked at. */
  readonly settings: SettingsLook | Error;
  /** undefined: the settings leave nothing to go by. */
  readonly config: Config | undefined;
  /** Of the running daemon; undefined: none answers. */
  readonly status: StatusReport | undefined;
  /** Why none answers; undefined where one does. */
  readonly statusFault: Error | undefined;
  /** One per hub URL, in the order of the settings. */
  readonly hubs: readonly HubCase[];
  /** Host names that have no address. */
  readonly nameless: Set<string>;
}

export interface Step {
  /** Stable, for programs. */
  readonly id: string;
  /** For people: "the clock". */
  readonly title: string;
  /** May throw faults of operation: they become a finding. */
  run(scene: Scene, signal: AbortSignal): Promise<readonly Draft[]>;
}

/**
 * What every step may build on, whichever are taken: the settings, and what the daemon says of itself. Rejects for the signal, never for
 * a fault; what hangs is given up as a step is.
 */
export async function openScene(probe: Probe, signal: AbortSignal): Promise<Scene> {
  const settings = await faultOr(() => probe.settings(), stepLimit(probe, "the settings", signal));
  const status = await faultOr(() => probe.status(), stepLimit(probe, "the daemon", signal));
  const config = settings instanceof Error ? undefined : settings.config;
  const known = status instanceof Error ? undefined : status;
  return {
    probe,
    settings,
    config,
    status: known,
    statusFault: status instanceof Error ? status : undefined,
    hubs: config === undefined ? [] : await hubCasesOf(config, known, probe, signal),
    nameless: new Set(),
  };
}

/** How long the examination waits for one part of it. */
export function stepLimit({ env, limits }: Probe, title: string, signal: AbortSignal): TimeLimit {
  const words = `${title} could not be examined within ${limits.step / 1000} s; something hangs there, so look at this part first`;
  return { clock: env.clock, limit: limits.step, signal, late: () => new PetioleError(DOCTOR_STEP_FAILED, words) };
}

async function faultOr<T>(look: () => Promise<T>, limit: TimeLimit): Promise<T | Error> {
  try {
    return await within(limit, look);
  } catch (error) {
    limit.signal.throwIfAborted();
    if (!isFault(error) || !(error instanceof Error)) throw error;
    return error;
  }
}
