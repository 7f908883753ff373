// Retained messages as a NATS client is shown them (ingress/nats/last-values.ts asks).
//
//   NATS/1.0
//   Nmqtt-Subject: plant.7.temp          where it was published
//   Nmqtt-Pub: 1                         with which QoS
//   Petiole-Time: 2026-11-22T12:00:00Z   since when it is retained: a last value may be an old one
//   Nmqtt-Expiry: 40                     seconds that are left, if it expires
//   …                                    what its publisher gave it: user properties, content type
//
// Tests: test/unit/ingress/mqtt/retained.test.ts

import { type Clock, timestamp } from "#base/clock.ts";
import type { RetainedMessage, RetainedStore } from "./retained.ts";

/** Fits LastValues of ingress/nats. */
export interface LastValues {
  get(subject: string): LastValue | undefined;
  /** Lazy. */
  match(filter: string): Iterable<LastValue>;
}

export interface LastValue {
  readonly subject: string;
  /** A whole header block. */
  readonly headers: Buffer;
  readonly payload: Buffer;
}

const FIRST_LINE = "NATS/1.0\r\n";
const EXPIRY_LINE = /\r\nnmqtt-expiry:[^\r\n]*/gi;

export function lastValuesOf(store: RetainedStore, clock: Clock): LastValues {
  return {
    get(subject) {
      const found = store.get(subject);
      return found === undefined ? undefined : show(found, clock);
    },
    *match(filter) {
      for (const found of store.matchWithTimes(filter)) yield show(found, clock);
    },
  };
}

function show({ message, retainedWall }: RetainedMessage, clock: Clock): LastValue {
  const { subject, qos, deadlineWall, headers, payload } = message;
  const lines = [`Nmqtt-Subject: ${subject}`, `Nmqtt-Pub: ${qos}`, `Petiole-Time: ${timestamp(retainedWall)}`];
  if (deadlineWall !== 0) lines.push(`Nmqtt-Expiry: ${Math.max(1, Math.ceil((deadlineWall - clock.wall()) / 1000))}`);
  const block = `${FIRST_LINE}${lines.join("\r\n")}\r\n${linesOf(headers)}\r\n`;
  return { subject, headers: Buffer.from(block, "latin1"), payload };
}

/** The lines of a header block, each with its end; without the expiry it had when it was published. */
function linesOf(headers: Buffer): string {
  if (headers.length === 0) return "";
  const text = headers.latin1Slice(0, headers.length).replaceAll(EXPIRY_LINE, "");
  const start = text.indexOf("\r\n") + 2;
  return text.slice(start, text.length - 2);
}
