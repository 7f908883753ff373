// `petiole run`: loads the settings, opens the spoke, and closes it on SIGTERM or SIGINT.

import * as path from "node:path";
import { MessageChannel } from "node:worker_threads";
import { ensureDirectory } from "#base/disk.ts";
import { diskFault, diskWords } from "#base/disk-words.ts";
import type { Env } from "#base/env.ts";
import { explain, PetioleError } from "#base/errors.ts";
import { formatFault } from "#base/fault.ts";
import type { Log } from "#base/log.ts";
import { formatEndpoint } from "#base/net.ts";
import { loadConfig } from "#config/load-config.ts";
import { type Environment, isBalena } from "#config/overrides.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { finishAtStart } from "../at-start.ts";
import { DATA_DIRECTORY_UNUSABLE } from "../data-lock.ts";
import { openSpoke } from "../spoke.ts";
import { VERSION } from "../version.ts";
import { createWebDesks } from "../web-desks.ts";

/** The container engine kills ten seconds after SIGTERM; we must be gone before. */
const CLOSE_WITHIN_MS = 9_000;

export interface Signals {
  on(name: "SIGTERM" | "SIGINT" | "SIGHUP", listener: () => void): unknown;
  off(name: "SIGTERM" | "SIGINT" | "SIGHUP", listener: () => void): unknown;
}

/** Returns the exit code once the daemon has closed. */
export async function runDaemon(
  places: { readonly dataDir: string; readonly settingsFile?: string },
  environment: Environment,
  env: Env,
  signals: Signals,
  page: { readonly tail: LogTail; readonly folder: string | null } = { tail: new LogTail(), folder: null },
): Promise<number> {
  const { log } = env;
  if (places.dataDir === "") return refuse(log, new Error("--data is empty; name the data directory"));
  const dataDir = path.resolve(places.dataDir);
  try {
    await ensureDirectory(env.disk, dataDir);
  } catch (error) {
    return refuse(log, inDataDirectory(dataDir, error));
  }
  let unconfirmed: SettingsDocument | undefined;
  try {
    unconfirmed = await finishAtStart(dataDir, places.settingsFile ?? path.join(dataDir, "settings.json"), env);
  } catch (error) {
    return refuse(log, inDataDirectory(dataDir, error));
  }
  const loaded = await loadConfig({ ...places, dataDir, env: environment, disk: env.disk, entropy: env.entropy });
  for (const warning of loaded.warnings) log.warn(warning);
  for (const fault of loaded.faults) log.error(`settings: ${formatFault(fault)}`);
  if (loaded.config === undefined) {
    log.error('nothing to run with; mend the settings ("petiole check" lists every fault) and start again');
    return 1;
  }
  const { config } = loaded;
  const stop = new AbortController();
  const onStop = () => stop.abort();
  const onReread = () => log.warn("SIGHUP: reading the settings anew is not supported yet; restart the daemon instead");
  signals.on("SIGTERM", onStop);
  signals.on("SIGINT", onStop);
  signals.on("SIGHUP", onReread);
  const restart = () => stop.abort();
  const { tail, folder: pageFolder } = page;
  try {
    const web = createWebDesks({ loaded, environment, dataDir, unconfirmed, tail, pageFolder, env, restart });
    using _settings = web.settings;
    const facts = { dataDir, version: VERSION, isBalena: isBalena(environment), web };
    const spoke = await openSpoke(config, facts, env, stop.signal);
    log.info("running", {
      version: VERSION,
      server_name: config.serverName,
      settings: loaded.source,
      mqtt: spoke.mqttEndpoint === null ? "off" : formatEndpoint(spoke.mqttEndpoint),
      monitor: spoke.monitorEndpoint === null ? "off" : formatEndpoint(spoke.monitorEndpoint),
      nats: spoke.natsEndpoint === null ? "off" : formatEndpoint(spoke.natsEndpoint),
      hubs: config.leafnodes.remotes.flatMap(({ urls }) => urls.map(({ text }) => text)).join(","),
    });
    await aborted(stop.signal);
    log.info("stopping: no new messages, goodbye to the hub, outbox to flash");
    using _late = env.clock.after(CLOSE_WITHIN_MS, () =>
      log.error("closing takes longer than the container engine allows; what was acknowledged is safe"),
    );
    await spoke[Symbol.asyncDispose]();
    log.info("stopped");
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0; // told to stop before it was up
    return refuse(log, inDataDirectory(dataDir, error));
  } finally {
    signals.off("SIGTERM", onStop);
    signals.off("SIGINT", onStop);
    signals.off("SIGHUP", onReread);
  }
}

function refuse(log: Log, error: unknown): number {
  log.error(`cannot run: ${explain(error)}`);
  return 1;
}

/** What the disk says of a path, in our words instead of the system's; everything else as it is. */
function inDataDirectory(dataDir: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("path" in error) || error instanceof PetioleError || diskWords(error) === undefined)
    return error;
  return diskFault(DATA_DIRECTORY_UNUSABLE, `cannot work in the data directory ${dataDir}`, error);
}

/** Keeps the process alive until the signal is aborted. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { port1 } = new MessageChannel();
  port1.ref(); // every door may be off, and no timer of ours keeps a process alive
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  port1.close();
}
