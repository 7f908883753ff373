// What a session is made of and made with: who it is, and what it needs of the broker. One object for all sessions of an account.

import type { User } from "#access/authenticator.ts";
import type { Clock } from "#base/clock.ts";
import type { Batch } from "#core/batch.ts";
import type { Origin } from "#core/sink.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Ages } from "./ages.ts";
import type { CopyWatch } from "./copy-watch.ts";
import type { DeliveryLimits } from "./delivery-deps.ts";
import type { Grant } from "./grant.ts";
import type { HubCopies } from "./hub-copies.ts";
import type { Mail } from "./mail.ts";
import type { RetainedStore } from "./retained.ts";
import type { Session } from "./session.ts";
import type { SessionFile } from "./session-file.ts";
import type { SessionRecord } from "./session-records.ts";
import type { SessionUpstream } from "./session-upstream.ts";
import type { SharedGroups } from "./shared-groups.ts";
import type { SysTopics } from "./sys-topics.ts";

export interface SessionFacts {
  readonly clientId: string;
  readonly user: User;
  readonly account: AccountRouter;
  /** Kept through connections and power cuts. */
  readonly file: SessionFile | null;
}

/** How it was left. */
export type Left = Pick<SessionRecord, "expirySeconds" | "leftAt" | "boot">;

export interface SessionDeps {
  readonly clock: Clock;
  readonly ages: Ages;
  readonly mail: Mail;
  /** Where deliveries are worked out. */
  readonly grant: Grant;
  readonly limits: DeliveryLimits;
  readonly upstream: SessionUpstream;
  /** Who shares subscriptions with it. */
  readonly groups: SharedGroups;
  readonly retained: RetainedStore | null;
  /** What the broker tells of itself. */
  readonly sys: SysTopics;
  /** Of hubs that speak MQTT; null: there are none. */
  readonly copies: HubCopies | null;
  /** Whether they take them; null as well. */
  readonly copyWatch: CopyWatch | null;
  /** A copy of what is retained on `subject` goes to such a hub. */
  onRetainedSent(subject: string): void;
  /** QoS of a message whose flags state none (`mqtt.from_nats`). */
  unstatedQos(batch: Batch, index: number, origin: Origin): 0 | 1 | 2;
  /** Something the owner should know, said at most once in a while for each `about`. */
  tell(session: Session, about: string, message: string, facts: Readonly<Record<string, unknown>>): void;
  onEnded(session: Session): void;
}
