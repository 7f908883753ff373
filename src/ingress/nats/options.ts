// The doors for local NATS clients: an address, TLS at it, and WebSocket. Key names are nats-server's.

import type { Report } from "#base/fault.ts";
import { fields, flag, nullable, optional, required, type ValueOf } from "#base/schema.ts";
import { listenAddress } from "#base/schema-text.ts";
import { certificateKeys, certificateOptions, checkCertificates, originKeys } from "#doors/options.ts";

export const natsListenOptions = nullable(listenAddress());

export const natsTlsOptions = fields(
  {
    ...certificateKeys,
    handshake_first: optional(flag(), false, "TLS before anything else; clients must be set the same way"),
  },
  checkCertificates,
);

export const natsWebSocketOptions = fields({
  listen: required(listenAddress(), "address for NATS clients that come by WebSocket, such as 0.0.0.0:8080"),
  tls: optional(nullable(certificateOptions), null, "wss:// instead of ws://"),
  ...originKeys,
});

export type NatsTlsOptions = ValueOf<typeof natsTlsOptions>;
export type NatsWebSocketOptions = ValueOf<typeof natsWebSocketOptions>;

/** For the document that holds them side by side. */
export function checkNatsDoors(
  doors: { readonly listen: unknown; readonly tls: unknown; readonly websocket: unknown },
  report: Report,
): void {
  if (doors.listen !== null) return;
  for (const key of ["tls", "websocket"] as const) {
    if (doors[key] == null) continue;
    report.fault([key], { wanted: "listen beside it", found: "no listen", remedy: "set listen, such as 127.0.0.1:4222" });
  }
}
