// The key that a store encrypts with: the one file that all of the data directory is encrypted with, as outbox.encryption says.

import { explain, isFault } from "#base/errors.ts";
import { findKey, openKey } from "#journal/key-file.ts";
import type { StoreEnv } from "./open-store.ts";
import type { StoreOptions } from "./options.ts";

const KEY_FILE = "outbox.key";

/** Makes the key at first use. Where nothing is to be encrypted it makes none, and uses the one that is there for reading only. */
export async function openStoreKey(
  isEncrypting: boolean,
  secretsDirectory: string,
  { disk, entropy, log }: StoreEnv,
): Promise<Pick<StoreOptions, "key" | "isEncrypting">> {
  if (isEncrypting) return { key: await openKey(disk, secretsDirectory, KEY_FILE, entropy), isEncrypting };
  try {
    return { key: (await findKey(disk, secretsDirectory, KEY_FILE)) ?? null, isEncrypting };
  } catch (error) {
    if (!isFault(error)) throw error;
    log.error("store: the key of an earlier encryption cannot be used; what it encrypted is left out", { error: explain(error) });
    return { key: null, isEncrypting };
  }
}
