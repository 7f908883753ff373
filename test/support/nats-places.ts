// The door for NATS clients twice: ours from a settings document, nats-server 2.15 from its configuration, for tests in which a
// difference is a finding.
//
//   for (const [name, open] of Object.entries(PLACES)) test(`${name}: …`, async () => {
//     await using place = await open(accounts([{ user: "old", password: "x" }]));

import assert from "node:assert/strict";
import { createAuthenticator } from "#access/authenticator.ts";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { formatFault } from "#base/fault.ts";
import { silentLog } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { parseConfig } from "#config/config.ts";
import { hashPasswords } from "#config/hash-passwords.ts";
import type { SettingsDocument } from "#config/settings-file.ts";
import { openNats } from "#ingress/nats/nats-ingress.ts";
import { AccountRouter } from "#router/router.ts";
import { NatsServer, type ServerConfig } from "./nats-server.ts";

const LOOPBACK = "127.0.0.1:0";

export interface Place extends AsyncDisposable {
  readonly port: number;
  readonly webSocketPort: number;
}

/** What differs between the two is only how they are told. */
export interface Setup {
  readonly ours: SettingsDocument;
  readonly theirs: ServerConfig;
}

export const PLACES: Readonly<Record<string, (setup: Setup) => Promise<Place>>> = {
  async ours({ ours }) {
    const env = { clock: systemClock(), net: systemNet(), disk: systemDisk(), entropy: systemEntropy(), log: silentLog() };
    const document = structuredClone({ listen: LOOPBACK, ...ours }) as SettingsDocument;
    await hashPasswords(document, env.entropy);
    const { config, faults } = parseConfig(document, { deviceId: "0123456789", dataDir: "/nowhere" });
    assert.ok(config !== undefined, faults.map(formatFault).join());
    const accounts = new Map(config.accounts.map(({ name }) => [name, new AccountRouter(name, env.entropy)] as const));
    const authenticator = createAuthenticator(config, env);
    const { serverName, limits, tls, websocket } = config;
    const deps = { env, serverName, authenticator, accounts, limits, tls, websocket };
    const ingress = await openNats(config.listen!, deps, new AbortController().signal);
    return {
      port: ingress.endpoint.port,
      webSocketPort: ingress.webSocketEndpoint?.port ?? 0,
      [Symbol.asyncDispose]: () => ingress[Symbol.asyncDispose](),
    };
  },
  async "nats-server 2.15"({ theirs }) {
    const server = await NatsServer.start({ version: "2.15", config: theirs });
    return {
      port: server.port("client"),
      webSocketPort: "websocket" in theirs ? server.port("websocket") : 0,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
};

export const ANYONE = { user: "anyone", password: "correct horse" };

/** Both with one account and these users, `anyone` among them, who needs no login. */
export function accounts(
  users: readonly object[],
  trusted_keys: readonly string[] = [],
): { ours: SettingsDocument; theirs: ServerConfig } {
  const all = [ANYONE, ...users];
  return {
    ours: {
      no_auth_user: "anyone",
      accounts: [{ name: "EDGE", users: all.map((user) => ({ ...user, nats: true })), trusted_keys: [...trusted_keys] }],
    },
    theirs: { no_auth_user: "anyone", accounts: { EDGE: { users: all } } },
  };
}
