// How we log in with keys: a credentials file (JWT and seed) or a bare seed, read anew for each attempt, BEFORE dialing:
// between its INFO and our CONNECT the hub allows two seconds in all. Source: spec/leafnode-protocol.md §§2.2, 5.
//
// The seed's bytes are wiped as soon as the crypto library has the key; the key goes with the signer.

import { type KeyObject, sign } from "node:crypto";
import type { Clock, WallMillis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { PetioleError } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { parseCreds } from "./creds-file.ts";
import { LEAF_AUTH_REJECTED, LEAF_CREDENTIALS } from "./errors.ts";
import { parseUserSeed, type UserKey } from "./nkey.ts";
import type { RemoteOptions } from "./options.ts";
import { absolutePath, readNamedFile } from "./secret-file.ts";
import { lastingFaultOf, timeFaultOf, tryDecodeClaims, type UserClaims } from "./user-claims.ts";

/** What CONNECT carries of it (spec §5). */
export interface LoginFields {
  readonly jwt?: string;
  readonly nkey?: string;
  readonly sig?: string;
}

export interface Signer {
  /** For a sentence: `credentials: /data/secrets/hub.creds`. */
  readonly source: string;
  readonly claims: UserClaims | null;
  /** Public key of the user. */
  readonly publicKey: string;
  /** CONNECT's fields for the nonce in the hub's first INFO; null: it had none, and the hub decides what that means. */
  login(nonce: string | null): LoginFields;
}

export interface SignerEnv {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
}

const FILE_BYTES_MAX = 64 * 1024;

/**
 * null: the remote logs in otherwise. Throws LEAF_CREDENTIALS for a file that no hub can accept. A JWT out of its time is only
 * warned of: it is this device's calendar that says so, and the hub's that decides.
 */
export async function readSigner(
  remote: Pick<RemoteOptions, "credentials" | "nkey">,
  dataDir: string,
  env: SignerEnv,
  isWebSocket = false,
): Promise<Signer | null> {
  const [setting, path] = remote.credentials === null ? ["nkey", remote.nkey] : ["credentials", remote.credentials];
  if (path === null) return null;
  const source = `${setting}: ${absolutePath(dataDir, path)}`;
  const refuse = (words: string) => new PetioleError(LEAF_CREDENTIALS, `${source} ${words}`, { remedy: "backoff" });
  const bytes = await readNamedFile(
    env.disk,
    dataDir,
    { setting: setting!, path, bytesMax: FILE_BYTES_MAX, isSecret: true },
    env.log,
  );
  const parts = parseCreds(bytes);
  bytes.fill(0);
  if ("fault" in parts) throw refuse(parts.fault);
  const key = parts.seed === null ? null : parseUserSeed(parts.seed);
  parts.seed?.fill(0);
  if (key !== null && "fault" in key) throw refuse(`holds a seed that ${key.fault}; get the file anew`);
  if (setting === "nkey") {
    if (key === null) throw refuse('holds no seed; wanted a line that begins with "SU"');
    return new KeySigner(source, key);
  }
  if (parts.jwt === null) {
    throw refuse(
      key === null ? "holds neither a JWT nor a seed" : "holds a seed and no JWT; for a seed alone use the setting nkey",
    );
  }
  const claims = tryDecodeClaims(parts.jwt);
  if (claims === undefined) throw refuse("holds a JWT that does not decode: it was cut off or changed; get the file anew");
  const fault = lastingFaultOf(claims, isWebSocket);
  if (fault !== null) throw refuse(`holds a JWT that ${fault}`);
  if (key === null && !claims.isBearer)
    throw refuse("holds a JWT and no seed to sign with; get the whole file (nsc generate creds)");
  if (key !== null && key.publicKey !== claims.subject) {
    throw refuse(`holds the JWT of user ${claims.subject} and the seed of user ${key.publicKey}; they must belong together`);
  }
  const untimely = timeFaultOf(claims, env.clock.wall());
  if (untimely !== null) env.log.warn(`${source} holds a JWT that ${untimely}`);
  return new JwtSigner(source, parts.jwt, claims, key);
}

class KeySigner implements Signer {
  readonly source: string;
  readonly claims = null;
  readonly publicKey: string;
  readonly #key: KeyObject;

  constructor(source: string, key: UserKey) {
    this.source = source;
    this.publicKey = key.publicKey;
    this.#key = key.privateKey;
  }

  login(nonce: string | null): LoginFields {
    return { nkey: this.publicKey, ...signatureOf(nonce, this.#key) };
  }
}

class JwtSigner implements Signer {
  readonly source: string;
  readonly claims: UserClaims;
  readonly publicKey: string;
  readonly #jwt: string;
  readonly #key: KeyObject | null;

  constructor(source: string, jwt: string, claims: UserClaims, key: UserKey | null) {
    this.source = source;
    this.claims = claims;
    this.publicKey = claims.subject;
    this.#jwt = jwt;
    this.#key = key?.privateKey ?? null;
  }

  login(nonce: string | null): LoginFields {
    return { jwt: this.#jwt, ...signatureOf(nonce, this.#key) };
  }
}

/** The nonce's characters are signed as they are; hubs take base64url without padding (spec §5). */
function signatureOf(nonce: string | null, key: KeyObject | null): LoginFields {
  if (nonce === null || key === null) return {};
  return { sig: sign(null, Buffer.from(nonce, "utf8"), key).toString("base64url") };
}

/**
 * What we know that the hub does not say: it answers nearly every fault of a login with the same two words. `text` is what its
 * -ERR said, `error` what rejection.ts made of it. Turns a rejection of keys into LEAF_CREDENTIALS with what the file shows;
 * hands back every other error as it is.
 */
export function explainRejectedLogin(error: PetioleError, text: string, signer: Signer | null, wall: WallMillis): PetioleError {
  if (error.code !== LEAF_AUTH_REJECTED || signer === null) return error;
  if (!/Authorization Violation|Authentication (Expired|Revoked)/i.test(text)) return error;
  const { claims, publicKey, source } = signer;
  const untimely = claims === null ? null : timeFaultOf(claims, wall);
  const words =
    untimely !== null
      ? `holds a JWT that ${untimely}`
      : claims === null
        ? `is the key of user ${publicKey}; the hub must have a user with this nkey`
        : `is for user ${claims.name || publicKey} of account ${claims.account}; the hub must know this account, and must not have revoked the user`;
  return new PetioleError(LEAF_CREDENTIALS, `${error.message}: ${source} ${words}`, { remedy: error.remedy, cause: error });
}
