// PUBLISHes of one chunk, gathered into batches, published, and their PUBACKs and PUBRECs owed.
//
//   chunk ─▶ PUBLISH … PUBLISH ─▶ one batch, spans into the chunk ─▶ one routing pass ─▶ ticket ─▶ ack queue
//
// An ordinary topic becomes its subject where it lies. One whose subject has another length, and a message with properties, is
// copied, and neighbours of that kind share a batch too. The two kinds never overtake each other: a change of kind publishes what
// was gathered. What is refused before it is published (topic, packet identifier) keeps its place among the answers.

import { ProtocolError } from "#base/errors.ts";
import type { Batch } from "#core/batch.ts";
import { BATCH_MAX, FLAG_RETAIN, flagsFor, flagsOf, qosOf, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Ticket } from "#core/sink.ts";
import { SUBJECT_BYTES_MAX } from "#core/subject.ts";
import { MQTT_DENIED, MQTT_PACKET_TOO_LARGE, MQTT_TOPIC_REFUSED, malformed } from "./errors.ts";
import type { Framer } from "./framer.ts";
import type { HubCopies } from "./hub-copies.ts";
import type { Mark } from "./keeping.ts";
import { HeaderWriter } from "./properties-to-headers.ts";
import { mapInPlace, mapSlowly, PublishParts } from "./publish.ts";
import { FAILURE_MIN, REASON } from "./reason-codes.ts";
import { displayTopic, subjectToTopic, type TopicFault } from "./topic.ts";
import { InboundAliases } from "./topic-aliases.ts";
import type { MqttVersion } from "./version.ts";

/** In `messageAt`: an answer without a message, refused before it was published. */
const NO_MESSAGE = 0xffff;
const FORBIDDEN = "the user's permissions forbid it";

/** What gathering needs and only one connection uses at a time: within one synchronous turn. One per listener. */
export class Workbench {
  /** Over the chunk itself. */
  readonly placed = new BatchBuilder();
  /** Over an own slab. */
  readonly copied = new BatchBuilder();
  readonly parts = new PublishParts();
  readonly headers = new HeaderWriter();
  /** Of hubs that speak MQTT; null: there are none. */
  readonly copies: HubCopies | null;
  /** Answers owed for the batch under way, in order: to which packet identifier, at which QoS, for which message, and how it went. */
  readonly packetIds = new Uint16Array(BATCH_MAX);
  readonly qos = new Uint8Array(BATCH_MAX);
  readonly messageAt = new Uint16Array(BATCH_MAX);
  readonly reasons = new Uint8Array(BATCH_MAX);

  constructor(copies: HubCopies | null = null) {
    this.copies = copies;
  }
}

export interface InboundEvents {
  publish(batch: Batch): Ticket;
  /** A new packet identifier at QoS 2: remembered until it is released. Returns what must be safe before PUBREC. */
  receive(packetId: number): Mark;
  /** Its PUBREC says that it failed: the identifier is free [MQTT5-4.3.3-9]. */
  forget(packetId: number): void;
  isReceived(packetId: number): boolean;
  /** It was received before a restart: whoever listens here has it, and whether an outbox had it by then is not known. */
  isUncertain(packetId: number): boolean;
  /** For outboxes only: nobody who listens here gets it again. */
  publishAgain(batch: Batch): Ticket;
  /** Copies for hubs that speak MQTT: for outboxes only. */
  publishCopies(batch: Batch): Ticket;
  /** Keeps message `index` as the retained one of its topic. */
  retain(batch: Batch, index: number): Mark | "full";
  /** The first `due` answers on the workbench are owed as soon as `ticket` and `mark` are safe. */
  owe(ticket: Ticket, mark: Mark, due: number): void;
  /** A QoS 2 PUBLISH that was received before: PUBREC once more, when the first one is due. */
  oweAgain(packetId: number): void;
  /** One more message at QoS 1 or 2 whose exchange is not over. Throws when it is one too many. */
  count(): void;
  /** A message was dropped: it has no subject, or the permissions forbid it. */
  onDropped(topic: string, words: string): void;
  /** A message that must not be acknowledged found no room, and the protocol has no word for it; no PUBLISH is taken any more. */
  onNoRoom(topic: string): void;
}

export interface InboundFacts {
  readonly version: MqttVersion;
  readonly payloadBytesMax: number;
  /** Topic aliases the client was granted. */
  readonly aliasesTaken: number;
}

