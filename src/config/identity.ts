// Who this device is: a random id, made once and kept. It is part of every kept message's id, so it must not change.

import * as path from "node:path";
import { isObject } from "#base/decode.ts";
import { type Disk, readWhole, replaceWhole } from "#base/disk.ts";
import { diskFault } from "#base/disk-words.ts";
import { type Entropy, randomToken } from "#base/entropy.ts";
import { explain, isFault } from "#base/errors.ts";
import { readJson } from "./json-text.ts";

const FILE = "identity.json";
const ID_LENGTH = 10;
const ID = /^[0-9a-hjkmnp-tv-z]{10}$/;
const FILE_BYTES_MAX = 4096;

export interface Identity {
  readonly deviceId: string;
  readonly warnings: readonly string[];
}

/** The id this device has, or undefined. Changes nothing. */
export async function readIdentity(disk: Disk, dataDir: string): Promise<string | undefined> {
  const read = readJson((await bytesOf(disk, dataDir))?.toString("utf8") ?? "");
  if (!("value" in read) || !isObject(read.value)) return undefined;
  const id = read.value["device_id"];
  return typeof id === "string" && ID.test(id) ? id : undefined;
}

/** Makes the id on the first call and keeps it. Never fails: an id that cannot be kept still serves until the next start. */
export async function openIdentity(disk: Disk, entropy: Entropy, dataDir: string): Promise<Identity> {
  const known = await readIdentity(disk, dataDir).catch(() => undefined);
  if (known !== undefined) return { deviceId: known, warnings: [] };

  const deviceId = randomToken(entropy, ID_LENGTH);
  const warnings: string[] = [];
  try {
    await disk.makeDirectory(dataDir);
    const damaged = await bytesOf(disk, dataDir);
    if (damaged !== undefined) {
      warnings.push(
        `${FILE} in ${dataDir} held no device id; this device is ${deviceId} from now on, the old file is ${FILE}.broken`,
      );
      await replaceWhole(disk, dataDir, `${FILE}.broken`, damaged);
    }
    await replaceWhole(disk, dataDir, FILE, Buffer.from(`${JSON.stringify({ device_id: deviceId }, undefined, 2)}\n`));
  } catch (error) {
    if (!isFault(error)) throw error;
    const { message } = diskFault("", `cannot keep the device id in ${path.join(dataDir, FILE)}`, error);
    warnings.push(
      `${message}. Until then it changes with every start, and the hub cannot tell what it was sent twice (${explain(error)})`,
    );
  }
  return { deviceId, warnings };
}

function bytesOf(disk: Disk, dataDir: string): Promise<Buffer | undefined> {
  return readWhole(disk, path.join(dataDir, FILE), FILE_BYTES_MAX);
}
