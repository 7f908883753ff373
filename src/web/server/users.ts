// The page's users: secrets/web-users.json, mode 0600, passwords as scrypt hashes. They are not the settings' users: those are devices.
//
// No file: the device is unclaimed. A file that cannot be used never counts as no file, or rot would open the door; removing it on the
// device claims anew, which is also the way back for an owner who forgot the password.

import { hashPassword } from "#access/password.ts";
import { decode } from "#base/decode.ts";
import { type Disk, ensureDirectory, readWhole, replaceWhole } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import { fields, list, oneOf, optional, required, type ValueOf } from "#base/schema.ts";
import { text } from "#base/schema-text.ts";
import { WEB_CONFLICT, WEB_FAULTS, WEB_NOT_FOUND, WEB_UNAVAILABLE, WEB_USERS_DAMAGED, WebRefusal } from "./errors.ts";
import { ROLES } from "./roles.ts";

const FILE = "web-users.json";
const FILE_BYTES_MAX = 256 * 1024;
const USERS_MAX = 100;
const PASSWORD_CHARS_MIN = 10;

/** Fits into a path without being decoded. */
export const userNameText = () =>
  text('a user name: 1 to 64 letters, digits, ".", "-" or "_"', { pattern: "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$" });

const fileSchema = fields({
  version: required(oneOf([1]), "format of this file"),
  users: required(
    list(
      fields({
        user: required(userNameText(), "name"),
        role: required(oneOf(ROLES), "what they may do"),
        password: required(text("a password hash"), "scrypt hash"),
        since: optional(text("a time"), "1970-01-01T00:00:00.000Z", "when the password was set"),
      }),
      { max: USERS_MAX },
    ),
    "who may log in",
  ),
});

export type WebUser = ValueOf<typeof fileSchema>["users"][number];

export class Users implements AsyncDisposable {
  readonly #disk: Disk;
  readonly #directory: string;
  #users: readonly WebUser[];
  #lastWrite: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** Throws WEB_USERS_DAMAGED. */
  static async open(disk: Disk, dataDir: string): Promise<Users> {
    return new Users(disk, `${dataDir}/secrets`, await readUsers(disk, `${dataDir}/secrets`));
  }

  private constructor(disk: Disk, directory: string, users: readonly WebUser[]) {
    this.#disk = disk;
    this.#directory = directory;
    this.#users = users;
  }

  get isClaimed(): boolean {
    return this.#users.length > 0;
  }

  get list(): readonly WebUser[] {
    return this.#users;
  }

  find(user: string): WebUser | undefined {
    return this.#users.find((each) => each.user === user);
  }

