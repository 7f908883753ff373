// One client's network connection: carries bytes and timers to the parts, and their answers back.
//
//   stream ─▶ framer ─▶ CONNECT ─▶ admission ─▶ session, conversation        router ─▶ session ─▶ outbound ─▶ stream
//                   └─▶ PUBLISH and the rest ─▶ conversation ─▶ router
//
// Its life is the value and the step function of life.ts. Reading stops while any hold is on (reading.ts); what is left of a chunk
// that was read already waits in the framer. A breach ends this connection and nothing else.

import type { UserVisit } from "#access/user-quotas.ts";
import type { Millis } from "#base/clock.ts";
import { explain, ProtocolError, systemCode } from "#base/errors.ts";
import { lendChunks } from "#base/lend-chunks.ts";
import type { ByteStream } from "#base/net.ts";
import { type Admission, type Admitted, admit, cappedExpiry } from "./admission.ts";
import type { Broker, Client } from "./broker.ts";
import { connackFacts, conversationFacts, keepAliveSeconds } from "./connack-facts.ts";
import type { ConnectRequest } from "./connect-packet.ts";
import { ConnectionVoice } from "./connection-voice.ts";
import { Conversation, type ConversationHost } from "./conversation.ts";
import { Deadline } from "./deadline.ts";
import type { DoorFacts } from "./door-facts.ts";
import { malformed, reasonOf } from "./errors.ts";
import { checkFirstByte, forgetDup, unexpected } from "./first-byte.ts";
import { Framer } from "./framer.ts";
import { readConnect } from "./greeting.ts";
import { BORN, type Ending, goodbyeOf, type Life, type LifeEffect, type LifeEvent, step } from "./life.ts";
import { Outbound } from "./outbound.ts";
import { DISCONNECT, PINGREQ, PUBREL, packetName, requiredFlags, SUBSCRIBE, UNSUBSCRIBE } from "./packet.ts";
import {
  CONNECT_BYTES_MAX,
  CONNECT_TIMEOUT_MS,
  KEEP_ALIVE_FACTOR,
  LINGER_MS,
  NO_ROOM_PAUSE_MS,
  UNREAD_ANSWERS_MAX,
} from "./patience.ts";
import { HOLDS, Reading } from "./reading.ts";
import { REASON } from "./reason-codes.ts";
import { Replies } from "./replies.ts";
import type { Session } from "./session.ts";
import { checkEmpty } from "./small-packets.ts";
import { displayTopic } from "./topic.ts";
import { type MqttVersion, versionName } from "./version.ts";

export class MqttConnection implements Client {
  readonly number: number;
  readonly address: string;
  readonly port: number;
  readonly facts: DoorFacts;
  readonly sinceWall: number;
  bytesIn = 0;
  lastActive: Millis;
  /** Resolves when the stream is closed for good. */
  readonly closed: Promise<void>;
  readonly #broker: Broker;
  readonly #stream: ByteStream;
  readonly #reading: Reading;
  readonly #voice: ConnectionVoice;
  readonly #outbound: Outbound;
  readonly #replies: Replies;
  readonly #framer = new Framer(CONNECT_BYTES_MAX);
  readonly #silence: Deadline;
  readonly #stall: Deadline;
  readonly #linger: Deadline;
  /** Until reading goes on, or the end comes, after a message too many. */
  readonly #pause: Deadline;
  /** Until it is let in. */
  #login: AbortController | undefined = new AbortController();
  #life: Life = BORN;
  #version: MqttVersion = 4;
  #conversation: Conversation | undefined;
  /** The session it was given, before it has had its CONNACK. */
  #claimed: Session | undefined;
  #quota: UserVisit | undefined;

