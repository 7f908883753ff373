// What a site's devices send, for `scripts/bench site` and `thin`: who, how often, how much; and the text of a reading.
//
//   {"at":"<16 hex digits: when it was due>","n":17, … }

import { randomBytes } from "node:crypto";
import { STAMP_CHARS } from "./mqtt-packets.ts";

interface Paced {
  readonly name: string;
  /** Readings a second of all of them together, evenly spread, in an open loop. */
  readonly perSecond: number;
  /** Of a reading. */
  readonly bytes: number;
  /** Text that no compression makes smaller. */
  readonly isNoise?: boolean;
}

export interface MqttSource extends Paced {
  readonly kind: "mqtt";
  readonly devices: number;
  /** A device's topic is that with its number behind it. QoS 1. */
  readonly topic: string;
}

/** Lines on serial ports; they are not acknowledged. */
export interface TtySource extends Paced {
  readonly kind: "tty";
  /** The far ends: what is written there the gateway reads. */
  readonly paths: readonly string[];
}

/** A local NATS client that publishes and one that listens to it. */
export interface NatsSource extends Paced {
  readonly kind: "nats";
  readonly port: number;
  readonly subject: string;
}

export type Source = MqttSource | TtySource | NatsSource;

/** What one source saw of its readings. */
export interface SourceSent {
  readonly name: string;
  readonly sent: number;
  /** As far as they are acknowledged at all. */
  readonly acked: number;
  /** From the moment a reading was due; one that never came counts as long as was waited for it. */
  readonly ackMs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  /** How late the source itself was. */
  readonly lateP99Ms: number;
  /** When its readings were due, in nanoseconds, if it was asked to tell. */
  readonly due: readonly number[];
}

export interface SiteSent {
  readonly startedAt: number;
  readonly doneAt: number;
  readonly sources: readonly SourceSent[];
  /** Connections that the gateway has ended since the beginning. */
  readonly ended: number;
}

const NOISE_OVERHEAD = 8;

/** Of `bytes` characters, or a few more where that is too few for all its fields. */
export function reading(source: Paced, device: number, n: number, dueNs: number): string {
  const at = Math.round(dueNs).toString(16).padStart(STAMP_CHARS, "0");
  if (source.isNoise === true) {
    const head = `{"at":"${at}","x":"`;
    const chars = Math.max(1, source.bytes - head.length - 2);
    return `${head}${randomBytes(chars + NOISE_OVERHEAD)
      .toString("base64url")
      .slice(0, chars)}"}`;
  }
  const fields = {
    at,
    n,
    device: `meter-${String(device).padStart(4, "0")}`,
    temp: wave(21, 3, n + device, 40, 2),
    hum: wave(45, 5, n, 60, 2),
    press: wave(1013, 8, n + 3 * device, 900, 1),
    volt: wave(3.3, 0.1, n, 7, 3),
    power: wave(740, 310, n + 11 * device, 25, 1),
    energy: Number((1200 + n * 0.2).toFixed(1)),
    rssi: -60 - ((n * 13) % 17),
    state: "",
  };
  const missing = source.bytes - JSON.stringify(fields).length;
  fields.state = "ok".padEnd(Math.max(2, missing), ".");
  return JSON.stringify(fields);
}

function wave(middle: number, swing: number, at: number, period: number, digits: number): number {
  return Number((middle + swing * Math.sin(at / period)).toFixed(digits));
}