  add(user: WebUser): Promise<void> {
    return this.#change((users) => {
      if (users.some((each) => each.user === user.user))
        throw new WebRefusal(409, WEB_CONFLICT, `there is a user ${user.user} already; choose another name, or change that one`);
      if (users.length >= USERS_MAX)
        throw new WebRefusal(409, WEB_CONFLICT, `there are ${USERS_MAX} users already; remove one first`);
      return [...users, user];
    });
  }

  /** The first user, and only that: of two who claim at once, one is late. */
  claim(user: WebUser): Promise<boolean> {
    let isFirst = false;
    return this.#change((users) => {
      isFirst = users.length === 0;
      return isFirst ? [user] : users;
    }).then(() => isFirst);
  }

  /** `known`: the hash that whoever asks has shown the password of; refused if it is another one by now. */
  change(user: string, change: Partial<Pick<WebUser, "role" | "password" | "since">>, known?: string): Promise<void> {
    return this.#change((users) => {
      mustBeThere(users, user);
      if (known !== undefined && users.find((each) => each.user === user)?.password !== known)
        throw new WebRefusal(409, WEB_CONFLICT, `the password of ${user} was changed meanwhile; log in with that one`);
      return mustHaveOwner(users.map((each) => (each.user === user ? { ...each, ...change } : each)));
    });
  }

  remove(user: string): Promise<void> {
    return this.#change((users) => {
      mustBeThere(users, user);
      return mustHaveOwner(users.filter((each) => each.user !== user));
    });
  }

  /** In place of all there are, from a backup: the file's bytes. */
  async restore(bytes: Buffer): Promise<void> {
    const users = usersOfBackup(bytes);
    await this.#change(() => users);
  }

  /** Resolves when the file is nobody's any more: who opens it next has read all there is, and no request of before changes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#lastWrite;
  }

  /** One after the other; in memory only what is on flash. */
  #change(change: (users: readonly WebUser[]) => readonly WebUser[]): Promise<void> {
    const turn = this.#lastWrite.then(async () => {
      if (this.#isClosed) throw new WebRefusal(503, WEB_UNAVAILABLE, "the page is closing; ask again when it is back");
      const users = change(this.#users);
      if (users === this.#users) return;
      await ensureDirectory(this.#disk, this.#directory);
      const bytes = Buffer.from(`${JSON.stringify({ version: 1, users }, undefined, 2)}\n`);
      await replaceWhole(this.#disk, this.#directory, FILE, bytes);
      this.#users = users;
    });
    this.#lastWrite = turn.catch(() => undefined); // the caller hears of it
    return turn;
  }
}

/** The same without a daemon. Throws WEB_FAULTS. */
export async function restoreUsers(disk: Disk, dataDir: string, bytes: Buffer): Promise<void> {
  usersOfBackup(bytes);
  await ensureDirectory(disk, `${dataDir}/secrets`);
  await replaceWhole(disk, `${dataDir}/secrets`, FILE, bytes);
}

/** Throws WEB_FAULTS. */
export function usersOfBackup(bytes: Buffer): readonly WebUser[] {
  const users = parseUsers(bytes);
  if (users?.some(({ role }) => role === "owner")) return users;
  throw new WebRefusal(400, WEB_FAULTS, "the backup's users cannot be used; restore another backup");
}

function mustBeThere(users: readonly WebUser[], user: string): void {
  if (!users.some((each) => each.user === user)) throw new WebRefusal(404, WEB_NOT_FOUND, `there is no user ${user}`);
}

function mustHaveOwner(users: readonly WebUser[]): readonly WebUser[] {
  if (users.some(({ role }) => role === "owner")) return users;
  throw new WebRefusal(409, WEB_CONFLICT, "this is the last owner; make somebody else an owner first");
}

async function readUsers(disk: Disk, directory: string): Promise<readonly WebUser[]> {
  const bytes = await readWhole(disk, `${directory}/${FILE}`, FILE_BYTES_MAX);
  if (bytes === undefined) return [];
  const users = parseUsers(bytes);
  if (users !== undefined && users.length > 0) return users;
  const words = `web: ${directory}/${FILE} is damaged, so nobody can log in to the page; remove it to claim the device anew, or put a good one there`;
  throw new PetioleError(WEB_USERS_DAMAGED, words, { remedy: "never" });
}

function parseUsers(bytes: Buffer): readonly WebUser[] | undefined {
  try {
    const decoded = decode(fileSchema, JSON.parse(bytes.toString("utf8")));
    return "value" in decoded ? decoded.value.users : undefined;
  } catch {
    return undefined; // not JSON
  }
}

/** A new password's hash; refuses a weak one. */
export async function newPasswordHash(user: string, password: string, entropy: Entropy): Promise<string> {
  const weakness =
    [...password].length < PASSWORD_CHARS_MIN
      ? `has fewer than ${PASSWORD_CHARS_MIN} characters`
      : new Set(password).size < 4
        ? "repeats a few characters only"
        : password.toLowerCase().includes(user.toLowerCase()) && password.length < user.length + 8
          ? "is little more than the user's name"
          : undefined;
  if (weakness !== undefined) {
    const fault = {
      path: "password",
      kind: "invalid" as const,
      wanted: `a password of at least ${PASSWORD_CHARS_MIN} characters`,
      found: `one that ${weakness}`,
      remedy: "three or four words in a row are easy to remember and hard to guess",
    };
    throw new WebRefusal(400, WEB_FAULTS, `the new password ${weakness}`, { faults: [fault] });
  }
  return await hashPassword(password, entropy);
}
