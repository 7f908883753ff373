// PUBLISHes of one chunk, gathered into batches, published, and their PUBACKs owed.
//
//   chunk ─▶ PUBLISH … PUBLISH ─▶ one batch, spans into the chunk ─▶ one routing pass ─▶ ticket ─▶ ack queue
//
// An ordinary topic becomes its subject where it lies. One whose subject has another length is copied, and neighbours of that
// kind share a batch too. The two kinds never overtake each other: a change of kind publishes what was gathered.

import { ProtocolError } from "#base/errors.ts";
import type { Batch } from "#core/batch.ts";
import { BATCH_MAX, flagsFor, flagsOf, qosOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Ticket } from "#core/sink.ts";
import { SUBJECT_BYTES_MAX } from "#core/subject.ts";
import type { AckQueue } from "./ack-queue.ts";
import { MQTT_DENIED, MQTT_PACKET_TOO_LARGE, MQTT_TOPIC_REFUSED, malformed } from "./errors.ts";
import type { Framer } from "./framer.ts";
import { mapInPlace, mapSlowly, PublishParts } from "./publish.ts";
import { displayTopic, subjectToTopic, type TopicFault } from "./topic.ts";

/** What gathering needs and only one connection uses at a time: within one synchronous turn. One per listener. */
export class Workbench {
  /** Over the chunk itself. */
  readonly placed = new BatchBuilder();
  /** Over an own slab. */
  readonly copied = new BatchBuilder();
  /** Packet identifiers of the batch under way, QoS 1 only, in order. */
  readonly packetIds = new Uint16Array(BATCH_MAX);
  readonly parts = new PublishParts();
}

export interface InboundEvents {
  publish(batch: Batch): Ticket;
  /** May be acknowledged right now. */
  onReady(packetId: number): void;
  /** A QoS 0 message was dropped: it has no subject, or the permissions forbid it. */
  onDropped(topic: string, words: string): void;
  /** A PUBLISH asked to be retained. */
  onRetained(): void;
  /** A message that must not be acknowledged found no room; no PUBLISH is taken any more. */
  onNoRoom(topic: string): void;
}

export class Inbound {
  messages = 0;
  dropped = 0;
  readonly #bench: Workbench;
  readonly #payloadBytesMax: number;
  readonly #acks: AckQueue;
  readonly #events: InboundEvents;
  readonly #denied = new Set<string>();
  #batch: BatchBuilder;
  #chunk: Buffer | undefined;
  #owed = 0;
  /** First message of the batch under way that found no room and wants a PUBACK; -1: none. */
  #noRoomAt = -1;
  #isShut = false;

  constructor(bench: Workbench, payloadBytesMax: number, acks: AckQueue, events: InboundEvents) {
    this.#bench = bench;
    this.#batch = bench.placed;
    this.#payloadBytesMax = payloadBytesMax;
    this.#acks = acks;
    this.#events = events;
  }

