// Settings that every door with TLS or WebSocket has. Key names are nats-server's.

import type { Report } from "#base/fault.ts";
import { fields, flag, list, nullable, optional, required, type ValueOf } from "#base/schema.ts";
import { filePath, parsedText } from "#base/schema-text.ts";
import { tryOrigin, type WebOrigin } from "./web-origin.ts";

/** Keys of a `tls` block. */
export const certificateKeys = {
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

/** Clients' certificates cannot be verified without a CA. */
export function checkCertificates(
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

/** The certificate alone, for doors whose address stands elsewhere. */
export const certificateOptions = fields(certificateKeys, checkCertificates);

export type CertificateOptions = ValueOf<typeof certificateOptions>;

/** As a browser sends it: `https://panel.example.com`, `http://localhost:3000`. */
function webOrigin() {
  return parsedText<WebOrigin>('an origin such as "https://panel.example.com"', {}, (value) => {
    const origin = tryOrigin(value);
    if (origin !== undefined) return { value: origin };
    return { fault: { remedy: "write http:// or https://, the host and, if it is another than 80 and 443, the port; no path" } };
  });
}

/** Keys of a `websocket` block that say which web pages are let in. */
export const originKeys = {
  same_origin: optional(flag(), false, "a web page's script is let in only if the page came from this host and port"),
  allowed_origins: optional(
    list(webOrigin(), { max: 100 }),
    [],
    "web pages whose scripts are let in; empty: all, and whatever is no web page always is",
  ),
};
