// The local page: where it listens, how it is secured, and for how long a login holds.

import { duration, either, fields, list, nullable, oneOf, optional, required, type ValueOf } from "#base/schema.ts";
import { filePath, listenAddress, text } from "#base/schema-text.ts";

const tlsOptions = nullable(
  either({
    text: oneOf(["self-signed"]),
    object: fields({
      cert_file: required(filePath(), "certificate and its chain (PEM); a renewed one is taken within 10 s, for new connections"),
      key_file: required(filePath(), "the key of the certificate (PEM)"),
    }),
  }),
);

export const webOptions = fields({
  listen: optional(listenAddress(), "0.0.0.0:80", "address of the page; 0.0.0.0 means every network"),
  tls: optional(
    tlsOptions,
    null,
    'HTTPS: "self-signed" for a certificate that the device makes (its fingerprint: petiole status), or files; null: plain HTTP',
  ),
  allowed_hosts: optional(
    list(text("a host name such as gw-7.example.com", { pattern: "^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$" }), {
      max: 50,
    }),
    [],
    "names under which the page answers, beside its own addresses, localhost, its host name and server_name (each with .local too)",
  ),
  session_idle: optional(duration("1m", "12h"), "15m", "a login ends after so long without a request"),
  session_max: optional(duration("5m", "7d"), "8h", "a login ends after so long in any case"),
});

export type WebOptions = ValueOf<typeof webOptions>;