export class Inbound {
  messages = 0;
  dropped = 0;
  readonly #bench: Workbench;
  readonly #version: MqttVersion;
  readonly #payloadBytesMax: number;
  readonly #aliases: InboundAliases;
  readonly #events: InboundEvents;
  /** Made with the first one. */
  #denied: Set<string> | undefined;
  #batch: BatchBuilder;
  #chunk: Buffer | undefined;
  #owed = 0;
  /** Answers of the batch that is being published. */
  #settling = 0;
  /** The batch under way is one message that was received before a restart. */
  #isAgain = false;
  #hasRetained = false;
  #hasTrouble = false;
  /** What must be safe of the batch under way beside its ticket. */
  #mark: Mark = 0;
  /** 3.x: first message of the batch under way that found no room and wants an ack; -1: none. */
  #noRoomAt = -1;
  #isShut = false;
  #isCopying = false;

  constructor(bench: Workbench, { version, payloadBytesMax, aliasesTaken }: InboundFacts, events: InboundEvents) {
    this.#bench = bench;
    this.#batch = bench.placed;
    this.#version = version;
    this.#payloadBytesMax = payloadBytesMax;
    this.#aliases = new InboundAliases(aliasesTaken);
    this.#events = events;
  }

  /** Takes the PUBLISH the framer stands at. Throws if it ends the connection; what was gathered before it stays to be flushed. */
  take(packet: Framer): void {
    if (this.#isShut) return;
    const { parts } = this.#bench;
    const { bytes, end } = packet;
    parts.read(bytes, packet.header, packet.start, end, this.#version);
    const { topic, topicEnd, qos } = parts;
    if (end - parts.payload > this.#payloadBytesMax) throw payloadTooLarge(end - parts.payload, this.#payloadBytesMax);
    const named = parts.topicAlias === 0 ? undefined : this.#resolve(bytes); // also for a message that is not taken
    if (qos > 0 && !this.#admit(qos as 1 | 2, parts.packetId)) return;
    if (parts.hasProperties || (qos > 0 && this.#bench.copies !== null)) {
      this.#takeWithProperties(bytes, end, named ?? mapSlowly(bytes, topic, topicEnd));
      return;
    }
    const flags = flagsFor(qos, qos > 0, parts.isRetained);
    if (topicEnd - topic <= SUBJECT_BYTES_MAX && mapInPlace(bytes, topic, topicEnd)) {
      this.#startPlaced(bytes);
      this.#batch.place(topic, topicEnd, parts.payload, end, flags);
    } else {
      const subject = mapSlowly(bytes, topic, topicEnd);
      if (typeof subject !== "string") {
        this.#refuse(bytes.latin1Slice(topic, topicEnd), subject, qos, parts.packetId);
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
    this.#placed();
  }

  /** Publishes what was gathered. Throws when a QoS 1 or 2 message of a 3.x client was denied: then none of them is acknowledged. */
  flush(): void {
    const batch = this.#batch;
    this.#chunk = undefined;
    const owed = this.#owed;
    if (batch.count === 0 && owed === 0) return;
    this.#owed = 0;
    this.#settling = owed;
    let ticket: Ticket = 0;
    if (batch.count > 0) {
      this.messages += batch.count;
      ticket = this.#isAgain ? this.#events.publishAgain(batch) : this.#events.publish(batch);
    }
    this.#isAgain = false;
    if (this.#denied !== undefined && this.#denied.size > 0) this.#settleDenied(batch);
    if (this.#hasRetained) this.#retain(batch);
    if (this.#bench.copies !== null && batch.count > 0) ticket = Math.max(ticket, this.#copy(batch, this.#bench.copies));
    this.#denied?.clear();
    if (this.#hasTrouble) this.#forgetFailed();
    // Answers go out in order [MQTT-4.6.0-2]: one that cannot be given ends them.
    const due = this.#noRoomAt < 0 ? owed : this.#owedBefore(this.#noRoomAt);
    if (due > 0) this.#events.owe(ticket, this.#mark, due);
    this.#mark = 0;
    this.#hasTrouble = false;
    if (this.#noRoomAt >= 0) this.#shut(batch);
    batch.count = 0;
  }

  /** The router found, in the middle of `publish`, that this client must not publish on `subject`. */
  deny(subject: string): void {
    this.#denied ??= new Set();
    this.#denied.add(subject);
  }

  /** The router found, in the middle of `publish`, that there is no room for this message. */
  noRoom(batch: Batch, index: number, taken: "dropped" | "refused"): void {
    this.dropped += 1;
    if (qosOf(flagsOf(batch, index)) === 0) return;
    if (this.#isCopying) index = this.#bench.copies!.originalOf(index);
    if (this.#version === 5 || taken === "refused") this.#fail(index, REASON.quotaExceeded);
    if (this.#version !== 5 && taken === "refused" && this.#noRoomAt < 0) this.#noRoomAt = index;
  }

  /** The router found, in the middle of `publish`, that nobody hears this message; for 5.0 clients only. */
  unheard(batch: Batch, index: number): void {
    if (qosOf(flagsOf(batch, index)) > 0) this.#fail(index, REASON.noMatchingSubscribers);
  }

  /** Properties, and a QoS that is stated, become headers, an alias its topic: the message is copied. */
  #takeWithProperties(bytes: Buffer, end: number, subject: string | TopicFault): void {
    const { parts, headers, copies } = this.#bench;
    const { topic, topicEnd, qos } = parts;
    if (typeof subject !== "string") {
      this.#refuse(bytes.latin1Slice(topic, topicEnd), subject, qos, parts.packetId);
      return;
    }
    if (parts.hasProperties && parts.isPayloadMisdeclared(bytes, end)) {
      this.#refuse(subjectToTopic(subject), MISDECLARED, qos, parts.packetId);
      return;
    }
    if (parts.hasProperties) headers.write(parts.properties);
    else headers.clear();
    this.#startCopied();
    const payload = bytes.subarray(parts.payload, end);
    const { block, reply } = headers;
    const total = block.length + payload.length;
    if (total > this.#payloadBytesMax) throw payloadTooLarge(total, this.#payloadBytesMax);
    const stated = qos > 0 && copies !== null ? copies.stateQos(block, qos) : block;
    this.#batch.add({ subject, payload, headers: stated, reply, flags: flagsFor(qos, qos > 0, parts.isRetained) });
    this.#placed();
  }

  /** The subject of a PUBLISH with a topic alias. */
  #resolve(bytes: Buffer): string | TopicFault {
    const { topic, topicEnd, topicAlias } = this.#bench.parts;
    if (topic === topicEnd) return this.#aliases.resolve(topicAlias);
    const subject = mapSlowly(bytes, topic, topicEnd);
    this.#aliases.remember(topicAlias, subject);
    return subject;
  }

  /** False: it is answered already, or its answer is all it gets. */
  #admit(qos: 1 | 2, packetId: number): boolean {
    if (qos === 1 && this.#version !== 5) return true;
    const isReceived = this.#events.isReceived(packetId);
    if (isReceived && qos === 2) {
      this.flush(); // the first one may be in the batch under way
      this.#isAgain = this.#events.isUncertain(packetId);
      if (!this.#isAgain) this.#events.oweAgain(packetId); // [MQTT-4.3.3-2, MQTT5-4.3.3-10]
      return this.#isAgain;
    }
    this.#events.count();
    if (isReceived && this.#version === 5) {
      this.#owe(packetId, qos, NO_MESSAGE, REASON.packetIdInUse);
      return false;
    }
    return true;
  }

  /** The packet's message is the last one of the batch. */
  #placed(): void {
    const { parts } = this.#bench;
    if (parts.isRetained && !this.#isAgain) this.#hasRetained = true;
    if (parts.qos === 2) this.#mark = Math.max(this.#mark, this.#events.receive(parts.packetId));
    if (parts.qos > 0) this.#owe(parts.packetId, parts.qos, this.#batch.count - 1, REASON.success);
    if (this.#isAgain) this.flush();
  }

  #owe(packetId: number, qos: number, messageAt: number, reason: number): void {
    const bench = this.#bench;
    const at = this.#owed;
    bench.packetIds[at] = packetId;
    bench.qos[at] = qos;
    bench.messageAt[at] = messageAt;
    bench.reasons[at] = reason;
    this.#owed = at + 1;
    if (this.#owed === BATCH_MAX) this.flush();
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

  #retain(batch: Batch): void {
    this.#hasRetained = false;
    for (let i = 0; i < batch.count; i++) {
      if ((flagsOf(batch, i) & FLAG_RETAIN) === 0 || this.#isRefused(i)) continue;
      const mark = this.#events.retain(batch, i);
      if (mark === "full") this.#fail(i, REASON.quotaExceeded);
      else if (qosOf(flagsOf(batch, i)) > 0) this.#mark = Math.max(this.#mark, mark);
    }
  }

  /** Beside their originals, under the same ack. */
  #copy(batch: Batch, copies: HubCopies): Ticket {
    this.#isCopying = true;
    const isRefused = (index: number) => this.#isRefused(index);
    const ticket = copies.publish(batch, isRefused, (made) => this.#events.publishCopies(made));
    this.#isCopying = false;
    return ticket;
  }

  /** QoS 0 promises nothing, so it is dropped, counted and told. 3.x has no word for "no" to QoS 1 and 2: the connection ends. */
  #refuse(topic: string, fault: TopicFault, qos: 0 | 1 | 2, packetId: number): void {
    const words = `topic "${displayTopic(topic)}" cannot be published to: ${fault.words}`;
    if (fault.isMalformed) throw malformed(words);
    if (qos > 0 && this.#version !== 5)
      throw new ProtocolError(MQTT_TOPIC_REFUSED, `${words}; a QoS ${qos} message there cannot be made safe`);
    this.dropped += 1;
    this.#isAgain = false;
    this.#events.onDropped(topic, fault.words);
    if (qos > 0) this.#owe(packetId, qos, NO_MESSAGE, fault.reason);
  }

  #settleDenied(batch: Batch): void {
    let ends: string | undefined;
    for (let i = 0; i < batch.count; i++) {
      const subject = subjectOf(batch, i);
      if (this.#denied?.has(subject) !== true) continue;
      this.dropped += 1;
      const isOwed = qosOf(flagsOf(batch, i)) > 0;
      if (isOwed && this.#version !== 5) ends = subject;
      else this.#events.onDropped(subjectToTopic(subject), FORBIDDEN);
      if (isOwed) this.#fail(i, REASON.notAuthorized);
    }
    if (ends === undefined) return;
    this.#abandon(batch);
    const topic = displayTopic(subjectToTopic(ends));
    throw new ProtocolError(
      MQTT_DENIED,
      `the user's permissions forbid publishing to topic "${topic}" (QoS 1 and 2 cannot be refused otherwise)`,
    );
  }

  /** The connection ends: nothing of this batch is acknowledged, and what was denied is new when its client sends it again. */
  #abandon(batch: Batch): void {
    this.#forgetFailed();
    this.#denied?.clear();
    this.#hasRetained = false;
    (batch as BatchBuilder).count = 0;
  }

  /** A PUBREC that says so, or an end without one, frees the identifier. */
  #forgetFailed(): void {
    const { packetIds, qos, reasons } = this.#bench;
    for (let i = 0; i < this.#settling; i++) if (qos[i] === 2 && reasons[i]! >= FAILURE_MIN) this.#events.forget(packetIds[i]!);
  }

  #isRefused(index: number): boolean {
    if (this.#denied !== undefined && this.#denied.size > 0 && this.#denied.has(subjectOf(this.#batch, index))) return true;
    if (!this.#hasTrouble) return false;
    const at = this.#owedOf(index);
    return at >= 0 && this.#bench.reasons[at]! >= FAILURE_MIN;
  }

  #fail(index: number, reason: number): void {
    const at = this.#owedOf(index);
    if (at < 0) return;
    const { reasons } = this.#bench;
    reasons[at] = Math.max(reasons[at]!, reason);
    this.#hasTrouble = true;
  }

  /** The answer that message `index` wants; -1: none. Never further than the message itself. */
  #owedOf(index: number): number {
    const { messageAt } = this.#bench;
    return index < this.#settling && messageAt[index] === index ? index : messageAt.subarray(0, this.#settling).indexOf(index);
  }

  #owedBefore(index: number): number {
    const at = this.#owedOf(index);
    return at < 0 ? this.#settling : at;
  }

  #shut(batch: Batch): void {
    this.#isShut = true;
    const topic = subjectToTopic(subjectOf(batch, this.#noRoomAt));
    this.#noRoomAt = -1;
    this.#events.onNoRoom(topic);
  }
}

const MISDECLARED: TopicFault = {
  isMalformed: false,
  words: "the payload is said to be UTF-8 and is not",
  reason: REASON.payloadFormatInvalid,
};

function payloadTooLarge(found: number, limit: number): ProtocolError {
  return new ProtocolError(MQTT_PACKET_TOO_LARGE, `a PUBLISH has a payload of ${found} bytes, limits.max_payload is ${limit}`);
}
