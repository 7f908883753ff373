// Hashes of plain passwords that come again and again: by an environment variable, or by a file that somebody wrote. A hash has a salt, so a
// new one would look like another password, and whoever is in by it would be put out by any change of the settings.
//
//   plain ─▶ hashed before? ─▶ is it what runs already? (one scrypt) ─▶ else it is a new one

import { looksLikePasswordHash, verifyPassword } from "#access/password.ts";
import type { Config } from "#config/config.ts";
import type { KnownHash } from "#config/hash-passwords.ts";

export class KnownHashes {
  /** By user and kind: what was plain last, and its hash. As many as there are users. */
  readonly #byUser = new Map<string, { readonly plain: string; readonly hash: string }>();

  /** undefined: this user has not had this password yet. */
  find(running: Config | undefined): KnownHash {
    const users = running?.accounts.flatMap((account) => account.users) ?? [];
    const names = new Set(users.flatMap(({ user, nkey }) => [`password ${user}`, `token ${user}`, `token ${nkey}`]));
    for (const place of this.#byUser.keys()) if (!names.has(place)) this.#byUser.delete(place);
    return async (name, kind, plain) => {
      const place = `${kind} ${name}`;
      const last = this.#byUser.get(place);
      if (last?.plain === plain) return last.hash;
      const hash = users.find((one) => one.user === name || one.nkey === name)?.[kind]?.reveal();
      if (hash === undefined || !looksLikePasswordHash(hash) || !(await verifyPassword(hash, plain))) return undefined;
      this.#byUser.set(place, { plain, hash });
      return hash;
    };
  }
}
