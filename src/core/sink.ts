// Where messages come from and where they go: the only words the router knows of its neighbours.

import type { Batch } from "./batch.ts";

/** Number of a batch whose acknowledgement must wait; rises, never reused. 0: nothing to wait for. */
export type Ticket = number;

/**
 * What an upstream did with one message. `staged`: it is kept, and the ticket must wait for `onSafe`. `passed`: there is nothing to wait
 * for. `dropped`, `refused`: it should be kept and there is no room (outbox.when_full); it was counted. `refused`: its publisher must not
 * be told that it is safe, by whatever means its protocol has; `dropped`: only where the protocol has words for it, and the ticket must
 * wait for `onSafe`, which comes when the loss is written down.
 */
export type Taken = "staged" | "passed" | "dropped" | "refused";

/** The door a message came in by. One per connection, port or link. */
export interface Origin {
  /** `page`: somebody tries something out by hand. */
  readonly kind: "mqtt" | "nats" | "serial" | "host" | "hub" | "page";
  /** For logs and status, e.g. "mqtt sensor-7" or "hub hub1.example.com". */
  readonly label: string;
  /** May a message be published on this literal subject? Asked once per subject and origin; the router remembers the answer. */
  mayPublish(subject: string): boolean;
  /**
   * Where `mayPublish` said no: may this one message pass all the same, as an answer to a request the origin was sent? Asked for each
   * message, since every answer counts. Absent: never.
   */
  readonly mayRespond?: ((subject: string) => boolean) | undefined;
  /** True: it is its own sink and wants nothing of what it publishes itself. For its messages it is no member of a queue group. */
  readonly isDeafToItself?: boolean;
  /** A message on `subject` was refused because `mayPublish` said no. */
  onDenied(subject: string): void;
  /**
   * Message `index` of the borrowed batch is a request (it has a reply subject) that nobody hears: no local subscriber, and no
   * hub that listens now. From a hub: nobody who is here now asked for it, or the queue group it was sent for has lost its members.
   * Called from inside `publish`. Source: spec/leafnode-protocol.md §11.5, "no responders" is decided where the requestor is.
   */
  onNoResponders?(batch: Batch, index: number): void;
  /**
   * Message `index` of the borrowed batch reaches nobody: no local subscriber, no outbox that keeps it, no hub that listens now.
   * Called from inside `publish`. Absent: nobody wants to know.
   */
  readonly onUnheard?: ((batch: Batch, index: number) => void) | undefined;
  /** True: sinks here have had its messages already, and only upstreams get them. */
  readonly reachesUpstreamsOnly?: boolean;
  /**
   * Message `index` of the borrowed batch was to be kept, and there was no room for it. Called from inside `publish`, before it
   * returns. Absent: nobody to tell; it was counted.
   */
  onNoRoom?(batch: Batch, index: number, taken: "dropped" | "refused"): void;
  /** Everything this origin published under a ticket up to `watermark` is safe (DESIGN §1.1). Called rarely, never per message. */
  onSafe(watermark: Ticket): void;
  /** Stop reading: something downstream is full. May be called when paused already. */
  pause(): void;
  resume(): void;
}

/** One wish for messages. Sinks extend it with what they need to deliver (sid, QoS, …). */
export interface Subscription {
  /** Valid filter, latin1 form. */
  readonly filter: string;
  /** Queue group, or null for a plain subscription. */
  readonly queue: string | null;
  readonly sink: Sink;
  /** Of a queue group: false while its receiver is away, so that members who are there go first. Absent: it is there. */
  readonly isReady?: boolean;
  /** Permission on the concrete subject, and the sink's own exclusions; asked once per subject, then remembered in the route. */
  mayReceive(subject: string): boolean;
}

/** Whoever gets messages. Must not throw for what a peer does; must bound what it queues. */
export interface Sink {
  /** Takes message `index` of the borrowed batch. `subscriptions`: all of this sink that match (never empty), or the one picked for a queue group. */
  deliver(batch: Batch, index: number, subscriptions: readonly Subscription[], origin: Origin): void;
  /** The batch is over: write out what `deliver` gathered. */
  flush(): void;
}

/** What an upstream decided for one subject; opaque to the router, remembered in the route. */
export type Plan = object;

/** A sink that sees every message of its account and may make it durable: the outbox of a remote. */
export interface Upstream {
  /** Decides what becomes of messages on `subject`. `servedGroups`: queue groups that have local members. null: nothing, ever, until invalidated. */
  plan(subject: string, servedGroups: readonly string[]): Plan | null;
  /** Takes one message. Not called for messages that came from this upstream's own hub. */
  take(batch: Batch, index: number, plan: Plan, ticket: Ticket): Taken;
  /** Would a request under this plan be heard at the hub now? False while the link is down. */
  hears(plan: Plan): boolean;
  flush(): void;
  /** True while its queues are full: the router pauses the origins that feed it. */
  readonly isFull: boolean;
  /** The origin of messages that this upstream's hub sends down, so that they are never sent back. */
  readonly origin: Origin;
}
