// What a connection is lent by the listener it came in by.

import type { Authenticator } from "#access/authenticator.ts";
import type { UserQuotas } from "#access/user-quotas.ts";
import type { Clock, Millis } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Voice } from "#base/voice.ts";
import type { AccountRouter } from "#router/router.ts";
import type { Admitted } from "./admission.ts";
import type { ConnectRequest } from "./connect-packet.ts";
import type { Conversation } from "./conversation.ts";
import type { DoorFacts } from "./door-facts.ts";
import type { FanOut } from "./fan-out.ts";
import type { Workbench } from "./inbound.ts";
import type { Ending } from "./life.ts";
import type { MqttOptions } from "./options.ts";
import type { SafetyQueue } from "./safety-queue.ts";
import type { Claimed } from "./session-table.ts";
import type { SlabPool } from "./slab-pool.ts";

/** A connection as the listener sees it. */
export interface Client {
  /** Unlike its client id, never used again. */
  readonly number: number;
  readonly address: string;
  readonly port: number;
  readonly facts: DoorFacts;
  readonly sinceWall: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly pendingBytes: number;
  /** When something last came, or was taken. */
  readonly lastActive: Millis;
  /** From the time it is let in. */
  readonly conversation: Conversation | undefined;
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
  readonly options: MqttOptions;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly voice: Voice;
  readonly authenticator: Authenticator;
  readonly quotas: UserQuotas;
  readonly bench: Workbench;
  readonly fanOut: FanOut;
  readonly pool: SlabPool;
  /** Lent to whichever plain connection is read. */
  readonly readBuffer: Buffer;
  readonly safety: SafetyQueue;
  /** The account of that name; undefined if there is none. */
  account(name: string): AccountRouter | undefined;
  nextNumber(): number;
  /** Its CONNECT is being looked at: it no longer counts among the silent. */
  onConnect(client: Client): void;
  /** It showed who it is. Ends an older connection with its id, and finds or makes its session; or says why it is refused. */
  register(client: Client, request: ConnectRequest, admitted: Admitted): Claimed;
  onEnd(client: Client, ending: Ending): void;
}
