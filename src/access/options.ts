// Accounts and their users: who may come in, by which door, and what they may publish and receive.

import type { Report } from "#base/fault.ts";
import {
  either,
  fields,
  flag,
  type Loose,
  list,
  mapped,
  nullable,
  optional,
  required,
  type Schema,
  type ValueOf,
} from "#base/schema.ts";
import { secretText, text, token } from "#base/schema-text.ts";
import { subjectFilter } from "#core/subject-schema.ts";
import { isPasswordHash, looksLikePasswordHash } from "./password.ts";
import type { PermissionList } from "./permissions.ts";

const filters = list(subjectFilter());

/** `["a.>"]`, or `{ "allow": ["a.>"], "deny": ["a.secret"] }` as nats-server has it. */
const permissionList: Schema<PermissionList> = mapped(
  either({
    list: filters,
    object: fields({
      allow: optional(nullable(filters), null, "what is allowed; null: everything that is not denied"),
      deny: optional(filters, [], "what is denied even where it is allowed"),
    }),
  }),
  (value) => ("allow" in value ? value : { allow: value, deny: Object.freeze([]) }),
);

const UNRESTRICTED_IN_FILE = { allow: null, deny: [] } as const;

export const userOptions = fields({
  user: required(text("a user name", { bytesMax: 256 }), "name to log in with; unique over all accounts"),
  password: optional(
    nullable(secretText("a password of at most 1,024 bytes, or its hash", checkPassword)),
    null,
    "plain text is replaced by its scrypt hash at load; null: nobody can log in as this user",
  ),
  mqtt: optional(flag(), true, "may connect by MQTT"),
  nats: optional(flag(), false, "may connect as a local NATS client"),
  permissions: optional(
    fields({
      publish: optional(permissionList, UNRESTRICTED_IN_FILE, "filters this user may publish to"),
      subscribe: optional(permissionList, UNRESTRICTED_IN_FILE, "filters this user may receive from"),
    }),
    {},
    "what this user may publish and receive, as a list of allowed filters or as allow and deny lists; left out: everything",
  ),
});

export const accountOptions = fields({
  name: required(token("an account name"), "name of this isolated subject space"),
  users: optional(list(userOptions, { max: 10_000 }), [], "who may connect to this account"),
});

export const accountsOptions = list(accountOptions, { min: 1, max: 100, check: checkUnique });

/** `password` of a loaded configuration is a hash of password.ts, or null. */
export type UserOptions = ValueOf<typeof userOptions>;
export type AccountOptions = ValueOf<typeof accountOptions>;

function checkPassword(password: string): string | undefined {
  if (!looksLikePasswordHash(password) || isPasswordHash(password)) return undefined;
  return "it starts like a hash and is none: copy the whole hash, or write a new plain password";
}

function checkUnique(accounts: readonly Loose<AccountOptions>[], report: Report): void {
  const accountNames = new Map<string, number>();
  const userNames = new Map<string, string>();
  for (const [a, account] of accounts.entries()) {
    if (account?.name !== undefined) {
      const earlier = accountNames.get(account.name);
      if (earlier !== undefined) {
        const found = `"${account.name}" again (accounts[${earlier}])`;
        report.fault([a, "name"], { wanted: "a name of its own", found, remedy: "rename or merge one of the two" });
      }
      accountNames.set(account.name, earlier ?? a);
    }
    for (const [u, user] of (account?.users ?? []).entries()) {
      if (user?.user === undefined) continue;
      const earlier = userNames.get(user.user);
      if (earlier !== undefined) {
        const found = `a name that ${earlier} has`;
        report.fault([a, "users", u, "user"], {
          wanted: "a name unique over all accounts",
          found,
          remedy: "rename one of the two",
        });
      }
      userNames.set(user.user, earlier ?? `accounts[${a}].users[${u}]`);
    }
  }
}
