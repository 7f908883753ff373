// `petiole run`: loads the settings, opens the spoke, and closes it on SIGTERM or SIGINT.

import * as path from "node:path";
import { MessageChannel } from "node:worker_threads";
import { ensureDirectory } from "#base/disk.ts";
import { diskFault, diskWords } from "#base/disk-words.ts";
import type { Env } from "#base/env.ts";
import { explain, isFault, PetioleError } from "#base/errors.ts";
import { formatFault } from "#base/fault.ts";
import type { Log, LogGate } from "#base/log.ts";
import { formatEndpoint } from "#base/net.ts";
import { loadConfig } from "#config/load-config.ts";
import { type Environment, isBalena } from "#config/overrides.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import { createWebDesks } from "#desks/web-desks.ts";
import { remoteName } from "#uplink/options.ts";
import { noWatchdogMachine, type WatchdogMachine } from "#watchdog/machine.ts";
import { tellServiceManager } from "#watchdog/service-manager.ts";
import { openWatchdog } from "#watchdog/watchdog.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { finishAtStart } from "../at-start.ts";
import { keepCompiled } from "../compiled.ts";
import { DATA_DIRECTORY_UNUSABLE } from "../data-lock.ts";
import { FlashTally } from "../flash-tally.ts";
import { openSpoke } from "../spoke.ts";
import { VERSION } from "../version.ts";

/** The container engine kills ten seconds after SIGTERM; we must be gone before. */
const CLOSE_WITHIN_MS = 9_000;

/** What the exit code is when the daemon ended itself to be started anew. */
const START_AGAIN = 75;

export interface Signals {
  on(name: "SIGTERM" | "SIGINT" | "SIGHUP", listener: () => void): unknown;
  off(name: "SIGTERM" | "SIGINT" | "SIGHUP", listener: () => void): unknown;
}

/** What the page shows of the log, where its files are, and what the log lets through; without a gate that stays as it is. */
export interface DaemonPage {
  readonly tail: LogTail;
  readonly folder: string | null;
  readonly gate?: LogGate;
}

/** Returns the exit code once the daemon has closed. */
export async function runDaemon(
  places: { readonly dataDir: string; readonly settingsFile?: string },
  environment: Environment,
  given: Env,
  signals: Signals,
  page: DaemonPage = { tail: new LogTail(), folder: null },
  watching: WatchdogMachine = noWatchdogMachine(),
): Promise<number> {
  const { log } = given;
  if (places.dataDir === "") return refuse(log, new Error("--data is empty; name the data directory"));
  const dataDir = path.resolve(places.dataDir);
  const flash = new FlashTally(dataDir, given.clock);
  const counted = { ...given, disk: flash.watch(given.disk) };
  try {
    await ensureDirectory(counted.disk, dataDir);
  } catch (error) {
    return refuse(log, inDataDirectory(dataDir, error));
  }
  await using watchdog = await openWatchdog({ dataDir, version: VERSION }, counted, watching);
  using _box = page.tail.listen((line) => watchdog.box.add(line));
  const env: Env = { ...counted, disk: watchdog.disk };
  let unconfirmed: SettingsDocument | undefined;
  try {
    unconfirmed = await finishAtStart(dataDir, places.settingsFile ?? path.join(dataDir, "settings.json"), env);
    await watchdog.readAgain();
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
  let reread: (() => void) | undefined;
  const onReread = () => reread?.();
  signals.on("SIGTERM", onStop);
  signals.on("SIGINT", onStop);
  signals.on("SIGHUP", onReread);
  const restart = () => stop.abort();
  const { tail, folder: pageFolder } = page;
  let isUp = false;
  try {
    const web = createWebDesks({
      loaded,
      environment,
      dataDir,
      settingsFile: places.settingsFile,
      unconfirmed,
      tail,
      pageFolder,
      env,
      flash,
      restart,
    });
    using _settings = web.settings;
    const facts = {
      dataDir,
      version: VERSION,
      isBalena: isBalena(environment),
      web,
      watchdog,
      ...(page.gate && { logGate: page.gate }),
    };
    const spoke = await openSpoke(config, facts, env, stop.signal);
    web.settings.attach(spoke.live);
    isUp = true;
    reread = () => {
      log.info("reading the settings anew, as SIGHUP asks");
      web.settings.reload().catch((error: unknown) => {
        if (!isFault(error)) throw error;
        log.warn("the settings file is not taken over", { error: explain(error) });
      });
    };
    log.info("running", {
      version: VERSION,
      server_name: config.serverName,
      settings: loaded.source,
      mqtt: spoke.mqttEndpoint === null ? "off" : formatEndpoint(spoke.mqttEndpoint),
      monitor: spoke.monitorEndpoint === null ? "off" : formatEndpoint(spoke.monitorEndpoint),
      nats: spoke.natsEndpoint === null ? "off" : formatEndpoint(spoke.natsEndpoint),
      hubs: config.leafnodes.remotes.flatMap(({ urls }) => urls.map(({ text }) => text)).join(","),
    });
    keepCompiled();
    const { exec } = watching;
    using _manager = exec === undefined ? undefined : tellServiceManager(environment, { clock: env.clock, exec, log });
    watchdog.guard({
      remotes: () => spoke.report().remotes,
      waitMax: (name) => spoke.live.running.leafnodes.remotes.find((remote) => remoteName(remote) === name)?.reconnect.max ?? 0,
      stop: restart,
    });
    await aborted(stop.signal);
    log.info("stopping: no new messages, goodbye to the hub, outbox to flash");
    using _late = env.clock.after(CLOSE_WITHIN_MS, () =>
      log.error("closing takes longer than the container engine allows; what was acknowledged is safe"),
    );
    await spoke[Symbol.asyncDispose]();
    await web.settings.settled(); // a change that came too late: the file is as it was
    log.info("stopped");
    return watchdog.isEnding ? START_AGAIN : 0;
  } catch (error) {
    if (!stop.signal.aborted) return refuse(log, inDataDirectory(dataDir, error));
    if (!isUp) return 0; // told to stop before it was up
    if (!isFault(error)) throw error;
    log.error(`not all was closed in good order: ${explain(error)}`);
    return watchdog.isEnding ? START_AGAIN : 1;
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
