// What lives as long as one connection of a session: its version, what is gathered from it, the answers it is owed.
//
//   PUBLISH ─▶ inbound ─▶ session ─▶ router ─▶ ticket ─▶ acks ─▶ PUBACK, PUBREC
//   PUBREL, SUBSCRIBE … ─▶ session ─▶ mark ─────────────▶ PUBCOMP, SUBACK …       a kept session's wait until the store is safe

import type { Batch } from "#core/batch.ts";
import type { Ticket } from "#core/sink.ts";
import { AckQueue, type Answer, answerOf, isPubrec, packetIdOf, reasonOfAnswer } from "./ack-queue.ts";
import type { ConnectionVoice } from "./connection-voice.ts";
import { DeliveryWire, type WireFacts } from "./delivery-wire.ts";
import { malformed, protocolError } from "./errors.ts";
import type { FanOut } from "./fan-out.ts";
import type { Framer } from "./framer.ts";
import { Inbound, type InboundFacts, type Workbench } from "./inbound.ts";
import type { Mark } from "./keeping.ts";
import type { Outbound } from "./outbound.ts";
import { PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL } from "./packet.ts";
import { HOLDS, type Reading } from "./reading.ts";
import { FAILURE_MIN, REASON } from "./reason-codes.ts";
import type { Replies } from "./replies.ts";
import type { SafetyQueue } from "./safety-queue.ts";
import { RECEIVED_MAX, type Session } from "./session.ts";
import { type AckFields, parseAck, parseDisconnect } from "./small-packets.ts";
import { parseSubscribe, parseUnsubscribe } from "./subscribe-packets.ts";
import type { Talk } from "./talk.ts";
import { displayTopic } from "./topic.ts";
import type { MqttVersion } from "./version.ts";

/** Answers owed to one client before we stop reading from it; 3.x has no way to tell it a limit. */
const ACKS_MAX = 8192;
/** Answers that wait for the store before we stop reading. */
const PROMISES_MAX = 1024;

export interface ConversationHost {
  readonly outbound: Outbound;
  readonly replies: Replies;
  readonly reading: Reading;
  readonly voice: ConnectionVoice;
  /** Writes out what was gathered. */
  flush(): void;
  /** The last answer that was owed has been sent. */
  onSettled(): void;
  /** An answer that must be given is longer than the client takes. */
  onTooLong(): void;
  /** A message was refused for lack of room, and the protocol has no word for it but the end. */
  onNoRoom(topic: string): void;
}

export interface ConversationFacts extends WireFacts, InboundFacts {
  /** QoS 1 and 2 messages the client may have unacknowledged: 5.0, as it was told. */
  readonly receiveMax: number;
}

export interface ConversationDeps {
  readonly bench: Workbench;
  readonly fanOut: FanOut;
  readonly safety: SafetyQueue;
}

export class Conversation implements Talk {
  readonly version: MqttVersion;
  readonly session: Session;
  readonly wire: DeliveryWire;
  readonly #host: ConversationHost;
  readonly #safety: SafetyQueue;
  readonly #bench: Workbench;
  readonly #facts: ConversationFacts;
  /** From its first PUBLISH on: many clients only listen. */
  #inbound: Inbound | null = null;
  readonly #acks = new AckQueue();
  readonly #ack: AckFields = { packetId: 0, reason: 0 };
  /** Exchanges at QoS 1 and 2 that the client began and that are not over. */
  #open = 0;
  #promises = 0;
  #counted = 0;
  #dropped = 0;
  #isOver = false;

  constructor(session: Session, facts: ConversationFacts, { bench, fanOut, safety }: ConversationDeps, host: ConversationHost) {
    this.version = facts.version;
    this.session = session;
    this.#host = host;
    this.#safety = safety;
    this.#bench = bench;
    this.#facts = facts;
    const { outbound, replies, flush } = host;
    this.wire = new DeliveryWire(facts, { outbound, replies, fanOut, flush });
  }

  /** Messages that were dropped for it, since its last connection ended. */
  get dropped(): number {
    return this.#isOver ? this.#dropped : this.session.deliveries.dropped - this.session.tallied;
  }

  get inbound(): Inbound | null {
    return this.#inbound;
  }

  get owedAcks(): number {
    return this.#acks.size;
  }

