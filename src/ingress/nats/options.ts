// The doors for local NATS clients: an address, TLS at it, and WebSocket. Key names are nats-server's.

import type { Report } from "#base/fault.ts";
import { fields, flag, nullable, optional, required, type ValueOf } from "#base/schema.ts";
import { filePath, listenAddress } from "#base/schema-text.ts";

export const natsListenOptions = nullable(listenAddress());

const certificates = {
  cert_file: required(filePath(), "our certificate and its chain (PEM); a renewed one is taken within 10 s, for new connections"),
  key_file: required(filePath(), "the key of our certificate (PEM)"),
  ca_file: optional(nullable(filePath()), null, "CA certificates (PEM) that vouch for clients, with verify"),
  verify: optional(flag(), false, "clients must show a certificate of ca_file"),
};

function checkVerify(
  tls: { readonly verify: boolean | undefined; readonly caFile: string | null | undefined },
  report: Report,
): void {
  if (tls.verify !== true || tls.caFile !== null) return;
  report.fault(["ca_file"], { wanted: "the path of a file", found: "null", remedy: "verify needs the CA of your clients" });
}

export const natsTlsOptions = fields(
  { ...certificates, handshake_first: optional(flag(), false, "TLS before anything else; clients must be set the same way") },
  checkVerify,
);

export const natsWebSocketOptions = fields({
  listen: required(listenAddress(), "address for NATS clients that come by WebSocket, such as 0.0.0.0:8080"),
  tls: optional(nullable(fields(certificates, checkVerify)), null, "wss:// instead of ws://"),
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
