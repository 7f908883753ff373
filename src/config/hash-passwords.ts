// Puts hashes in place of plain passwords and tokens of local users.

import { hashPassword, looksLikePasswordHash } from "#access/password.ts";
import { isObject } from "#base/decode.ts";
import type { Entropy } from "#base/entropy.ts";
import type { SettingsDocument } from "./settings-file.ts";

/** Shorter ones are accepted, because small devices exist that cannot hold more, but told of. */
const PASSWORD_CHARS_ADVISED = 8;

export interface Hashed {
  readonly count: number;
  readonly warnings: readonly string[];
}

/** The hash that this user has of this very password already; undefined: none. */
export type KnownHash = (user: string, kind: "password" | "token", plain: string) => Promise<string | undefined>;

/** Changes `document`, which must be valid. `entropy` null: those that are not known stay plain. */
export async function hashPasswords(
  document: SettingsDocument,
  entropy: Entropy | null,
  known: KnownHash = async () => undefined,
): Promise<Hashed> {
  const warnings: string[] = [];
  let count = 0;
  for (const user of users(document)) {
    for (const key of ["password", "token"] as const) {
      const secret = user[key];
      if (typeof secret !== "string" || looksLikePasswordHash(secret)) continue;
      if (secret.length < PASSWORD_CHARS_ADVISED) {
        const name = JSON.stringify(user["user"] ?? user["nkey"]);
        warnings.push(`the ${key} of user ${name} is shorter than ${PASSWORD_CHARS_ADVISED} characters`);
      }
      const hash = await known(String(user["user"] ?? user["nkey"]), key, secret);
      if (hash === undefined && entropy === null) continue;
      user[key] = hash ?? (await hashPassword(secret, entropy!));
      count += 1;
    }
  }
  return { count, warnings };
}

function users(document: SettingsDocument): { [key: string]: unknown }[] {
  const accounts: readonly unknown[] = Array.isArray(document["accounts"]) ? document["accounts"] : [];
  return accounts.flatMap((account) => {
    const list: unknown = isObject(account) ? account["users"] : undefined;
    return Array.isArray(list) ? list.filter(isObject) : [];
  });
}
