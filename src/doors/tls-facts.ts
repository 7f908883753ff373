// What a TLS handshake agreed on, as the monitor shows it, and the names in the client's certificate.

import { createHash, type X509Certificate } from "node:crypto";
import { TLSSocket } from "node:tls";
import { type CertificateNames, certificateNames } from "#access/certificate-names.ts";
import type { ByteStream } from "#base/net.ts";

export interface TlsFacts {
  /** `1.3` */
  readonly version: string;
  /** IANA's name. */
  readonly cipher: string;
  readonly isFirst: boolean;
  /** The client is the user whom its certificate names. */
  readonly isMapped: boolean;
  /** null: it showed no certificate that was looked at. */
  readonly names: CertificateNames | null;
  readonly certificate: CertificateFacts | null;
}

export interface CertificateFacts {
  readonly subject: string;
  /** SHA-256 in hexadecimal: of the public key (SPKI), and of the whole. */
  readonly keyHash: string;
  readonly hash: string;
}

/** `verifies`: certificates of clients were asked for and verified. */
export function tlsFacts(
  secured: ByteStream,
  { isFirst, isMapped, verifies }: { readonly isFirst: boolean; readonly isMapped: boolean; readonly verifies: boolean },
): TlsFacts | null {
  if (!(secured instanceof TLSSocket)) return null;
  const certificate = verifies && secured.authorized ? secured.getPeerX509Certificate() : undefined;
  const names = certificate === undefined ? null : certificateNames(certificate);
  const { standardName = "" } = secured.getCipher() ?? {};
  return {
    version: (secured.getProtocol() ?? "").replace(/^TLSv/, ""),
    cipher: standardName,
    isFirst,
    isMapped,
    names,
    certificate: certificate === undefined ? null : certificateFacts(certificate, names?.subject ?? ""),
  };
}

function certificateFacts({ publicKey, raw }: X509Certificate, subject: string): CertificateFacts {
  const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
  return { subject, keyHash: hash(publicKey.export({ type: "spki", format: "der" })), hash: hash(raw) };
}
