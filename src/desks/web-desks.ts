// What the page may ask of the device, made of its parts: settings, backups, restart and factory reset.

import { dirname } from "node:path";
import type { Low } from "lowdb";
import { gatherBackup, spreadSecrets, usersIn } from "#backup-files.ts";
import { isObject } from "#base/decode.ts";
import type { Env } from "#base/env.ts";
import { formatPath } from "#base/fault.ts";
import { systemKernelFiles } from "#base/kernel-files.ts";
import { applyOverrides } from "#config/apply-overrides.ts";
import type { LoadedConfig } from "#config/load-config.ts";
import { type Environment, readOverrides } from "#config/overrides.ts";
import { settingsSchema } from "#config/settings.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import { requestFactoryReset } from "#factory-reset.ts";
import { flashLife } from "#flash-life.ts";
import type { FlashTally } from "#flash-tally.ts";
import { SettingsKeeper } from "#live/settings-keeper.ts";
import type { FlashReport } from "#status/history-report.ts";
import type { StatusReport } from "#status/report.ts";
import { systemHttp } from "#supervisor/http.ts";
import { Supervisor, supervisorPlace } from "#supervisor/supervisor.ts";
import { VERSION } from "#version.ts";
import { openBackup, sealBackup } from "#web/server/backup.ts";
import type { AboutDesk, DeviceDesk, SecretsDesk, SettingsDesk, SupervisorDesk } from "#web/server/desks.ts";
import { WEB_BACKUP, WebRefusal } from "#web/server/errors.ts";
import { systemHostFacts } from "#web/server/host-facts.ts";
import type { HostFacts } from "#web/server/host-names.ts";
import type { DoctorDesk } from "#web/server/live-desks.ts";
import type { LogTail } from "#web/server/log-tail.ts";
import { usersOfBackup } from "#web/server/users.ts";
import { createAboutDesk } from "./about-desk.ts";
import { createDoctorDesk } from "./doctor-desk.ts";
import { createSecretsDesk } from "./secret-desk.ts";
import { createSupervisorDesk } from "./supervisor-desk.ts";

/** What the page's server needs that the spoke does not have. */
export interface WebDesks {
  readonly host: HostFacts;
  readonly tail: LogTail;
  readonly settings: SettingsDesk | null;
  readonly device: DeviceDesk | null;
  readonly about?: AboutDesk;
  readonly secrets?: SecretsDesk | null;
  readonly supervisor?: SupervisorDesk | null;
  /** What was written to flash; absent: nobody counts. */
  readonly flash?: () => Promise<FlashReport>;
  /** A doctor who asks the running daemon by `status`; absent: none. */
  readonly openDoctor?: (status: () => StatusReport) => DoctorDesk;
  readonly pageFolder: string | null;
}

export interface RunFacts {
  readonly loaded: LoadedConfig;
  readonly environment: Environment;
  readonly dataDir: string;
  /** Default: settings.json in the data directory. */
  readonly settingsFile?: string | undefined;
  readonly unconfirmed: SettingsDocument | undefined;
  readonly tail: LogTail;
  readonly pageFolder: string | null;
  readonly env: Env;
  /** Absent: nobody counts what is written to flash. */
  readonly flash?: FlashTally;
  restart(): void;
}

/** For a daemon; the caller disposes of `settings`. */
export function createWebDesks(run: RunFacts): WebDesks & { readonly settings: SettingsKeeper } {
  const { loaded, dataDir, env } = run;
  const config = loaded.config!; // nothing runs without one
  const decided = new Set(loaded.overridden.map(({ path }) => path));
  const overrides = readOverrides(run.environment, settingsSchema.node).list.filter(({ path }) => decided.has(formatPath(path)));
  const log = env.log.part("web");
  const restart = () => {
    log.info("restarting, as the page asked");
    run.restart();
  };
  const context = { deviceId: config.deviceId, dataDir };
  const { settings } = loaded;
  const keeper = new SettingsKeeper({
    settings,
    overrides,
    context,
    unconfirmed: run.unconfirmed,
    env: { ...env, log },
    restart,
  });
  const device = createDeviceDesk({ dataDir, serverName: config.serverName, settings, keeper, env, restart });
  const { settingsFile, environment } = run;
  const openDoctor = (status: () => StatusReport) =>
    createDoctorDesk({ dataDir, settingsFile, version: VERSION, environment, env, status });
  const { tail, pageFolder } = run;
  const place = supervisorPlace(environment);
  const supervisor = place === undefined ? null : createSupervisorDesk(new Supervisor(place, systemHttp), env.clock);
  const files = systemKernelFiles();
  const hostOs = environment["BALENA_HOST_OS_VERSION"] ?? null;
  const programFolder = pageFolder === null ? null : dirname(pageFolder);
  const about = createAboutDesk({ files, disk: env.disk, programFolder, hostOs, supervisor });
  const secrets = createSecretsDesk({
    disk: env.disk,
    dataDir,
    settings: () => applyOverrides(settings.data, overrides).document,
    previous: () => applyOverrides(keeper.previous ?? {}, overrides).document,
  });
  const { flash: tally } = run;
  const flash = tally && (async () => ({ ...tally.report(), life: await flashLife(files, dataDir, env.clock.wall()) }));
  const views = { about, secrets, supervisor, ...(flash === undefined ? {} : { flash }) };
  return { host: systemHostFacts(), tail, settings: keeper, device, openDoctor, ...views, pageFolder };
}

export interface DeviceDeskDeps {
  readonly dataDir: string;
  readonly serverName: string;
  readonly settings: Low<SettingsDocument>;
  readonly keeper: SettingsKeeper;
  readonly env: Pick<Env, "clock" | "disk" | "entropy">;
  restart(): void;
}

export function createDeviceDesk({ dataDir, serverName, settings, keeper, env, restart }: DeviceDeskDeps): DeviceDesk {
  return {
    async exportBackup(passphrase) {
      return await sealBackup(await gatherBackup(settings.data, { dataDir, device: serverName }, env), passphrase, env.entropy);
    },
    async restoreBackup(bytes, passphrase) {
      const contents = await openBackup(bytes, passphrase);
      if (!isObject(contents.settings)) throw new WebRefusal(400, WEB_BACKUP, "the backup holds no settings");
      const users = usersIn(contents);
      if (users !== undefined) usersOfBackup(users);
      await keeper.replace(contents.settings as SettingsDocument, () => spreadSecrets(contents, dataDir, env.disk));
      return { users };
    },
    requestReset: () => requestFactoryReset(env.disk, dataDir),
    restart,
  };
}
