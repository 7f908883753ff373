// What a connection is lent by the listener it came in by.

import type { Authenticator, User } from "#access/authenticator.ts";
import type { Clock, WallMillis } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Voice } from "#base/voice.ts";
import type { BatchBuilder } from "#core/batch-builder.ts";
import type { TlsFacts } from "#doors/tls-facts.ts";
import type { AccountRouter } from "#router/router.ts";
import type { LastValues } from "./last-values.ts";
import type { Ending } from "./life.ts";
import type { Slabs } from "./slabs.ts";
import type { Turn } from "./turn.ts";

/** Of the settings' `limits`, those that mean something here. */
export interface NatsLimits {
  /** Bytes of headers and payload in one message. */
  readonly maxPayload: number;
  /** Connections at the same time, those that are not let in yet included. */
  readonly maxConnections: number;
  /** Bytes waiting for one slow client, at most. */
  readonly maxPending: number;
  /** Milliseconds a client may take none of what waits for it. */
  readonly writeDeadline: number;
}

/** A connection as the listener sees it. */
export interface NatsPeer {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly refused: number;
}

/** How a client came, as far as its INFO tells. */
export interface Greeting {
  readonly address: string;
  readonly way: "plain" | "tls" | "mutual-tls" | "websocket";
  readonly nonce: string | null;
  /** What the TLS handshake agreed on; null: none yet, or none at all. */
  readonly tls: TlsFacts | null;
}

/** An accepted connection. */
export interface Caller extends Greeting {
  readonly number: number;
  readonly port: number;
  readonly since: WallMillis;
}

export interface NatsContext {
  readonly limits: NatsLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly voice: Voice;
  readonly authenticator: Authenticator;
  readonly slabs: Slabs;
  readonly turn: Turn;
  /** What comes from plain connections is read into this; valid until the next read. */
  readonly readBuffer: Buffer;
  /** Only one parser works at a time. */
  readonly batch: BatchBuilder;
  /** Whether somebody who shows no user is let in. */
  readonly hasNoAuthUser: boolean;
  account(name: string): AccountRouter | undefined;
  /** The line that a client with this number is told; `isClosing`: we are about to close; `payloadMax`: if it is its own. */
  infoLine(clientNumber: number, greeting: Greeting, isClosing: boolean, payloadMax?: number): string;
  /** What `$SYS.REQ.USER.INFO` answers. */
  userInfo(user: User): string;
  /** Of an account; undefined: nobody knows any. */
  lastValues(account: string): LastValues | undefined;
  onAdmitted(): void;
  /** `reason`: the same in nats-server's words. */
  onEnd(peer: NatsPeer, ending: Ending, reason: string): void;
}