  /** `accepted` is the connection's own from now on. */
  constructor(accepted: ByteStream, facts: DoorFacts, broker: Broker) {
    const { clock } = broker;
    const stream = lendChunks(accepted, broker.readBuffer, (chunk) => this.#onChunk(chunk));
    this.#stream = stream;
    this.#broker = broker;
    this.facts = facts;
    this.number = broker.nextNumber();
    this.address = stream.remoteAddress ?? "unknown";
    this.port = stream.remotePort ?? 0;
    this.sinceWall = clock.wall();
    this.lastActive = clock.now();
    this.#voice = new ConnectionVoice(broker, this.address);
    this.#reading = new Reading(stream, () => this.#onGoingOn());
    this.#outbound = new Outbound(stream, broker.pool, () => this.#onProgress());
    this.#replies = new Replies(this.#outbound);
    this.#silence = new Deadline(clock, () => this.#onSilence());
    this.#stall = new Deadline(clock, () => this.end("stalled", `it read nothing for ${broker.limits.writeDeadline / 1000} s`));
    this.#linger = new Deadline(clock, () => this.#stream.destroy());
    this.#pause = new Deadline(clock, () => this.#onPauseOver());
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    stream
      .on("end", () => this.end("gone", "it closed the network connection without DISCONNECT"))
      .on("error", (error) => this.end("gone", `the network connection broke (${systemCode(error) ?? explain(error)})`))
      .on("close", () => {
        this.end("gone", "the network connection was closed");
        facts.visit.leave();
        this.#linger.disarm();
        resolve();
      });
    this.#silence.arm(CONNECT_TIMEOUT_MS);
  }

  get conversation(): Conversation | undefined {
    return this.#conversation;
  }

  get bytesOut(): number {
    return this.#outbound.writtenBytes;
  }

  get pendingBytes(): number {
    return this.#outbound.pendingBytes;
  }

  /** Ends it now: lets everything go, closes the network connection politely where that makes sense. Twice is once. */
  end(ending: Ending, words: string, reason = goodbyeOf(ending)): void {
    if (this.#life.at === "closed") return;
    const hadConnack = this.#conversation !== undefined;
    const effect = this.#move({ on: "end", ending });
    this.#reading.end();
    this.#login?.abort();
    this.#silence.disarm();
    this.#stall.disarm();
    this.#pause.disarm();
    this.#framer.clear();
    if (hadConnack) this.#conversation?.close(effect === "publish-will");
    else this.#claimed?.detach(false);
    this.#quota?.[Symbol.dispose]();
    this.#voice.end(ending, words);
    this.#broker.onEnd(this, ending);
    const hasGoodbye = reason !== undefined && hadConnack && this.#replies.disconnect(reason, words); // [MQTT5-4.13.1-1]
    this.#outbound.flush();
    const isPast = ending === "gone" || ending === "stalled"; // nothing more can reach the peer
    if (isPast || (ending === "silent" && !hasGoodbye)) {
      this.#stream.destroy();
      return;
    }
    // Our last bytes must not be lost to a reset: what the peer still sends is read and thrown away until it closes, or we do.
    this.#stream.end();
    this.#stream.resume();
    this.#linger.arm(LINGER_MS);
  }

  /** Reads no more, sends the acknowledgements that are owed as their messages become safe, then ends. */
  drain(): void {
    this.#move({ on: "drain" });
    if (this.#life.at !== "draining" || this.#conversation === undefined) {
      this.end("shutdown", "the spoke is closing");
      return;
    }
    this.#reading.hold(HOLDS.end);
    this.#conversation.quiet();
    this.#onSettled();
  }

  #onChunk(chunk: Buffer): void {
    if (this.#life.at === "closed") return; // lingering: what still comes is not looked at
    this.bytesIn += chunk.length;
    this.lastActive = this.#broker.clock.now();
    this.#framer.accept(chunk);
    this.#process();
  }

  /** Takes all whole packets, or as many as there are until a hold is put on; then one routing pass and one write. */
  #process(): void {
    const conversation = this.#conversation;
    try {
      if (this.#life.at === "awaiting-connect") checkFirstByte(this.#framer.pendingHeader, this.#life);
      let hasTaken = false;
      while (!this.#reading.isHeld && this.#framer.next()) {
        if (conversation?.take(this.#framer) !== true) this.#takeControl(conversation);
        hasTaken = true;
      }
      conversation?.flushInbound();
      this.#framer.settle(); // only now: what was gathered points into its bytes, which are lent
      if (hasTaken && this.#life.at === "connected") this.#silence.touch(); // whole packets only: a byte is no sign of life
    } catch (error) {
      this.#onBreach(error);
    }
    if (this.#quota?.isLimited === true) this.#slowDown(this.#quota.publish(conversation?.takeCount() ?? 0));
    conversation?.pump();
    this.#flush();
    if (this.#outbound.pendingBytes > UNREAD_ANSWERS_MAX) this.#reading.hold(HOLDS.answers);
  }

  #takeControl(conversation: Conversation | undefined): void {
    if (this.#version === 3) forgetDup(this.#framer);
    const { header } = this.#framer;
    const type = header >> 4;
    if ((header & 15) !== requiredFlags(type)) throw malformed(`a ${packetName(type)} has the flags ${header & 15}`); // [MQTT-2.2.2-2]
    const effect = this.#move({ on: "packet", type });
    if (effect === "unexpected") throw unexpected(type, this.#life);
    if (effect === "authenticate") this.#onConnect();
    if (effect !== "handle" || conversation === undefined) return;
    conversation.flushInbound(); // what came before goes before
    switch (type) {
      case PUBREL:
        conversation.onPubrel(this.#framer);
        break;
      case SUBSCRIBE:
        conversation.subscribe(this.#framer);
        break;
      case UNSUBSCRIBE:
        conversation.unsubscribe(this.#framer);
        break;
      case PINGREQ:
        checkEmpty(this.#framer, "PINGREQ");
        this.#replies.pingresp();
        break;
      case DISCONNECT:
        this.#onDisconnect(conversation);
        break;
    }
  }

  #onDisconnect(conversation: Conversation): void {
    const reason = conversation.onDisconnect(this.#framer, (seconds) => cappedExpiry(seconds, this.#broker));
    if (reason === REASON.success) this.end("disconnect", "it said goodbye");
    else this.end("disconnect-with-will", `it said goodbye with reason 0x${reason.toString(16).padStart(2, "0")}`);
  }

  #onConnect(): void {
    this.#silence.disarm();
    this.#broker.onConnect(this);
    const request = readConnect(this.#framer, this.#replies);
    if ("unacceptable" in request) {
      this.#replies.connack(REASON.unsupportedVersion); // in the form of 3.1.1: that is what old and newer clients can read
      this.end("refused", `it speaks level ${request.unacceptable} of MQTT; 3.1, 3.1.1 and 5.0 are spoken here`);
      return;
    }
    this.#version = request.version;
    this.#reading.hold(HOLDS.login);
    void this.#admit(request);
  }

  async #admit(request: ConnectRequest): Promise<void> {
    try {
      const admission = await admit(request, this, this.#broker, this.#login!.signal);
      if (this.#life.at === "authenticating") this.#answer(request, admission);
    } catch (error) {
      if (error instanceof ProtocolError && this.#version === 5) this.#replies.connack(reasonOf(error));
      this.#onBreach(error);
    }
  }

  #answer(request: ConnectRequest, admission: Admission): void {
    const claimed = admission.ok ? this.#broker.register(this, request, admission) : admission;
    if (!admission.ok || !claimed.ok) {
      const { reason, words } = claimed as Exclude<Admission, Admitted>;
      const name = request.user === null ? "without a user" : `user ${JSON.stringify(request.user)}`;
      this.#replies.connack(reason, reason === REASON.badCredentials ? {} : { reasonString: words }); // which names exist is not told
      this.end("refused", `${name}: ${words}`);
      return;
    }
    this.#claimed = claimed.session;
    this.#quota = this.#broker.quotas.enter(admission.user);
    this.#pause.arm(CONNECT_TIMEOUT_MS);
    this.#broker.safety.when(claimed.mark, () => this.#begin(request, admission, claimed.session, claimed.isPresent));
  }

  /** Its session is safe, as far as it is kept. */
  #begin(request: ConnectRequest, admitted: Admitted, session: Session, isPresent: boolean): void {
    if (this.#life.at !== "authenticating") return;
    const { bench, fanOut, limits, options, safety } = this.#broker;
    if (!this.#replies.connack(REASON.success, connackFacts(request, admitted, options, isPresent))) {
      this.#replies.connack(REASON.packetTooLarge); // [MQTT5-3.1.2-24]
      this.end("refused", `it takes no packet of more than ${request.maximumPacketBytes} bytes, and CONNACK has more`);
      return;
    }
    this.#pause.disarm();
    this.#login = undefined;
    this.#move({ on: "admitted" });
    this.facts.visit.admit();
    const facts = conversationFacts(request, options, limits.maxPayload);
    const conversation = new Conversation(session, facts, { bench, fanOut, safety }, this.#host());
    this.#conversation = conversation;
    this.#voice.session = session;
    this.#framer.packetBytesMax = options.maxPacket;
    this.#framer.refusesPaddedLengths = this.#version === 5;
    const keepAlive = keepAliveSeconds(request, options);
    if (keepAlive > 0) this.#silence.arm(keepAlive * 1000 * KEEP_ALIVE_FACTOR); // [MQTT-3.1.2-24, MQTT5-3.1.2-22]
    conversation.begin();
    this.#flush();
    const kept = session.file !== null && { session: isPresent ? "resumed" : "new" };
    this.#voice.begin({ mqtt: versionName(request.version), keep_alive_s: keepAlive, ...kept });
    this.#reading.release(HOLDS.login);
  }

  #host(): ConversationHost {
    return {
      outbound: this.#outbound,
      replies: this.#replies,
      reading: this.#reading,
      voice: this.#voice,
      flush: () => this.#flush(),
      onSettled: () => this.#onSettled(),
      onNoRoom: (topic) => this.#onNoRoom(topic),
      onTooLong: () => this.end("breach", "it takes no packet as long as the answer it must have", REASON.packetTooLarge),
    };
  }

  /** What was gathered before the bad packet was good, and is published. */
  #onBreach(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    try {
      this.#conversation?.flushInbound();
    } catch (second) {
      if (!(second instanceof ProtocolError)) throw second;
    }
    this.end("breach", `${error.message} (${error.code})`, reasonOf(error));
  }

  /** What was kept before is still acknowledged when it is safe. MQTT 5 has a word for it: 0x97, Quota exceeded. */
  #onNoRoom(topic: string): void {
    this.#reading.hold(HOLDS.noRoom);
    this.#pause.arm(NO_ROOM_PAUSE_MS);
    const because = "the outbox is full, and outbox.when_full is refuse: the connection ends without a PUBACK [MQTT-3.3.5-2]";
    this.#voice.tell("no-room", "message refused", { topic: displayTopic(topic), because });
  }

  /** Its user has a rate: beyond it we read more slowly. */
  #slowDown(waitMs: Millis): void {
    if (waitMs === 0 || this.#pause.isArmed || this.#life.at === "closed") return;
    this.#reading.hold(HOLDS.rate);
    this.#pause.arm(waitMs);
  }

  #onPauseOver(): void {
    if (this.#life.at === "authenticating") {
      this.#replies.connack(REASON.serverUnavailable);
      this.end("refused", `the store did not take its session within ${CONNECT_TIMEOUT_MS / 1000} s`);
    } else if (this.#reading.has(HOLDS.noRoom))
      this.end("full", "the outbox is full and refuses new messages (outbox.when_full)");
    else this.#reading.release(HOLDS.rate);
  }

  #onSilence(): void {
    if (this.#life.at === "awaiting-connect") {
      this.end("silent", `no whole CONNECT came within ${CONNECT_TIMEOUT_MS / 1000} s`);
    } else if (this.#reading.isHeld)
      this.#silence.rearm(); // it is we who do not read
    else this.end("silent", `nothing came for ${KEEP_ALIVE_FACTOR} times its keep-alive`);
  }

  #onSettled(): void {
    if (this.#life.at === "draining" && this.#conversation?.owedAcks === 0) this.end("shutdown", "the spoke is closing");
  }

  #onGoingOn(): void {
    this.#silence.touch();
    this.#process();
  }

  /** The stream took one write to its end. */
  #onProgress(): void {
    if (this.#life.at === "closed") return;
    this.lastActive = this.#broker.clock.now();
    if (this.#outbound.pendingBytes === 0) this.#stall.disarm();
    else this.#stall.touch();
    this.#conversation?.pump();
    this.#flush();
    if (this.#outbound.pendingBytes <= UNREAD_ANSWERS_MAX / 2) this.#reading.release(HOLDS.answers);
  }

  #flush(): void {
    this.#outbound.flush();
    if (!this.#stall.isArmed && this.#life.at !== "closed" && this.#outbound.pendingBytes > 0)
      this.#stall.arm(this.#broker.limits.writeDeadline);
  }

  #move(event: LifeEvent): LifeEffect {
    const [next, effect] = step(this.#life, event);
    this.#life = next;
    return effect;
  }
}
