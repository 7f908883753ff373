// What the steps of one examination know: what was looked up before the first of them, and what each leaves behind for later ones.

import { isFault } from "#base/errors.ts";
import type { Config } from "#config/config.ts";
import type { StatusReport } from "#status/report.ts";
import type { Draft } from "./finding.ts";
import { type HubCase, hubCasesOf } from "./hub/hub-case.ts";
import type { Probe, SettingsLook } from "./probe.ts";

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

/** What every step may build on, whichever are taken: the settings, and what the daemon says of itself. Never rejects for a fault. */
export async function openScene(probe: Probe): Promise<Scene> {
  const settings = await faultOr(() => probe.settings());
  const status = await faultOr(() => probe.status());
  const config = settings instanceof Error ? undefined : settings.config;
  const known = status instanceof Error ? undefined : status;
  return {
    probe,
    settings,
    config,
    status: known,
    statusFault: status instanceof Error ? status : undefined,
    hubs: config === undefined ? [] : await hubCasesOf(config, known, probe),
    nameless: new Set(),
  };
}

async function faultOr<T>(look: () => Promise<T>): Promise<T | Error> {
  try {
    return await look();
  } catch (error) {
    if (!isFault(error) || !(error instanceof Error)) throw error;
    return error;
  }
}
