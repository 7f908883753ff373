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

/** Changes `document`, which must be valid. */
export async function hashPasswords(document: SettingsDocument, entropy: Entropy): Promise<Hashed> {
  const warnings: string[] = [];
  let count = 0;
  for (const user of users(document)) {
    for (const key of ["password", "token"]) {
      const secret = user[key];
      if (typeof secret !== "string" || looksLikePasswordHash(secret)) continue;
      if (secret.length < PASSWORD_CHARS_ADVISED) {
        const name = JSON.stringify(user["user"] ?? user["nkey"]);
        warnings.push(`the ${key} of user ${name} is shorter than ${PASSWORD_CHARS_ADVISED} characters`);
      }
      user[key] = await hashPassword(secret, entropy);
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
