// A certificate that a device signs for itself: X.509 v3, ECDSA P-256 with SHA-256, DER by hand (RFC 5280, X.690).
//
//   Certificate ::= SEQUENCE { tbsCertificate, algorithm, signature }
//
// Valid from 2025 to the end of 2049, whatever the clock says: a board without a battery makes it before it knows the date, and it is
// trusted for its fingerprint, not for its dates.

import { createPrivateKey, generateKeyPair, type KeyObject, sign } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { promisify } from "node:util";
import type { Entropy } from "#base/entropy.ts";

export interface OwnCertificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const NOT_BEFORE = "250101000000Z";
const NOT_AFTER = "491231235959Z";
const NAME_CHARS_MAX = 64;

const OID = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  basicConstraints: [0x55, 0x1d, 0x13],
  keyUsage: [0x55, 0x1d, 0x0f],
  extendedKeyUsage: [0x55, 0x1d, 0x25],
  subjectAltName: [0x55, 0x1d, 0x11],
  serverAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
} as const;

/** `names`: host names and addresses, the first is the common name. */
export async function makeCertificate(names: readonly string[], entropy: Entropy): Promise<OwnCertificate> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const signing = createPrivateKey(privateKey);
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const toBeSigned = tbsCertificate(names, publicKey, algorithm, entropy);
  const der = sequence(toBeSigned, algorithm, bitString(signature(toBeSigned, signing)));
  const body = der
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n");
  return { cert: `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`, key: privateKey };
}

function signature(bytes: Buffer, key: KeyObject): Buffer {
  return sign("sha256", bytes, { key, dsaEncoding: "der" });
}

function tbsCertificate(names: readonly string[], publicKey: Buffer, algorithm: Buffer, entropy: Entropy): Buffer {
  const serial = entropy.bytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40; // positive, and never with an empty first byte
  const name = distinguishedName(names[0]!);
  return sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))), // v3
    tagged(0x02, serial),
    algorithm,
    name,
    sequence(tagged(0x17, Buffer.from(NOT_BEFORE)), tagged(0x17, Buffer.from(NOT_AFTER))),
    name,
    publicKey,
    tagged(
      0xa3,
      sequence(
        extension(OID.basicConstraints, true, sequence()), // no CA
        extension(OID.keyUsage, true, tagged(0x03, Buffer.from([7, 0x80]))), // digitalSignature
        extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth))),
        extension(OID.subjectAltName, false, sequence(...names.map(generalName))),
      ),
    ),
  );
}

function distinguishedName(commonName: string): Buffer {
  const value = tagged(0x0c, Buffer.from(commonName.slice(0, NAME_CHARS_MAX)));
  return sequence(tagged(0x31, sequence(oid(OID.commonName), value)));
}

function generalName(name: string): Buffer {
  if (isIPv4(name)) return tagged(0x87, Buffer.from(name.split(".").map(Number)));
  if (isIPv6(name)) return tagged(0x87, ipv6Bytes(name));
  return tagged(0x82, Buffer.from(name, "latin1"));
}

function ipv6Bytes(address: string): Buffer {
  const text = address.split("%")[0]!.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const word = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);
    return `${word(a, b)}:${word(c, d)}`;
  });
  const [head = "", tail] = text.split("::");
  const words = (part: string) => (part === "" ? [] : part.split(":"));
  const [left, right] = [words(head), words(tail ?? "")];
  const all = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return Buffer.from(all.map((word) => word.padStart(4, "0")).join(""), "hex");
}

function extension(id: readonly number[], isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [tagged(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...critical, tagged(0x04, value));
}

function oid(id: readonly number[]): Buffer {
  return tagged(0x06, Buffer.from(id));
}

function bitString(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
