// What a hub that speaks MQTT itself needs beside a message, so that its own MQTT clients get it with its QoS and retained
// (`mqtt.hub_mqtt`, spec/mqtt-mapping.md §2).
//
//   PUBLISH QoS ≥ 1 ─┬─▶ <subject>               header Nmqtt-Pub: the hub's QoS 0 and NATS subscribers; its QoS 1, 2 pass it over
//                    └─▶ $MQTT.msgs.<subject>    the same: stored at the hub, for its QoS 1 and 2 subscribers, away or not
//   retained ────────┬─▶ as above
//                    └─▶ $MQTT.rmsgs.<subject>   its record (hub-record.ts)
//
// Copies go to outboxes only, through the door of whoever published, under the same ticket as their originals: an ack says that all are safe.
// Tests: test/conformance/mqtt/hub.test.ts, test/integration/mqtt-hub.test.ts

import { type Batch, FLAG_RETAIN, flagsFor, flagsOf, headersOf, payloadOf, qosOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Ticket } from "#core/sink.ts";
import { SUBJECT_BYTES_MAX } from "#core/subject.ts";
import { encodeHubRecord } from "./hub-record.ts";

const FIRST_LINE = Buffer.from("NATS/1.0\r\n", "latin1");
const BARE_BYTES = FIRST_LINE.length + 2;
const NONE = Buffer.alloc(0);
const MESSAGES = "$MQTT.msgs.";
const RETAINED = "$MQTT.rmsgs.";

/** What a stated QoS adds to a message, at most. */
export const STATED_QOS_BYTES = 32;

export interface HubCopyFacts {
  /** Names this device among the writers of retained messages. */
  readonly origin: string;
  /** Are retained messages told to the hub? */
  readonly retainedGoUp: boolean;
}

export class HubCopies {
  readonly #batch = new BatchBuilder();
  readonly origin: string;
  readonly #retainedGoUp: boolean;
  /** Which message of the originals' batch each one copies. */
  #originals = new Uint16Array(64);
  #slab = Buffer.allocUnsafeSlow(1024);

  constructor({ origin, retainedGoUp }: HubCopyFacts) {
    this.origin = origin;
    this.#retainedGoUp = retainedGoUp;
  }

  /** The header block with the QoS stated in it. Borrowed until the next call; an empty block becomes one of a single line. */
  stateQos(headers: Buffer, qos: number): Buffer {
    return this.#extend(headers, `Nmqtt-Pub: ${qos}\r\n`);
  }

  /** Publishes what the hub needs beside the messages of `original`, but for those that `isRefused`. Returns the last ticket. */
  publish(original: Batch, isRefused: (index: number) => boolean, publish: (copies: Batch) => Ticket): Ticket {
    let last: Ticket = 0;
    this.#batch.beginOwn();
    for (let i = 0; i < original.count; i++) {
      if (!isRefused(i)) this.#copy(original, i);
      const isDue = this.#batch.count + 2 > BATCH_COPIES_MAX || i + 1 === original.count;
      if (!isDue || this.#batch.count === 0) continue;
      last = Math.max(last, publish(this.#batch));
      this.#batch.beginOwn();
    }
    return last;
  }

  #copy(original: Batch, index: number): void {
    const flags = flagsOf(original, index);
    const isRetained = this.#retainedGoUp && (flags & FLAG_RETAIN) !== 0;
    const qos = qosOf(flags);
    if (qos === 0 && !isRetained) return;
    const subject = subjectOf(original, index);
    if (subject.length + RETAINED.length > SUBJECT_BYTES_MAX) return;
    const payload = payloadOf(original, index);
    const kept = flagsFor(qos, qos > 0, false);
    if (qos > 0) this.#add(index, { subject: MESSAGES + subject, headers: headersOf(original, index), payload, flags: kept });
    if (!isRetained) return;
    const record = encodeHubRecord({ subject, qos, payload }, this.origin);
    this.#add(index, { subject: RETAINED + subject, headers: headersOf(original, index), payload: record, flags: kept });
  }

  /** Which message of the originals' batch copy `index` was made of. */
  originalOf(index: number): number {
    return this.#originals[index]!;
  }

  #add(index: number, parts: Parameters<BatchBuilder["add"]>[0]): void {
    if (this.#batch.count === this.#originals.length) {
      const wider = new Uint16Array(this.#originals.length * 2);
      wider.set(this.#originals);
      this.#originals = wider;
    }
    this.#originals[this.#batch.count] = index;
    this.#batch.add(parts);
  }

  #extend(headers: Buffer, lines: string): Buffer {
    const rest = headers.length === 0 ? NONE : headers.subarray(FIRST_LINE.length);
    const bytes = BARE_BYTES + lines.length + rest.length;
    if (bytes > this.#slab.length) this.#slab = Buffer.allocUnsafeSlow(2 * bytes);
    let at = FIRST_LINE.copy(this.#slab);
    at += this.#slab.latin1Write(lines, at);
    at += rest.length === 0 ? this.#slab.latin1Write("\r\n", at) : rest.copy(this.#slab, at);
    return this.#slab.subarray(0, at);
  }
}

/** Copies published at once. */
const BATCH_COPIES_MAX = 2048;