  /** Takes the PUBLISH the framer stands at. Throws if it ends the connection; what was gathered before it stays to be flushed. */
  take(packet: Framer): void {
    if (this.#isShut) return;
    const { parts } = this.#bench;
    const { bytes, end } = packet;
    parts.read(bytes, packet.header, packet.start, end);
    const { topic, topicEnd, qos } = parts;
    if (end - parts.payload > this.#payloadBytesMax) throw payloadTooLarge(end - parts.payload, this.#payloadBytesMax);
    const flags = flagsFor(qos, qos > 0, parts.isRetained);
    if (parts.isRetained) this.#events.onRetained();
    if (topicEnd - topic <= SUBJECT_BYTES_MAX && mapInPlace(bytes, topic, topicEnd)) {
      this.#startPlaced(bytes);
      this.#batch.place(topic, topicEnd, parts.payload, end, flags);
    } else {
      const subject = mapSlowly(bytes, topic, topicEnd);
      if (typeof subject !== "string") {
        this.#refuse(bytes.latin1Slice(topic, topicEnd), subject, qos);
        return;
      }
      if (subject.length === topicEnd - topic) {
        this.#startPlaced(bytes);
        bytes.latin1Write(subject, topic);
        this.#batch.place(topic, topicEnd, parts.payload, end, flags);
      } else {
        this.#startCopied();
        this.#batch.add({ subject, payload: bytes.subarray(parts.payload, end), flags });
      }
    }
    if (qos > 0) this.#bench.packetIds[this.#owed++] = parts.packetId;
  }

  /** Publishes what was gathered. Throws when a QoS 1 message among it was denied: then none of them is acknowledged. */
  flush(): void {
    const batch = this.#batch;
    this.#chunk = undefined;
    if (batch.count === 0) return;
    const owed = this.#owed;
    this.#owed = 0;
    this.messages += batch.count;
    const ticket = this.#events.publish(batch);
    if (this.#denied.size > 0) this.#dropDenied(batch);
    // PUBACKs go out in order [MQTT-4.6.0-2]: one that is refused ends them.
    const due = this.#noRoomAt < 0 ? owed : owedBefore(batch, this.#noRoomAt);
    for (let i = 0; i < due; i++) {
      const packetId = this.#bench.packetIds[i]!;
      if (this.#acks.add(ticket, packetId)) this.#events.onReady(packetId);
    }
    if (this.#noRoomAt >= 0) this.#shut(batch);
    batch.count = 0;
  }

  /** The router found, in the middle of `publish`, that this client must not publish on `subject`. */
  deny(subject: string): void {
    this.#denied.add(subject);
  }

  /** The router found, in the middle of `publish`, that there is no room for this message. */
  noRoom(batch: Batch, index: number, taken: "dropped" | "refused"): void {
    this.dropped += 1;
    if (taken === "refused" && qosOf(flagsOf(batch, index)) > 0 && this.#noRoomAt < 0) this.#noRoomAt = index;
  }

  #shut(batch: Batch): void {
    this.#isShut = true;
    const topic = subjectToTopic(subjectOf(batch, this.#noRoomAt));
    this.#noRoomAt = -1;
    this.#events.onNoRoom(topic);
  }

  #startPlaced(bytes: Buffer): void {
    if (this.#chunk === bytes && !this.#batch.isFull) return;
    this.flush();
    this.#chunk = bytes;
    this.#batch = this.#bench.placed;
    this.#batch.begin(bytes);
  }

  #startCopied(): void {
    if (this.#batch === this.#bench.copied && this.#batch.count > 0 && !this.#batch.isFull) return;
    this.flush();
    this.#batch = this.#bench.copied;
    this.#batch.beginOwn();
  }

  /** QoS 0 promises nothing, so it is dropped, counted and told. QoS 1 would have to be acknowledged as safe: the connection ends. */
  #refuse(topic: string, fault: TopicFault, qos: 0 | 1): void {
    const words = `topic "${displayTopic(topic)}" cannot be published to: ${fault.words}`;
    if (fault.isMalformed) throw malformed(words);
    if (qos > 0) throw new ProtocolError(MQTT_TOPIC_REFUSED, `${words}; a QoS 1 message there cannot be made safe`);
    this.dropped += 1;
    this.#events.onDropped(topic, fault.words);
  }

  #dropDenied(batch: Batch): void {
    const denied = new Set(this.#denied);
    this.#denied.clear();
    let ends: string | undefined;
    for (let i = 0; i < batch.count; i++) {
      const subject = subjectOf(batch, i);
      if (!denied.has(subject)) continue;
      this.dropped += 1;
      if (qosOf(flagsOf(batch, i)) > 0) ends = subject;
      else this.#events.onDropped(subjectToTopic(subject), "the user's permissions forbid it");
    }
    if (ends === undefined) return;
    this.#batch.count = 0;
    const topic = displayTopic(subjectToTopic(ends));
    throw new ProtocolError(
      MQTT_DENIED,
      `the user's permissions forbid publishing to topic "${topic}" (QoS 1 cannot be refused otherwise)`,
    );
  }
}

/** How many of the messages before `index` want a PUBACK. */
function owedBefore(batch: Batch, index: number): number {
  let owed = 0;
  for (let i = 0; i < index; i++) if (qosOf(flagsOf(batch, i)) > 0) owed += 1;
  return owed;
}

function payloadTooLarge(found: number, limit: number): ProtocolError {
  return new ProtocolError(MQTT_PACKET_TOO_LARGE, `a PUBLISH has a payload of ${found} bytes, limits.max_payload is ${limit}`);
}
