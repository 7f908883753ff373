// The names a client's certificate shows, in the order in which users are looked for (nats-server's): e-mail addresses, DNS names,
// URIs, and the subject.

import type { X509Certificate } from "node:crypto";
import { type DistinguishedName, tryDistinguishedName } from "./distinguished-name.ts";

export interface CertificateNames {
  readonly emails: readonly string[];
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /** Most specific first, as RFC 4514 writes it: `CN=gw-7,O=Acme`. "" if it has none. */
  readonly subject: string;
  readonly dn: DistinguishedName | undefined;
}

export function certificateNames({
  subject,
  subjectAltName,
}: Pick<X509Certificate, "subject" | "subjectAltName">): CertificateNames {
  const found: Record<string, string[]> = { email: [], DNS: [], URI: [] };
  for (const [, kind, quoted, plain] of (subjectAltName ?? "").matchAll(/(\w[\w ]*):(?:("(?:[^"\\]|\\.)*")|([^,]*))(?:, |$)/g))
    found[kind!]?.push(quoted === undefined ? plain! : (JSON.parse(quoted) as string));
  const text = subjectText(subject ?? "");
  return {
    emails: found["email"]!,
    dnsNames: found["DNS"]!,
    uris: found["URI"]!,
    subject: text,
    dn: tryDistinguishedName(text),
  };
}

/** Node has one RDN a line, the least specific first. */
function subjectText(lines: string): string {
  const rdns = lines === "" ? [] : lines.split("\n").reverse();
  return rdns.map((rdn) => rdn.split(" + ").join("+")).join(",");
}
