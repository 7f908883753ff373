// Answers to requests that the hub has sent us: what may go up although the hub's interest or its export list lacks the reply subject.
//
// Interest: a hub announces the inbox of a requestor just before the request, or later, if both sit on different nodes. So a reply
// that a request named is good for REPLY_TTL_MS, whatever the interest (spec/leafnode-protocol.md §11.5).
//
// Permissions: INFO shows the lists but not `allow_responses`, and a hub that enforces (see `enforcesPublish`) ends the link for one answer
// too many. What nats-server 2.15.1 and 2.10.27 did:
//
//   leaf user with                                  INFO                  one answer    a second one
//   publish list                                    export                link ended    –
//   publish list, allow_responses                   export                link ended    –            the hub remembers no reply for it
//   publish and subscribe list                      export, import        link ended    –
//   publish and subscribe list, allow_responses     export, import        passed        link ended
//   any of them, on 2.10.27                         the same              passed        passed
//   any of them, reply `_R_.…` or `$JS.ACK.…`       the same              passed        passed
//   any of them, reply `_GR_.…`                     the same              as an inbox; a hub that allows the inbox sends it plain
//
// So an answer outside the export list is tried, once per request, where it can be allowed: with an import list, or a hub that does
// not enforce. If a hub then refuses one, none is tried again until its lists change.

import type { PermissionList } from "#access/permissions.ts";
import type { Clock, Millis } from "#base/clock.ts";
import type { Batch } from "#core/batch.ts";
import { isRequest, REPLY, replyOf, SPAN_WORDS } from "#core/batch.ts";
import type { AwaitedAnswers } from "#outbox/hub-view.ts";
import { enforcesPublish } from "./hub-version.ts";

/** How long an answer is waited for. Source: nats-server DEFAULT_ALLOW_RESPONSE_EXPIRATION is 2 min; a little less, for the way. */
export const REPLY_TTL_MS: Millis = 110_000;
/** Requests remembered at most; the oldest are forgotten. */
export const REPLIES_MAX = 4096;

const DOLLAR = 0x24;

interface Awaited {
  readonly until: Millis;
  isSpent: boolean;
}

/** What the hub lets a spoke do, as INFO shows it. */
export interface ShownPermissions {
  readonly version: string;
  readonly imports: PermissionList | null;
  readonly exports: PermissionList | null;
}

export class Answers implements AwaitedAnswers {
  readonly #clock: Clock;
  /** Own deny_exports, which holds for answers, too. */
  readonly #isDenied: (subject: string) => boolean;
  /** In the order of their arrival. */
  readonly #awaited = new Map<string, Awaited>();
  #shown = "";
  #mayTry = false;
  #isRefused = false;

  constructor(clock: Clock, isDenied: (subject: string) => boolean) {
    this.#clock = clock;
    this.#isDenied = isDenied;
  }

  /** A new link's permissions. */
  learn(permissions: ShownPermissions): void {
    const shown = JSON.stringify(permissions);
    if (shown !== this.#shown) this.#isRefused = false;
    this.#shown = shown;
    this.#mayTry = permissions.imports !== null || !enforcesPublish(permissions.version);
  }

  /** The link is over: its hub, or another node of it, waits for nothing on the next. */
  forget(): void {
    this.#awaited.clear();
  }

  /** Remembers the replies of a batch from the hub. Those that begin with `$` are the server's own and need no leave. */
  note(batch: Batch): void {
    const { bytes, spans, count } = batch;
    for (let i = 0; i < count; i++) {
      if (!isRequest(batch, i) || bytes[spans[i * SPAN_WORDS + REPLY]!] === DOLLAR) continue;
      const reply = replyOf(batch, i);
      this.#awaited.delete(reply); // asked anew, it moves to the end
      this.#awaited.set(reply, { until: this.#clock.now() + REPLY_TTL_MS, isSpent: false });
      if (this.#awaited.size > REPLIES_MAX) this.#awaited.delete(this.#awaited.keys().next().value!);
    }
  }

  isAwaited(subject: string): boolean {
    const awaited = this.#awaited.get(subject);
    if (awaited === undefined) return false;
    if (this.#clock.now() < awaited.until) return true;
    this.#awaited.delete(subject);
    return false;
  }

  spend(subject: string): boolean {
    if (!this.isAwaited(subject)) return false;
    if (isImportReply(subject)) return true; // every hub lets it pass
    if (this.#isDenied(subject) || !this.#mayTry || this.#isRefused) return false;
    const awaited = this.#awaited.get(subject)!;
    if (awaited.isSpent) return false;
    awaited.isSpent = true;
    return true;
  }

  /** The hub refused `subject`, and has ended the link. True: it was an answer, and no other will be tried. */
  onRefused(subject: string): boolean {
    if (this.#awaited.get(subject)?.isSpent !== true) return false;
    this.#isRefused = true;
    return true;
  }
}

/** The reply of a request that came through a service import of the hub. Source: spec §11.4. */
export function isImportReply(subject: string): boolean {
  return subject.startsWith("_R_.");
}
