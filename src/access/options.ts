// Accounts and their users: who may come in, by which door, and what they may publish and receive.

import { parseTimestamp } from "#base/clock.ts";
import type { Path, Report } from "#base/fault.ts";
import {
  duration,
  either,
  fields,
  flag,
  integer,
  type Loose,
  list,
  mapped,
  nullable,
  optional,
  required,
  type Schema,
  type ValueOf,
} from "#base/schema.ts";
import { parsedText, secretText, text, token } from "#base/schema-text.ts";
import { toSubject } from "#core/subject.ts";
import { subjectFilter } from "#core/subject-schema.ts";
import { isDearBcryptHash } from "./bcrypt.ts";
import { isPublicNkey } from "./nkey-text.ts";
import { isPasswordHash, looksLikePasswordHash } from "./password.ts";
import {
  type GroupFilter,
  type PermissionList,
  type Permissions,
  permissionListOf,
  type ResponsePermission,
  tryGroupFilter,
} from "./permissions.ts";
import type { Revocation } from "./user-jwt.ts";

/** A blank and a queue group behind it: for members of the group alone. */
function groupFilter(): Schema<string | GroupFilter> {
  return parsedText('a subject filter such as "sensors.>", or one with a queue group, such as "jobs.> workers"', {}, (value) => {
    const found = tryGroupFilter(toSubject(value));
    return found === undefined ? { fault: { remedy: GROUP_REMEDY } } : { value: found };
  });
}

const GROUP_REMEDY =
  'tokens separated by single dots; "*" stands for one token, ">" as the last token for all the rest; the same for the queue group';

/** `["a.>"]`, or `{ "allow": ["a.>"], "deny": ["a.secret"] }` as nats-server has it. */
function permissionList(filter: Schema<string | GroupFilter>): Schema<PermissionList> {
  const filters = list(filter);
  return mapped(
    either({
      list: filters,
      object: fields({
        allow: optional(nullable(filters), null, "what is allowed; null: everything that is not denied"),
        deny: optional(filters, [], "what is denied even where it is allowed"),
      }),
    }),
    (value) => ("allow" in value ? permissionListOf(value.allow, value.deny) : permissionListOf(value, [])),
  );
}

const MOMENT = "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?Z$";

const UNRESTRICTED_IN_FILE = { allow: null, deny: [] } as const;

/** `true`, or `{ "max": 2, "expires": "1m" }` as nats-server has it; its defaults. */
const allowResponses: Schema<ResponsePermission | null> = mapped(
  either({
    flag: flag(),
    object: fields({
      max: optional(integer(-1, 1_000_000), 1, "answers to one request; -1: any number"),
      expires: optional(duration("1ms", "1d"), "2m", "how long after the request they are allowed"),
    }),
  }),
  (value) => {
    if (value === false) return null;
    if (value === true) return { max: 1, expires: 120_000 };
    return { max: value.max < 0 ? Number.POSITIVE_INFINITY : Math.max(1, value.max), expires: value.expires };
  },
);

const permissions: Schema<Permissions> = mapped(
  fields({
    publish: optional(permissionList(subjectFilter()), UNRESTRICTED_IN_FILE, "filters this user may publish to"),
    subscribe: optional(
      permissionList(groupFilter()),
      UNRESTRICTED_IN_FILE,
      'filters this user may receive from; "jobs.> workers" is for members of the queue group alone',
    ),
    allow_responses: optional(
      allowResponses,
      false,
      "may answer requests it was sent, on their reply subjects; without an allow list for publish, it may then publish nothing else",
    ),
  }),
  ({ publish, subscribe, allowResponses: responses }) => ({
    publish: responses !== null && publish.allow === null ? { allow: Object.freeze([]), deny: publish.deny } : publish,
    subscribe,
    responses,
  }),
);

/** What stands in its place is not quoted: it may be a seed. */
const publicNkey = (letter: "U" | "A", whose: string) =>
  parsedText<string>(`${whose}'s public key, "${letter}…"`, {}, (value) => {
    if (isPublicNkey(value, letter)) return { value };
    const found = value.startsWith("S") ? "a seed, it seems" : "something else";
    return {
      fault: { found, remedy: `copy all 56 characters of the public key; the seed ("S${letter}…") stays with its owner` },
    };
  });

const revocation: Schema<Revocation> = fields({
  user: required(
    parsedText<string>('a user\'s public key, "U…", or "*"', {}, (value) =>
      value === "*" || isPublicNkey(value, "U")
        ? { value }
        : { fault: { found: "something else", remedy: 'copy all 56 characters of the public key; "*" means every user' } },
    ),
    'whose JWTs are revoked, as a public key, "U…"; "*": everybody\'s',
  ),
  until: optional(
    nullable(
      parsedText<number>('a moment such as "2026-11-22T10:00:00Z"', { pattern: MOMENT }, (value) => {
        const moment = parseTimestamp(value);
        if (moment !== undefined) return { value: moment };
        return { fault: { remedy: "there is no such day or time; write it in UTC" } };
      }),
    ),
    null,
    "JWTs issued up to this moment are refused, newer ones are good; null: all of them are refused",
  ),
});