  /** Messages it has published since this was asked last. */
  takeCount(): number {
    const count = (this.#inbound?.messages ?? 0) - this.#counted;
    this.#counted += count;
    return count;
  }

  /** CONNACK is written: the session may speak. */
  begin(): void {
    this.session.attach(this, this.version === 5);
  }

  /** Nothing of it is sent any more. */
  close(hasWill: boolean): void {
    if (this.#isOver) return;
    this.#dropped = this.dropped;
    this.#isOver = true;
    this.session.tallied += this.#dropped;
    this.#acks.clear();
    this.session.detach(hasWill);
  }

  /** Publishes what was gathered and looks whether too many answers are owed. */
  flushInbound(): void {
    this.#inbound?.flush();
    if (this.#acks.size >= ACKS_MAX) this.#host.reading.hold(HOLDS.acks);
  }

  /** Sends what waits and has a place now. The caller flushes. */
  pump(): void {
    if (!this.#isOver) this.session.pump();
  }

  /** The packets that come by the thousand. False: it is another one. */
  take(packet: Framer): boolean {
    const { header } = packet;
    if (header >> 4 === PUBLISH) (this.#inbound ??= this.#openInbound()).take(packet);
    else if (header === PUBACK << 4) this.onPuback(packet);
    else if (header === PUBREC << 4) this.onPubrec(packet);
    else if (header === ((PUBREL << 4) | 2)) this.onPubrel(packet);
    else if (header === PUBCOMP << 4) this.onPubcomp(packet);
    else return false;
    return true;
  }

  onPuback(packet: Framer): void {
    this.session.deliveries.onPuback(parseAck(packet, this.version, this.#ack).packetId); // an unknown one harms nobody
  }

  /** A reason of 0x80 or more ends the exchange there and then [MQTT5-4.4.0-2]. */
  onPubrec(packet: Framer): void {
    const { packetId, reason } = parseAck(packet, this.version, this.#ack);
    const { deliveries } = this.session;
    if (reason >= FAILURE_MIN) deliveries.onPuback(packetId, 2);
    else if (!deliveries.onPubrec(packetId)) this.#host.replies.pubrel(packetId, REASON.packetIdNotFound);
  }

  onPubrel(packet: Framer): void {
    const { packetId } = parseAck(packet, this.version, this.#ack);
    const { replies } = this.#host;
    if (!this.session.received.has(packetId)) {
      // It may have been released a moment ago, over an earlier connection: also then it must be safe first.
      this.#when(this.session.received.releaseMark, () => replies.pubcomp(packetId, REASON.packetIdNotFound));
      return;
    }
    this.#when(this.session.received.release(packetId), () => {
      this.#closeExchange();
      replies.pubcomp(packetId);
    });
  }

  onPubcomp(packet: Framer): void {
    this.session.deliveries.onPubcomp(parseAck(packet, this.version, this.#ack).packetId);
  }

  subscribe(packet: Framer): void {
    const { packetId, requests, subscriptionId } = parseSubscribe(packet, this.version);
    const { session } = this;
    let mark: Mark = 0;
    const answers = requests.map((request) => {
      const { filter, qos, noLocal, retainAsPublished, retainHandling } = request;
      const answer = session.subscriptions.add({ filter, qos, noLocal, retainAsPublished, subscriptionId });
      mark = Math.max(mark, answer.mark);
      const isReplayed = !answer.isShared && (retainHandling === 0 || (retainHandling === 1 && answer.isNew));
      return { ...answer, isReplayed };
    });
    this.#when(mark, () => {
      const reasons = answers.map(({ reason }) => reason);
      if (!this.#host.replies.suback(packetId, reasons)) {
        this.#host.onTooLong();
        return;
      }
      for (const { subscriptions, isReplayed } of answers) if (isReplayed) for (const one of subscriptions) session.replay(one);
      session.pump();
    });
  }

  unsubscribe(packet: Framer): void {
    const { packetId, filters } = parseUnsubscribe(packet, this.version);
    if (filters.includes("")) throw malformed("an UNSUBSCRIBE has an empty topic filter"); // [MQTT-4.7.3-1, MQTT5-4.7.3-1]
    const marks = filters.map((filter) => this.session.unsubscribe(filter));
    const reasons = marks.map((mark) => (mark === undefined ? REASON.noSubscriptionExisted : REASON.success));
    this.#when(Math.max(0, ...marks.map((mark) => mark ?? 0)), () => {
      if (!this.#host.replies.unsuback(packetId, reasons)) this.#host.onTooLong();
    });
  }

  /** Its reason. `cap`: what is longer than we keep sessions is brought down. */
  onDisconnect(packet: Framer, cap: (seconds: number) => number): number {
    const { reason, sessionExpirySeconds } = parseDisconnect(packet, this.version);
    if (sessionExpirySeconds === null) return reason;
    if (sessionExpirySeconds > 0 && this.session.expirySeconds === 0)
      throw protocolError("a DISCONNECT gives a session expiry to a session that was to end with its connection"); // 5.0 §3.14.2.2.2
    this.session.expirySeconds = cap(sessionExpirySeconds);
    return reason;
  }

  /** Nothing is delivered any more; answers that are owed still go out when their messages are safe. */
  quiet(): void {
    this.session.quiet();
  }

  deny(subject: string): void {
    this.#inbound?.deny(subject);
  }

  noRoom(batch: Batch, index: number, taken: "dropped" | "refused"): void {
    this.#inbound?.noRoom(batch, index, taken);
  }

  unheard(batch: Batch, index: number): void {
    this.#inbound?.unheard(batch, index);
  }

  onSafe(watermark: Ticket): void {
    this.#acks.release(watermark);
    this.#giveDue();
  }

  pause(): void {
    this.#host.reading.hold(HOLDS.router);
  }

  resume(): void {
    this.#host.reading.release(HOLDS.router);
  }

  flush(): void {
    this.wire.flush();
  }

  #openInbound(): Inbound {
    const { session } = this;
    const host = this.#host;
    return new Inbound(this.#bench, this.#facts, {
      publish: (batch) => session.publish(batch),
      receive: (packetId) => session.received.add(packetId),
      forget: (packetId) => void session.received.release(packetId),
      isReceived: (packetId) => session.received.has(packetId),
      isUncertain: (packetId) => session.received.isUncertain(packetId),
      publishAgain: (batch) => session.publishAgain(batch),
      publishCopies: (batch) => session.publishCopies(batch),
      retain: (batch, index) => session.retain(batch, index),
      owe: (ticket, mark, due) => this.#oweAll(ticket, mark, due),
      oweAgain: (packetId) => this.#owe(session.lastTicket, answerOf(packetId, true, REASON.success), session.received.lastMark),
      count: () => this.#count(),
      onDropped: (topic, words) =>
        host.voice.tell("publish-dropped", "message not published", { topic: displayTopic(topic), because: words }),
      onNoRoom: (topic) => host.onNoRoom(topic),
    });
  }

  /** The hot path: PUBACKs of a batch for which nothing has to be waited. */
  #oweAll(ticket: Ticket, mark: Mark, due: number): void {
    const { packetIds, qos, reasons } = this.#bench;
    if (mark > 0 && this.#safety.isSafe(mark)) this.#acks.releaseMarks(mark);
    const isReady = this.#acks.isReady(ticket, mark);
    const { replies } = this.#host;
    for (let i = 0; i < due; i++) {
      if (isReady && qos[i] === 1 && reasons[i] === REASON.success) {
        this.#closeExchange();
        replies.puback(packetIds[i]!);
      } else this.#owe(ticket, answerOf(packetIds[i]!, qos[i] === 2, reasons[i]!), mark);
    }
  }

  #owe(ticket: Ticket, answer: Answer, mark: Mark): void {
    if (mark > 0 && this.#safety.isSafe(mark)) this.#acks.releaseMarks(mark);
    if (this.#acks.add(ticket, answer, mark)) this.#give(answer);
    else if (mark > this.#acks.awaitedMark) {
      this.#acks.awaitedMark = mark;
      this.#safety.when(mark, () => {
        this.#acks.releaseMarks(mark);
        this.#giveDue();
      });
    }
  }

  #giveDue(): void {
    if (this.#isOver) return;
    for (let answer = this.#acks.take(); answer !== 0; answer = this.#acks.take()) this.#give(answer);
    this.#host.flush();
    if (this.#acks.size < ACKS_MAX / 2) this.#host.reading.release(HOLDS.acks);
    if (this.#acks.size === 0) this.#host.onSettled();
  }

  #give(answer: Answer): void {
    const { replies } = this.#host;
    const packetId = packetIdOf(answer);
    const reason = reasonOfAnswer(answer);
    if (!isPubrec(answer)) {
      this.#closeExchange();
      replies.puback(packetId, reason, reason === 0 ? "" : wordsOf(reason));
      return;
    }
    if (reason >= FAILURE_MIN) this.#closeExchange();
    replies.pubrec(packetId, reason, reason === 0 ? "" : wordsOf(reason));
  }

  /** Runs `action` and writes what it says once `mark` is safe, unless the connection is over by then. */
  #when(mark: Mark, action: () => void): void {
    if (this.#safety.isSafe(mark)) {
      action();
      return;
    }
    this.#promises += 1;
    if (this.#promises === PROMISES_MAX) this.#host.reading.hold(HOLDS.store);
    this.#safety.when(mark, () => {
      if (this.#isOver) return;
      this.#promises -= 1;
      action();
      this.#host.flush();
      if (this.#promises < PROMISES_MAX / 2) this.#host.reading.release(HOLDS.store);
    });
  }

  /** [MQTT5-3.3.4-7]. 3.x clients cannot be told a limit, so theirs is far off; over many connections it is that of all. */
  #count(): void {
    if (this.session.received.size >= RECEIVED_MAX)
      throw protocolError(`${RECEIVED_MAX} QoS 2 messages wait for their PUBREL`, REASON.quotaExceeded);
    if (this.version !== 5) return;
    this.#open += 1;
    if (this.#open <= this.#facts.receiveMax) return;
    const words = `more than ${this.#facts.receiveMax} QoS 1 and 2 messages are unacknowledged, which is the receive maximum it was told`;
    throw protocolError(words, REASON.receiveMaximumExceeded);
  }

  #closeExchange(): void {
    if (this.#open > 0) this.#open -= 1; // one that began over an earlier connection was not counted here
  }
}

/** For whoever reads the device's log. */
function wordsOf(reason: number): string {
  switch (reason) {
    case REASON.notAuthorized:
      return "the user's permissions forbid this topic";
    case REASON.quotaExceeded:
      return "there is no room to keep the message";
    case REASON.topicNameInvalid:
      return "this topic cannot be published to";
    case REASON.packetIdInUse:
      return "a QoS 2 message with this packet identifier is not released";
    case REASON.payloadFormatInvalid:
      return "the payload is said to be UTF-8 and is not";
    default:
      return "";
  }
}
