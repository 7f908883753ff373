// An encrypted backup: settings, secrets and the page's users, sealed with a passphrase. Not the outbox, and none of its keys.
//
//   "PETIOLE-BACKUP" │ version 1 │ ln │ r │ p │ salt 16 │ nonce 12 │ AES-256-GCM of the JSON … │ tag 16
//   └──────────────── associated data: none of it can be changed unseen ─────┘
//
// scrypt makes the key. Whatever is wrong with a backup, the words are the same for a wrong passphrase and for rot: nobody can tell.

import { createCipheriv, createDecipheriv, scrypt } from "node:crypto";
import { decode } from "#base/decode.ts";
import type { Entropy } from "#base/entropy.ts";
import { fields, list, oneOf, required, type Schema, type ValueOf } from "#base/schema.ts";
import { text } from "#base/schema-text.ts";
import { WEB_BACKUP, WebRefusal } from "./errors.ts";

const MAGIC = Buffer.from("PETIOLE-BACKUP");
const VERSION = 1;
const [LN, R, P] = [15, 8, 1];
/** Costs beyond these are refused: a file must not be able to ask for all our memory. */
const [LN_MAX, R_MAX, P_MAX] = [17, 16, 4];
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = MAGIC.length + 4 + SALT_BYTES + NONCE_BYTES;
const FILES_MAX = 200;
const FILE_BASE64_MAX = 512 * 1024;

export const BACKUP_BYTES_MAX = 4 * 1024 * 1024;
export const PASSPHRASE_CHARS_MIN = 10;

/** A name in secrets/: no folder, nothing hidden, nothing that climbs. */
const NAME = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$";

const anyObject: Schema<unknown> = {
  node: {
    kind: "text",
    wants: "settings as JSON text",
    pattern: undefined,
    bytesMax: 2 * 1024 * 1024,
    secret: "whole",
    parse: (json) => {
      try {
        return { value: JSON.parse(json) as unknown };
      } catch {
        return { fault: { remedy: "the backup is damaged" } };
      }
    },
  },
};

const contentsSchema = fields({
  version: required(oneOf([1]), "format of the contents"),
  device: required(text("a device's name"), "where it was made"),
  at: required(text("a time"), "when it was made"),
  settings: required(anyObject, "the settings document"),
  files: required(
    list(
      fields({
        name: required(text("a file name", { pattern: NAME }), "file in secrets/"),
        base64: required(text("base64", { pattern: "^[A-Za-z0-9+/]*={0,2}$", bytesMax: FILE_BASE64_MAX }), "its bytes"),
      }),
      { max: FILES_MAX },
    ),
    "secrets and users",
  ),
});

export interface BackupContents {
  readonly device: string;
  readonly at: string;
  /** The settings document, secrets and all. */
  readonly settings: unknown;
  readonly files: readonly { readonly name: string; readonly bytes: Buffer }[];
}

export async function sealBackup(contents: BackupContents, passphrase: string, entropy: Entropy): Promise<Buffer> {
  const plain = JSON.stringify({
    version: 1,
    device: contents.device,
    at: contents.at,
    settings: JSON.stringify(contents.settings),
    files: contents.files.map(({ name, bytes }) => ({ name, base64: bytes.toString("base64") })),
  });
  const salt = entropy.bytes(SALT_BYTES);
  const nonce = entropy.bytes(NONCE_BYTES);
  const head = Buffer.concat([MAGIC, Buffer.from([VERSION, LN, R, P]), salt, nonce]);
  const cipher = createCipheriv("aes-256-gcm", await keyOf(passphrase, salt, LN, R, P), nonce);
  cipher.setAAD(head);
  return Buffer.concat([head, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
}

/** Throws WEB_BACKUP. */
export async function openBackup(bytes: Buffer, passphrase: string): Promise<BackupContents> {
  if (bytes.length < HEAD_BYTES + TAG_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw refused("this file is no backup of a Petiole device");
  const [version, ln, r, p] = bytes.subarray(MAGIC.length, MAGIC.length + 4) as unknown as [number, number, number, number];
  if (version !== VERSION) throw refused(`the backup has format ${version}, this device reads ${VERSION}; update the device`);
  // scrypt itself refuses 2^ln of 2^(16 r) and more (RFC 7914 §2).
  if (ln < 1 || ln > LN_MAX || r < 1 || r > R_MAX || p < 1 || p > P_MAX || ln >= 16 * r)
    throw refused("the backup's beginning is damaged");
  const head = bytes.subarray(0, HEAD_BYTES);
  const salt = head.subarray(MAGIC.length + 4, MAGIC.length + 4 + SALT_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", await keyOf(passphrase, salt, ln, r, p), head.subarray(-NONCE_BYTES));
  decipher.setAAD(head);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  let plain: string;
  try {
    plain = Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES)), decipher.final()]).toString("utf8");
  } catch {
    throw refused("the passphrase is wrong, or the file is damaged");
  }
  return contentsOf(plain);
}

function contentsOf(plain: string): BackupContents {
  const decoded = decode(contentsSchema, tryParse(plain));
  if (!("value" in decoded)) throw refused("the backup's contents cannot be used");
  const value: ValueOf<typeof contentsSchema> = decoded.value;
  const files = value.files.map(({ name, base64 }) => ({ name, bytes: Buffer.from(base64, "base64") }));
  return { device: value.device, at: value.at, settings: value.settings, files };
}

/** Whoever knows the passphrase can have sealed anything. */
function tryParse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function refused(words: string): WebRefusal {
  return new WebRefusal(400, WEB_BACKUP, words);
}

async function keyOf(passphrase: string, salt: Buffer, ln: number, r: number, p: number): Promise<Buffer> {
  const N = 2 ** ln;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  scrypt(passphrase.normalize("NFC"), salt, 32, { N, r, p, maxmem: 128 * N * r * p + 1024 ** 2 }, (error, key) => {
    if (error === null) resolve(key);
    else reject(error);
  });
  return await promise;
}
