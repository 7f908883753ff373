// The certificate that the device made for its page, in secrets/: made at the first start with tls "self-signed", and kept.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { type Disk, ensureDirectory, readWhole, replaceWhole } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { makeCertificate } from "./certificate.ts";

const CERT_FILE = "web-cert.pem";
const KEY_FILE = "web-key.pem";
const PEM_BYTES_MAX = 16 * 1024;

export interface OwnCertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes it if there is none, or half of one. */
export async function openOwnCertificate(
  disk: Disk,
  dataDir: string,
  names: readonly string[],
  entropy: Entropy,
): Promise<OwnCertificateFiles> {
  const directory = `${dataDir}/secrets`;
  const files = { certFile: `${directory}/${CERT_FILE}`, keyFile: `${directory}/${KEY_FILE}` };
  if (await isPair(disk, files)) return files;
  await ensureDirectory(disk, directory);
  const { cert, key } = await makeCertificate(names, entropy);
  await replaceWhole(disk, directory, KEY_FILE, Buffer.from(key));
  await replaceWhole(disk, directory, CERT_FILE, Buffer.from(cert));
  return files;
}

/** SHA-256 of the certificate in this file, as browsers show it; undefined if there is none. */
export async function fingerprintOf(disk: Disk, certFile: string): Promise<string | undefined> {
  const pem = await readWhole(disk, certFile, PEM_BYTES_MAX);
  try {
    return pem === undefined ? undefined : new X509Certificate(pem).fingerprint256;
  } catch {
    return undefined; // not a certificate; the server says so when it starts
  }
}

/** Where the fingerprint of a self-signed one is read by the command line. */
export function ownCertificateFile(dataDir: string): string {
  return `${dataDir}/secrets/${CERT_FILE}`;
}

async function isPair(disk: Disk, { certFile, keyFile }: OwnCertificateFiles): Promise<boolean> {
  const [cert, key] = [await readWhole(disk, certFile, PEM_BYTES_MAX), await readWhole(disk, keyFile, PEM_BYTES_MAX)];
  if (cert === undefined || key === undefined) return false;
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false; // torn or rotten: a new one is made
  }
}
