// The doors for local NATS clients: an address, TLS at it, and WebSocket. Key names are nats-server's.

import type { Report } from "#base/fault.ts";
import { fields, flag, list, nullable, optional, required, type ValueOf } from "#base/schema.ts";
import { filePath, listenAddress, parsedText } from "#base/schema-text.ts";
import { tryOrigin, type WebOrigin } from "./web-origin.ts";

export const natsListenOptions = nullable(listenAddress());

const certificates = {
  cert_file: required(filePath(), "our certificate and its chain (PEM); a renewed one is taken within 10 s, for new connections"),
  key_file: required(filePath(), "the key of our certificate (PEM)"),
  ca_file: optional(nullable(filePath()), null, "CA certificates (PEM) that vouch for clients, with verify"),
  verify: optional(flag(), false, "clients must show a certificate of ca_file"),
  verify_and_map: optional(
    flag(),
    false,
    "as verify, and a client is the user named by an e-mail address, DNS name, URI or the subject of its certificate",
  ),
};

function checkVerify(
  tls: {
    readonly verify: boolean | undefined;
    readonly verifyAndMap: boolean | undefined;
    readonly caFile: string | null | undefined;
  },
  report: Report,
): void {
  const key = tls.verifyAndMap === true ? "verify_and_map" : "verify";
  if ((tls.verify !== true && tls.verifyAndMap !== true) || tls.caFile !== null) return;
  report.fault(["ca_file"], { wanted: "the path of a file", found: "null", remedy: `${key} needs the CA of your clients` });
}

export const natsTlsOptions = fields(
  { ...certificates, handshake_first: optional(flag(), false, "TLS before anything else; clients must be set the same way") },
  checkVerify,
);

/** As a browser sends it: `https://panel.example.com`, `http://localhost:3000`. */
function webOrigin() {
  return parsedText<WebOrigin>('an origin such as "https://panel.example.com"', {}, (value) => {
    const origin = tryOrigin(value);
    if (origin !== undefined) return { value: origin };
    return { fault: { remedy: "write http:// or https://, the host and, if it is another than 80 and 443, the port; no path" } };
  });
}

export const natsWebSocketOptions = fields({
  listen: required(listenAddress(), "address for NATS clients that come by WebSocket, such as 0.0.0.0:8080"),
  tls: optional(nullable(fields(certificates, checkVerify)), null, "wss:// instead of ws://"),
  same_origin: optional(flag(), false, "a web page's script is let in only if the page came from this host and port"),
  allowed_origins: optional(
    list(webOrigin(), { max: 100 }),
    [],
    "web pages whose scripts are let in; empty: all, and whatever is no web page always is",
  ),
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
