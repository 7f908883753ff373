// TLS sessions to resume, one per hub URL, in memory only: the next handshake is shorter by the hub's certificates.
//
// A resumed handshake shows no certificate, so nothing can be verified in it: neither chain nor name nor pins. It is as good as
// the full one it goes back to, and therefore
//   - only sessions of connections that passed every check are kept,
//   - under a digest of all that was checked against: another CA, certificate, key, name or pin, and it is not resumed,
//   - no longer than a day after the full handshake, however often it was renewed, and not beyond the certificate's end.

import { createHash } from "node:crypto";
import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { TlsOptions } from "./options.ts";

/** What a full handshake has shown; sessions renewed from it inherit it. */
export interface Verified {
  /** `identityOf` what it was checked against. */
  readonly identity: string;
  readonly at: Millis;
  readonly certificateEnds: WallMillis;
}

interface Kept extends Verified {
  readonly session: Buffer;
}

const AGE_MAX_MS: Millis = 24 * 60 * 60 * 1000;
const SESSION_BYTES_MAX = 16 * 1024;
/** More URLs than a remote may have, gossiped ones included; the oldest goes. */
const SESSIONS_MAX = 64;

export class TlsSessions {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** The session for `hub`, if it may still be resumed; one that may not is forgotten. */
  find(hub: string, identity: string): Kept | undefined {
    const kept = this.#kept.get(hub);
    if (kept === undefined) return undefined;
    const isFresh = this.#clock.now() - kept.at < AGE_MAX_MS && this.#clock.wall() < kept.certificateEnds;
    if (isFresh && kept.identity === identity) return kept;
    this.#kept.delete(hub);
    return undefined;
  }

  keep(hub: string, session: Buffer, verified: Verified): void {
    if (session.length > SESSION_BYTES_MAX) return;
    this.#kept.delete(hub);
    this.#kept.set(hub, { ...verified, session });
    if (this.#kept.size > SESSIONS_MAX) this.#kept.delete(this.#kept.keys().next().value!);
  }

  /** After a handshake that failed: the next one is a full one. */
  forget(hub: string): void {
    this.#kept.delete(hub);
  }
}

/** A digest of everything that a full handshake is checked against, and of what we show in it. */
export function identityOf(
  options: TlsOptions | null,
  files: { readonly ca: Buffer | undefined; readonly cert: Buffer | undefined; readonly key: Buffer | undefined },
  names: readonly string[],
): string {
  const hash = createHash("sha256");
  const texts = [...names, "", ...(options?.pinnedSpki ?? [])].map((text) => Buffer.from(text));
  for (const part of [files.ca, files.cert, files.key, ...texts]) {
    hash.update(`${part === undefined ? "none" : part.length}:`).update(part ?? "");
  }
  return hash.digest("base64");
}
