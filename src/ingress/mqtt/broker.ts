// What a connection is lent by the listener it came in by.

import type { Authenticator, User } from "#access/authenticator.ts";
import type { Clock, Millis } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Voice } from "#base/voice.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Workbench } from "./inbound.ts";
import type { Ending } from "./life.ts";
import type { MqttOptions } from "./options.ts";
import type { Session } from "./session.ts";
import type { SlabPool } from "./slab-pool.ts";

/** A connection as the listener sees it. */
export interface Client {
  /** Unlike its client id, never used again. */
  readonly number: number;
  readonly address: string;
  readonly port: number;
  readonly sinceWall: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly pendingBytes: number;
  /** When something last came, or was taken. */
  readonly lastActive: Millis;
  /** From the time it is let in. */
  readonly session: Session | undefined;
  end(ending: Ending, words: string): void;
}

/** Of the settings' `limits`, those that mean something here. */
export interface MqttLimits {
  /** Bytes of payload in one message. */
  readonly maxPayload: number;
  /** Bytes waiting for one slow client, at most. */
  readonly maxPending: number;
  /** Milliseconds one write may take before the client counts as one that has stopped reading. */
  readonly writeDeadline: number;
}

export interface Broker {
  readonly limits: MqttLimits;
  readonly options: Pick<MqttOptions, "account" | "maxPacket">;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly voice: Voice;
  readonly authenticator: Authenticator;
  readonly bench: Workbench;
  readonly pool: SlabPool;
  /** The account of that name; undefined if there is none. */
  account(name: string): AccountRouter | undefined;
  nextNumber(): number;
  /** Its CONNECT is being looked at: it no longer counts among the silent. */
  onConnect(client: Client): void;
  /** It showed who it is. Ends an older connection with its id and registers it, or says with which return code it is refused. */
  register(client: Client, clientId: string, user: User): { readonly returnCode: number; readonly words: string };
  onEnd(client: Client, ending: Ending): void;
}