const userFields = fields(
  {
    user: optional(
      nullable(text("a user name", { bytesMax: 256 })),
      null,
      "name to log in with, or one that its certificate shows (verify_and_map), unique over all accounts; null: the nkey is its name",
    ),
    password: optional(
      nullable(secretText("a password of at most 1,024 bytes, or its hash", checkPassword)),
      null,
      "plain text is replaced by its scrypt hash at load, a bcrypt hash is taken as it is; null: nobody can log in by password",
    ),
    token: optional(
      nullable(secretText("a token of at most 1,024 bytes, or its hash", checkPassword)),
      null,
      "local NATS clients that show this token and no name come in as this user; replaced by its hash at load; one user can have one",
    ),
    nkey: optional(
      nullable(publicNkey("U", "a user")),
      null,
      "public nkey: local NATS clients that prove they hold its seed come in as this user",
    ),
    mqtt: optional(flag(), true, "may connect by MQTT"),
    nats: optional(nullable(flag()), null, "may connect as a local NATS client; null: if it has a token or an nkey"),
    max_connections: optional(
      nullable(integer(1, 100_000)),
      null,
      "MQTT connections of this user at the same time; null: as many as there may be",
    ),
    publish_rate: optional(
      nullable(integer(1, 10_000_000, "messages a second")),
      null,
      "over all MQTT connections of this user, a second's worth at once; beyond it they are read more slowly; null: no limit",
    ),
    permissions: optional(
      permissions,
      {},
      "what this user may publish and receive, as a list of allowed filters or as allow and deny lists; left out: everything",
    ),
  },
  (user, report) => {
    if (user.user !== null || user.nkey !== null) return;
    report.fault([], {
      wanted: "a user or an nkey",
      found: "neither",
      remedy: 'name the user with "user", or by its public key with "nkey"',
    });
  },
);

/** A user that has no name is known by its nkey. */
export const userOptions = mapped(userFields, (value) => ({
  ...value,
  user: value.user ?? value.nkey!,
  nats: value.nats ?? (value.token !== null || value.nkey !== null),
}));

export const accountOptions = fields({
  name: required(token("an account name"), "name of this isolated subject space"),
  users: optional(list(userOptions, { max: 10_000 }), [], "who may connect to this account"),
  trusted_keys: optional(
    list(publicNkey("A", "an account"), { max: 32 }),
    [],
    "public keys of accounts (or their signing keys) whose user JWTs let local NATS clients into this account",
  ),
  revocations: optional(
    list(revocation, { max: 10_000 }),
    [],
    "user JWTs that are refused although a trusted key signed them, as `nsc revocations` keeps them in the account's JWT",
  ),
});

export const accountsOptions = list(accountOptions, { min: 1, max: 100, check: checkUnique });

/** `password` and `token` of a loaded configuration is a hash of password.ts, or null. */
export type UserOptions = ValueOf<typeof userOptions>;
export type AccountOptions = ValueOf<typeof accountOptions>;

function checkPassword(password: string): string | undefined {
  if (!looksLikePasswordHash(password) || isPasswordHash(password)) return undefined;
  if (isDearBcryptHash(password))
    return "its cost is so high that one login would take seconds here: make a hash of cost 14 or less";
  return "it starts like a hash and is none: copy the whole hash, or write a new plain password";
}

function checkUnique(accounts: readonly Loose<AccountOptions>[], report: Report): void {
  const accountNames = new Map<string, number>();
  const userNames = new Map<string, string>();
  const keys = new Map<string, string>();
  let tokenAt: string | undefined;
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
      if (user === undefined) continue;
      const place = `accounts[${a}].users[${u}]`;
      if (user.token != null && tokenAt !== undefined) {
        const remedy = "a token names nobody, so there can be one; give this user a password or an nkey";
        report.fault([a, "users", u, "token"], { wanted: "null", found: `a token, and ${tokenAt} has one`, remedy });
      }
      if (user.token != null) tokenAt ??= place;
      checkKey(keys, user.nkey, [a, "users", u, "nkey"], place, report);
      if (user.user === undefined) continue;
      const earlier = userNames.get(user.user);
      if (earlier !== undefined) {
        const found = `a name that ${earlier} has`;
        report.fault([a, "users", u, "user"], {
          wanted: "a name unique over all accounts",
          found,
          remedy: "rename one of the two",
        });
      }
      userNames.set(user.user, earlier ?? place);
    }
    for (const [k, key] of (account?.trustedKeys ?? []).entries())
      checkKey(keys, key, [a, "trusted_keys", k], `accounts[${a}].trusted_keys[${k}]`, report);
  }
}

function checkKey(keys: Map<string, string>, key: string | null | undefined, at: Path, place: string, report: Report): void {
  if (key == null) return;
  const earlier = keys.get(key);
  if (earlier !== undefined)
    report.fault(at, { wanted: "a key of its own", found: `the key of ${earlier}`, remedy: "take one of the two out" });
  keys.set(key, earlier ?? place);
}
