// What the page may ask of the device, made of its parts: settings, backups, restart and factory reset.

import type { Low } from "lowdb";
import { isObject } from "#base/decode.ts";
import type { Env } from "#base/env.ts";
import { formatPath } from "#base/fault.ts";
import type { LoadedConfig } from "#config/load-config.ts";
import { type Environment, readOverrides } from "#config/overrides.ts";
import { settingsSchema } from "#config/settings.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import { openBackup, sealBackup } from "#web/server/backup.ts";
import type { DeviceDesk, SettingsDesk } from "#web/server/desks.ts";
import { WEB_BACKUP, WebRefusal } from "#web/server/errors.ts";
import { systemHostFacts } from "#web/server/host-facts.ts";
import type { HostFacts } from "#web/server/host-names.ts";
import type { LogTail } from "#web/server/log-tail.ts";
import { usersOfBackup } from "#web/server/users.ts";
import { gatherBackup, spreadSecrets, usersIn } from "./backup-files.ts";
import { requestFactoryReset } from "./factory-reset.ts";
import { SettingsKeeper } from "./settings-keeper.ts";

/** What the page's server needs that the spoke does not have. */
export interface WebDesks {
  readonly host: HostFacts;
  readonly tail: LogTail;
  readonly settings: SettingsDesk | null;
  readonly device: DeviceDesk | null;
  readonly pageFolder: string | null;
}

export interface RunFacts {
  readonly loaded: LoadedConfig;
  readonly environment: Environment;
  readonly dataDir: string;
  readonly unconfirmed: SettingsDocument | undefined;
  readonly tail: LogTail;
  readonly pageFolder: string | null;
  readonly env: Env;
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
  return { host: systemHostFacts(), tail: run.tail, settings: keeper, device, pageFolder: run.pageFolder };
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
      await keeper.replace(contents.settings as SettingsDocument); // refuses before anything is written
      await spreadSecrets(contents, dataDir, env.disk);
      return { users };
    },
    requestReset: () => requestFactoryReset(env.disk, dataDir),
    restart,
  };
}
