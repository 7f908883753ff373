// Doors, sinks and upstreams that remember what happened to them, for tests of the router and of the parts beside it.

import type { Batch } from "#core/batch.ts";
import { payloadOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder, type MessageParts } from "#core/batch-builder.ts";
import type { Origin, Plan, Sink, Subscription, Taken, Ticket, Upstream } from "#core/sink.ts";

export function message(subject: string, payload = "", flags = 0b1100): MessageParts {
  return { subject, payload: Buffer.from(payload), flags };
}

export function batchOf(...messages: readonly MessageParts[]): Batch {
  const builder = new BatchBuilder();
  builder.beginOwn();
  for (const each of messages) builder.add(each);
  return builder;
}

export class RecordingOrigin implements Origin {
  readonly kind: Origin["kind"];
  readonly label = "test";
  readonly denied: string[] = [];
  readonly safe: Ticket[] = [];
  readonly calls: string[] = [];
  readonly #mayPublish: (subject: string) => boolean;

  constructor(kind: Origin["kind"] = "mqtt", mayPublish: (subject: string) => boolean = () => true) {
    this.kind = kind;
    this.#mayPublish = mayPublish;
  }

  mayPublish(subject: string): boolean {
    return this.#mayPublish(subject);
  }

  onDenied(subject: string): void {
    this.denied.push(subject);
  }

  onSafe(watermark: Ticket): void {
    this.safe.push(watermark);
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }
}

export class RecordingSink implements Sink {
  /** `subject=payload` per delivery. */
  readonly delivered: string[] = [];
  readonly subscriptionCounts: number[] = [];
  flushes = 0;

  deliver(batch: Batch, index: number, subscriptions: readonly Subscription[]): void {
    this.delivered.push(`${subjectOf(batch, index)}=${payloadOf(batch, index).toString()}`);
    this.subscriptionCounts.push(subscriptions.length);
  }

  flush(): void {
    this.flushes += 1;
  }

  subscription(filter: string, queue: string | null = null, mayReceive: (subject: string) => boolean = () => true): Subscription {
    return { filter, queue, sink: this, mayReceive };
  }
}

/** Stages everything unless told otherwise; the test says when it is safe. */
export class RecordingUpstream implements Upstream {
  readonly origin = new RecordingOrigin("hub");
  readonly taken: string[] = [];
  readonly planned: string[] = [];
  readonly served: (readonly string[])[] = [];
  isFull = false;
  isHearing = true;
  stages = true;
  /** What it says of everything instead, when it is full. */
  noRoom: "dropped" | "refused" | null = null;
  flushes = 0;

  plan(subject: string, servedGroups: readonly string[]): Plan {
    this.planned.push(subject);
    this.served.push(servedGroups);
    return {};
  }

  take(batch: Batch, index: number): Taken {
    this.taken.push(`${subjectOf(batch, index)}=${payloadOf(batch, index).toString()}`);
    return this.noRoom ?? (this.stages ? "staged" : "passed");
  }

  hears(): boolean {
    return this.isHearing;
  }

  flush(): void {
    this.flushes += 1;
  }
}
