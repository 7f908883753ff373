// A pinned public key: SHA-256 of a certificate's SubjectPublicKeyInfo, as nats-server's `pinned_certs` (hex) or RFC 7469 (base64) write it.

import type { Parsed, Schema } from "#base/schema.ts";
import { parsedText } from "#base/schema-text.ts";

const SHA256_BYTES = 32;

/** Decodes to 64 lower-case hex digits. */
export function spkiPin(): Schema<string> {
  return parsedText('a SHA-256 in hex, or "sha256/" and base64', { bytesMax: 128 }, parseSpkiPin);
}

export function parseSpkiPin(text: string): Parsed<string> {
  if (/^[0-9a-f]{64}$/i.test(text)) return { value: text.toLowerCase() };
  const base64 = text.replace(/^sha256\//i, "");
  const bytes = Buffer.from(base64, "base64");
  if (/^[A-Za-z0-9+/]{43}=?$/.test(base64) && bytes.length === SHA256_BYTES) return { value: bytes.toString("hex") };
  return {
    fault: {
      remedy: "openssl x509 -in hub.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256",
    },
  };
}
