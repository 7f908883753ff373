// The monitoring port: plain HTTP, read-only, for scripts and scrapers on the device itself.

import { fields, optional, type ValueOf } from "#base/schema.ts";
import { listenAddress } from "#base/schema-text.ts";

export const monitorOptions = fields({
  listen: optional(
    listenAddress(),
    "127.0.0.1:8222",
    "address of /healthz and /metrics; they ask for no login, so keep it local",
  ),
});

export type MonitorOptions = ValueOf<typeof monitorOptions>;
