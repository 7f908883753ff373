// What belongs to one attempt, from the dial to the end of the link it became, and goes with it: nothing of it can leak into the next.

import type { Millis } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import type { Agreement } from "./compression.ts";
import type { LeafConnection } from "./connection.ts";
import type { Signer } from "./credentials.ts";
import { LEAF_STOPPED } from "./errors.ts";
import type { HubInfo } from "./hub-info.ts";
import type { TlsFiles } from "./secure.ts";
import type { UrlChoice } from "./url-list.ts";

export class Attempt {
  readonly choice: UrlChoice;
  readonly startedAt: Millis;
  /** From the moment the hub's port answers. */
  connection: LeafConnection | undefined;
  signer: Signer | null = null;
  tlsFiles: TlsFiles | undefined;
  /** The hub's first INFO, then its answer to CONNECT. */
  info: HubInfo | null = null;
  agreement: Agreement = { announce: null, compressMode: "off" };
  isTls = false;
  isDeflated = false;
  readonly #controller = new AbortController();

  constructor(choice: UrlChoice, startedAt: Millis) {
    this.choice = choice;
    this.startedAt = startedAt;
  }

  /** Aborted when the attempt is over. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** For status: what came of the compression that was asked for. */
  get compressionMode(): string {
    return this.isDeflated ? "permessage-deflate" : this.agreement.compressMode;
  }

  /** Ends it at once, whatever is under way. */
  abort(): void {
    this.#controller.abort(new PetioleError(LEAF_STOPPED, "the attempt was given up"));
    this.connection?.abort();
  }
}
