// The whole settings document: every part's options under its key, and the checks that span several parts.

import { accountsOptions } from "#access/options.ts";
import type { Report } from "#base/fault.ts";
import { type FieldsValue, fields, type Loose, nullable, oneOf, optional, type Schema } from "#base/schema.ts";
import { text, token } from "#base/schema-text.ts";
import { limitsOptions } from "#core/limits-options.ts";
import { firewallOptions } from "#firewall/options.ts";
import { hostOptions } from "#ingress/host/options.ts";
import { mqttOptions } from "#ingress/mqtt/options.ts";
import { checkNatsDoors, natsListenOptions, natsTlsOptions, natsWebSocketOptions } from "#ingress/nats/options.ts";
import { serialOptions } from "#ingress/serial/options.ts";
import { monitorOptions } from "#monitor/options.ts";
import { outboxOptions } from "#outbox/options.ts";
import { leafnodesOptions } from "#uplink/options.ts";
import { webOptions } from "#web/server/options.ts";
import { checkDoorClashes } from "./door-clashes.ts";

const keys = {
  server_name: optional(
    nullable(token("a name for this device")),
    null,
    "name of this spoke at the hub, unique in the fleet; null: petiole-<device id>",
  ),
  listen: optional(natsListenOptions, null, "address for local NATS clients, such as 127.0.0.1:4222; null: off"),
  tls: optional(nullable(natsTlsOptions), null, "TLS for local NATS clients on listen, and no plain connections; null: no TLS"),
  websocket: optional(nullable(natsWebSocketOptions), null, "local NATS clients by WebSocket; null: off"),
  accounts: optional(accountsOptions, [{ name: "EDGE" }], "isolated subject spaces and their users"),
  no_auth_user: optional(
    nullable(text("a user name", { bytesMax: 256 })),
    null,
    "devices and clients that show no user come in as this one; null: they are refused",
  ),
  leafnodes: optional(leafnodesOptions, {}, "links to hubs"),
  outbox: optional(outboxOptions, {}, "what is kept while a link is down"),
  mqtt: optional(nullable(mqttOptions), null, "the MQTT port; null: off"),
  serial: optional(serialOptions, [], "serial devices"),
  host: optional(nullable(hostOptions), {}, "the device's own readings; null: none"),
  web: optional(nullable(webOptions), null, "the local page, for a browser; null: off"),
  monitor: optional(nullable(monitorOptions), {}, "monitoring by HTTP; null: off"),
  firewall: optional(firewallOptions, {}, "inbound packet filter"),
  limits: optional(limitsOptions, {}, "limits of the whole spoke"),
  log_level: optional(oneOf(["debug", "info", "warn", "error"]), "info", "what the log tells: this, and what is worse"),
};

export type Settings = FieldsValue<typeof keys>;

export const settingsSchema: Schema<Settings> = fields(keys, checkReferences);

function checkReferences(settings: NonNullable<Loose<Settings>>, report: Report): void {
  const { accounts, mqtt, leafnodes, noAuthUser } = settings;
  checkNatsDoors(settings, report);
  checkDoorClashes(settings, report);
  if (accounts === undefined) return;
  const names = accounts.flatMap((account) => account?.name ?? []);
  const hasUnknownNames = names.length < accounts.length;
  const checkAccount = (account: string | undefined, at: readonly (string | number)[]) => {
    if (account === undefined || hasUnknownNames || names.includes(account)) return;
    const remedy = `there are ${names.map((name) => `"${name}"`).join(", ")}; add one under "accounts" or name one of these`;
    report.fault(at, { wanted: "the name of an account", found: JSON.stringify(account), remedy });
  };
  checkAccount(mqtt?.account, ["mqtt", "account"]);
  for (const [i, remote] of (leafnodes?.remotes ?? []).entries())
    checkAccount(remote?.account, ["leafnodes", "remotes", i, "account"]);

  const users = accounts.flatMap((account) => account?.users ?? []);
  if (typeof noAuthUser !== "string" || users.some((user) => user === undefined || user.user === noAuthUser)) return;
  report.fault(["no_auth_user"], {
    wanted: "the name of a user",
    found: JSON.stringify(noAuthUser),
    remedy: "add that user under an account, or write null",
  });
}
