// One client's network connection: carries bytes and timers to the parts, and their answers back.
//
//   stream ─▶ framer ─▶ CONNECT ─▶ admission ─▶ session ─▶ router            router ─▶ session ─▶ outbound ─▶ stream
//                   └─▶ PUBLISH and the rest ─────▶┘
//
// Its life is the value and the step function of life.ts. Reading stops while any hold is on; what is left of a chunk that
// was read already waits in the framer. A breach ends this connection and nothing else.

import type { Millis } from "#base/clock.ts";
import { explain, ProtocolError, systemCode } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { type Admission, admit } from "./admission.ts";
import type { Broker, Client } from "./broker.ts";
import { type ConnectRequest, checkEmpty, parseConnect } from "./control-packets.ts";
import { Deadline } from "./deadline.ts";
import { HIGH_WATER_BYTES } from "./deliveries.ts";
import { MQTT_UNEXPECTED_PACKET, malformed } from "./errors.ts";
import { Framer } from "./framer.ts";
import { BORN, type Ending, type Life, type LifeEffect, type LifeEvent, step } from "./life.ts";
import { Outbound } from "./outbound.ts";
import {
  CONNACK_ACCEPTED,
  CONNACK_UNACCEPTABLE_VERSION,
  CONNECT,
  DISCONNECT,
  PINGREQ,
  PUBACK,
  PUBLISH,
  packetName,
  requiredFlags,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from "./packet.ts";
import { Session } from "./session.ts";
import { displayTopic } from "./topic.ts";

/** Largest packet before the client is let in: a stranger's claim on memory. */
export const CONNECT_BYTES_MAX = 16_384;
/** A whole CONNECT must have come this long after the connection. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Answers a client may leave unread before we stop reading its questions; deliveries stop far below. */
const UNREAD_ANSWERS_MAX = HIGH_WATER_BYTES + 1_048_576;
/** After the last byte to a client: how long we wait for it to close before we do. */
const LINGER_MS = 2_000;
/** Between a message that is refused for lack of room and the end: its client would be back with it at once, again and again. */
const NO_ROOM_PAUSE_MS = 5_000;
const KEEP_ALIVE_FACTOR = 1.5;

/** Endings after which nothing more can reach the peer. */
const ABRUPT: ReadonlySet<Ending> = new Set(["gone", "stalled", "silent"]);
/** Endings that are everyday life. */
const QUIET: ReadonlySet<Ending> = new Set(["disconnect", "gone", "shutdown"]);

/** Reasons not to read, as bits: reading goes on when none is left. */
const HOLDS = { login: 1, router: 2, acks: 4, answers: 8, end: 16, noRoom: 32 } as const;

export class MqttConnection implements Client {
  readonly number: number;
  readonly address: string;
  readonly port: number;
  readonly sinceWall: number;
  bytesIn = 0;
  lastActive: Millis;
  /** Resolves when the stream is closed for good. */
  readonly closed: Promise<void>;
  readonly #broker: Broker;
  readonly #stream: ByteStream;
  readonly #outbound: Outbound;
  readonly #framer = new Framer(CONNECT_BYTES_MAX);
  readonly #silence: Deadline;
  readonly #stall: Deadline;
  readonly #linger: Deadline;
  readonly #noRoom: Deadline;
  readonly #login = new AbortController();
  #life: Life = BORN;
  #session: Session | undefined;
  #holds = 0;
  #isContinuing = false;

  constructor(stream: ByteStream, broker: Broker) {
    const { clock } = broker;
    this.#stream = stream;
    this.#broker = broker;
    this.number = broker.nextNumber();
    this.address = stream.remoteAddress ?? "unknown";
    this.port = stream.remotePort ?? 0;
    this.sinceWall = clock.wall();
    this.lastActive = clock.now();
    this.#outbound = new Outbound(stream, broker.pool, () => this.#onProgress());
    this.#silence = new Deadline(clock, () => this.#onSilence());
    this.#stall = new Deadline(clock, () => this.end("stalled", `it read nothing for ${broker.limits.writeDeadline / 1000} s`));
    this.#linger = new Deadline(clock, () => this.#stream.destroy());
    this.#noRoom = new Deadline(clock, () => this.end("full", "the outbox is full and refuses new messages (outbox.when_full)"));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    stream
      .on("data", (chunk: Buffer) => this.#onChunk(chunk))
      .on("end", () => this.end("gone", "it closed the network connection without DISCONNECT"))
      .on("error", (error) => this.end("gone", `the network connection broke (${systemCode(error) ?? explain(error)})`))
      .on("close", () => {
        this.end("gone", "the network connection was closed");
        this.#linger.disarm();
        resolve();
      });
    this.#silence.arm(CONNECT_TIMEOUT_MS);
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get bytesOut(): number {
    return this.#outbound.writtenBytes;
  }

  get pendingBytes(): number {
    return this.#outbound.pendingBytes;
  }

  /** Ends it now: lets everything go, closes the network connection politely where that makes sense. Twice is once. */
  end(ending: Ending, words: string): void {
    if (this.#life.at === "closed") return;
    const effect = this.#move({ on: "end", ending });
    this.#holds |= HOLDS.end;
    this.#login.abort();
    this.#silence.disarm();
    this.#stall.disarm();
    this.#noRoom.disarm();
    this.#framer.clear();
    this.#session?.close(effect === "publish-will");
    this.#say(ending, words);
    this.#broker.onEnd(this, ending);
    this.#outbound.flush();
    if (ABRUPT.has(ending)) this.#stream.destroy();
    else this.#closePolitely();
  }

  /** Reads no more, sends the PUBACKs that are owed as their messages become safe, then ends. */
  drain(): void {
    this.#move({ on: "drain" });
    if (this.#life.at !== "draining" || this.#session === undefined) {
      this.end("shutdown", "the spoke is closing");
      return;
    }
    this.#hold(HOLDS.end);
    this.#session.quiet();
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
    const session = this.#session;
    try {
      if (this.#life.at === "awaiting-connect") this.#checkFirstByte();
      let hasTaken = false;
      while (this.#holds === 0 && this.#framer.next()) {
        if (session === undefined) this.#takeControl(undefined);
        else this.#take(session);
        hasTaken = true;
      }
      session?.flushInbound();
      this.#framer.settle(); // only now: what was gathered points into its bytes
      if (hasTaken && this.#life.at === "connected") this.#silence.touch(); // whole packets only: a byte is no sign of life
    } catch (error) {
      this.#onBreach(error);
    }
    session?.deliveries.pump();
    this.#flush();
    if (this.#outbound.pendingBytes > UNREAD_ANSWERS_MAX) this.#hold(HOLDS.answers);
  }

  /** The two packets that come by the thousand, and the rest. */
  #take(session: Session): void {
    const framer = this.#framer;
    const type = framer.header >> 4;
    if (type === PUBLISH) session.inbound.take(framer);
    else if (framer.header === PUBACK << 4) this.#onPuback(session);
    else this.#takeControl(session);
  }

  #takeControl(session: Session | undefined): void {
    const { header } = this.#framer;
    const type = header >> 4;
    const effect = this.#move({ on: "packet", type });
    if (effect === "unexpected") throw unexpected(type, this.#life);
    if ((header & 15) !== requiredFlags(type)) throw malformed(`a ${packetName(type)} has the flags ${header & 15}`); // [MQTT-2.2.2-2]
    if (effect === "authenticate") this.#onConnect();
    if (effect !== "handle" || session === undefined) return;
    session.flushInbound(); // what came before goes before
    switch (type) {
      case SUBSCRIBE:
        session.subscribe(this.#framer);
        break;
      case UNSUBSCRIBE:
        session.unsubscribe(this.#framer);
        break;
      case PINGREQ:
        checkEmpty(this.#framer, "PINGREQ");
        this.#outbound.pingresp();
        break;
      case DISCONNECT:
        checkEmpty(this.#framer, "DISCONNECT");
        this.end("disconnect", "it said goodbye");
        break;
    }
  }

  #onPuback(session: Session): void {
    const { bytes, start, end } = this.#framer;
    const packetId = end - start === 2 ? (bytes[start]! << 8) | bytes[start + 1]! : 0;
    if (packetId === 0) throw malformed(`a PUBACK of ${end - start} bytes names no packet identifier`);
    session.deliveries.acknowledge(packetId); // an unknown one harms nobody
  }

  #onConnect(): void {
    this.#silence.disarm();
    this.#broker.onConnect(this);
    const request = parseConnect(this.#framer);
    if (request === "unacceptable-version") {
      const words = "it speaks a version of MQTT other than 3.1.1 and 3.1 (5.0 is not supported yet); set its client to 3.1.1";
      this.#refuse(CONNACK_UNACCEPTABLE_VERSION, words);
      return;
    }
    this.#hold(HOLDS.login);
    void this.#admit(request);
  }

  async #admit(request: ConnectRequest): Promise<void> {
    try {
      const admission = await admit(request, this.address, this.#broker, this.#login.signal);
      if (this.#life.at === "authenticating") this.#answer(request, admission);
    } catch (error) {
      this.#onBreach(error);
    }
  }

  #answer(request: ConnectRequest, admission: Admission): void {
    const name = request.user === null ? "without a user" : `user ${JSON.stringify(request.user)}`;
    const answer = admission.ok ? this.#broker.register(this, admission.clientId, admission.user) : admission;
    if (!admission.ok || answer.returnCode !== CONNACK_ACCEPTED) {
      this.#refuse(answer.returnCode, `${name}: ${answer.words}`);
      return;
    }
    this.#move({ on: "admitted" });
    this.#session = new Session(admission, this.#broker, {
      outbound: this.#outbound,
      hold: (reason) => this.#hold(HOLDS[reason]),
      release: (reason) => this.#release(HOLDS[reason]),
      flush: () => this.#flush(),
      onSettled: () => this.#onSettled(),
      onNoRoom: (topic) => this.#onNoRoom(topic),
      tell: (about, message, facts) => this.#tell(about, message, facts),
    });
    this.#framer.packetBytesMax = this.#broker.options.maxPacket;
    const { keepAliveSeconds } = request;
    if (keepAliveSeconds > 0) this.#silence.arm(keepAliveSeconds * 1000 * KEEP_ALIVE_FACTOR); // [MQTT-3.1.2-24]
    this.#outbound.connack(CONNACK_ACCEPTED);
    this.#flush();
    this.#broker.log.info("client connected", { ...this.#facts(), mqtt: request.protocol, keep_alive_s: keepAliveSeconds });
    if (!request.isClean) this.#tell("not-clean", "sessions are not kept yet: clean session 0 is treated as 1", {});
    this.#release(HOLDS.login);
  }

  #refuse(returnCode: number, words: string): void {
    this.#outbound.connack(returnCode);
    this.end("refused", words);
  }

  #checkFirstByte(): void {
    const first = this.#framer.pendingHeader;
    if (first === undefined || first === CONNECT << 4) return;
    if (first === 0x16) throw malformed("its first byte is that of TLS, and this port speaks plain MQTT");
    if (first >= 0x41 && first <= 0x5a) throw malformed("its first byte is a letter: HTTP or another text protocol, not MQTT");
    if (first >> 4 !== CONNECT) throw unexpected(first >> 4, this.#life);
  }

  /** What was gathered before the bad packet was good, and is published. */
  #onBreach(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    try {
      this.#session?.flushInbound();
    } catch (second) {
      if (!(second instanceof ProtocolError)) throw second;
    }
    this.end("breach", `${error.message} (${error.code})`);
  }

  /** What was kept before is still acknowledged when it is safe. MQTT 5 has a word for it: 0x97, Quota exceeded. */
  #onNoRoom(topic: string): void {
    this.#hold(HOLDS.noRoom);
    this.#noRoom.arm(NO_ROOM_PAUSE_MS);
    const because = "the outbox is full, and outbox.when_full is refuse: the connection ends without a PUBACK [MQTT-3.3.5-2]";
    this.#tell("no-room", "message refused", { topic: displayTopic(topic), because });
  }

  #onSilence(): void {
    if (this.#life.at === "awaiting-connect") {
      this.end("silent", `no whole CONNECT came within ${CONNECT_TIMEOUT_MS / 1000} s`);
    } else if (this.#holds !== 0)
      this.#silence.rearm(); // it is we who do not read
    else this.end("silent", `nothing came for ${KEEP_ALIVE_FACTOR} times its keep-alive`);
  }

  #onSettled(): void {
    if (this.#life.at === "draining" && this.#session?.owedAcks === 0) this.end("shutdown", "the spoke is closing");
  }

  /** The stream took one write to its end. */
  #onProgress(): void {
    if (this.#life.at === "closed") return;
    this.lastActive = this.#broker.clock.now();
    if (this.#outbound.pendingBytes === 0) this.#stall.disarm();
    else this.#stall.touch();
    this.#session?.deliveries.pump();
    this.#flush();
    if (this.#outbound.pendingBytes <= UNREAD_ANSWERS_MAX / 2) this.#release(HOLDS.answers);
  }

  #flush(): void {
    this.#outbound.flush();
    if (!this.#stall.isArmed && this.#life.at !== "closed" && this.#outbound.pendingBytes > 0)
      this.#stall.arm(this.#broker.limits.writeDeadline);
  }

  #hold(bit: number): void {
    if (this.#holds === 0) this.#stream.pause();
    this.#holds |= bit;
  }

  /** Goes on in a microtask: this may be called by somebody who is in the middle of something. */
  #release(bit: number): void {
    if ((this.#holds & bit) === 0) return;
    this.#holds &= ~bit;
    if (this.#holds !== 0 || this.#isContinuing) return;
    this.#isContinuing = true;
    queueMicrotask(() => {
      this.#isContinuing = false;
      if (this.#holds !== 0) return;
      this.#silence.touch();
      this.#process();
      if (this.#holds === 0) this.#stream.resume();
    });
  }

  /** Our last bytes must not be lost to a reset, so what the peer still sends is read and thrown away until it closes, or we do. */
  #closePolitely(): void {
    this.#stream.end();
    this.#stream.resume();
    this.#linger.arm(LINGER_MS);
  }

  #move(event: LifeEvent): LifeEffect {
    const [next, effect] = step(this.#life, event);
    this.#life = next;
    return effect;
  }

  #say(ending: Ending, words: string): void {
    const { log, voice } = this.#broker;
    const facts = { ...this.#facts(), ending };
    if (this.#session === undefined && QUIET.has(ending)) log.debug(`connection closed before CONNECT: ${words}`, facts);
    else if (QUIET.has(ending)) log.info(`client disconnected: ${words}`, facts);
    else if (this.#session === undefined) voice.warn(`${ending} ${this.address}`, `MQTT connection refused: ${words}`, facts);
    else voice.warn(`${ending} ${this.#session.clientId}`, `client cut off: ${words}`, facts);
  }

  #tell(about: string, message: string, facts: Readonly<Record<string, unknown>>): void {
    this.#broker.voice.warn(`${about} ${this.#session?.clientId}`, message, { ...this.#facts(), ...facts });
  }

  #facts(): Readonly<Record<string, unknown>> {
    return { client: this.#session?.clientId, user: this.#session?.user.name, address: this.address };
  }
}

function unexpected(type: number, life: Life): ProtocolError {
  const when = life.at === "awaiting-connect" ? "before CONNECT" : "to a broker, or not now";
  return new ProtocolError(MQTT_UNEXPECTED_PACKET, `a client does not send ${packetName(type)} ${when}`);
}
