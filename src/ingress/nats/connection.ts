// One client's network connection: carries bytes and time to the parts, and their answers back.
//
//   stream ─▶ parser ─▶ CONNECT ─▶ admission ─▶ session ─▶ router            router ─▶ session ─▶ outbound ─▶ stream
//                   └─▶ PUB, SUB and the rest ────▶┘
//
// Its life is the value and the step function of life.ts. Reading stops while any hold is on; what is left of a chunk that
// was read already waits in the parser. A breach ends this connection and nothing else. It has no timers: the listener
// calls `tick` now and then.

import type { Millis } from "#base/clock.ts";
import { explain, ProtocolError, systemCode } from "#base/errors.ts";
import { lendChunks } from "#base/lend-chunks.ts";
import type { ByteStream } from "#base/net.ts";
import type { BatchBuilder } from "#core/batch-builder.ts";
import { displaySubject } from "#core/subject.ts";
import {
  AUTHENTICATION_EXPIRED,
  AUTHENTICATION_TIMEOUT,
  AUTHORIZATION_VIOLATION,
  errorLine,
  INVALID_PUBLISH_SUBJECT,
  OK_LINE,
  PING_LINE,
  PONG_LINE,
  SLOW_CONSUMER,
  STALE_CONNECTION,
} from "#wire/client-lines.ts";
import { type ClientHandler, ClientParser } from "#wire/client-parser.ts";
import { type Admission, admit } from "./admission.ts";
import { nextBatchMax } from "./batch-size.ts";
import { closeReason, REASONS } from "./close-reason.ts";
import { type ConnectRequest, parseConnect, WITHOUT_CONNECT } from "./connect-request.ts";
import type { Greeting, NatsContext, NatsPeer } from "./context.ts";
import { errTextFor, NATS_BAD_CONNECT, NATS_HEADERS_UNEXPECTED, NATS_NOT_CONNECTED } from "./errors.ts";
import { sayFarewell } from "./farewell.ts";
import { Heartbeat, PINGS_MAX } from "./heartbeat.ts";
import { BORN, type Ending, isAbrupt, type Life, type LifeEvent, step } from "./life.ts";
import { Outbound } from "./outbound.ts";
import { NatsSession } from "./session.ts";
import { Stall } from "./stall.ts";

/** A whole CONNECT must have come this long after the connection. */
export const CONNECT_TIMEOUT_MS: Millis = 5_000;
/** After our last byte to a client: how long we wait for it to close before we do. */
const LINGER_MS: Millis = 1_000;
/** A stranger's claim on memory: only CONNECT is taken from it, and that fits into a control line. */
const STRANGER_PAYLOAD_MAX = 0;

/** Reasons not to read, as bits: reading goes on when none is left. */
const HOLDS = { login: 1, router: 2, owed: 4, crowd: 8, end: 16 } as const;

export class NatsConnection implements ClientHandler, NatsPeer {
  readonly address: string;
  readonly port: number;
  /** The client_id of its INFO. */
  readonly number: number;
  readonly sinceWall: number;
  bytesIn = 0;
  /** Resolves when the stream is closed for good. */
  readonly closed: Promise<void>;
  readonly greeting: Greeting;
  /** What its CONNECT said, whether it was let in or not. */
  request: ConnectRequest | undefined;
  readonly #context: NatsContext;
  readonly #stream: ByteStream;
  readonly #outbound: Outbound;
  readonly #parser: ClientParser;
  readonly #login = new AbortController();
  #life: Life = BORN;
  #session: NatsSession | undefined;
  #holds = 0;
  #isContinuing = false;
  /** When it was accepted, and when its end began. */
  #since: Millis;
  readonly #heartbeat: Heartbeat;
  readonly #stall = new Stall();

  /** `isGreeted`: INFO was sent already, before TLS. */
  constructor(stream: ByteStream, number: number, greeting: Greeting, context: NatsContext, isGreeted = false) {
    this.#stream = lendChunks(stream, context.readBuffer, (chunk) => this.#onChunk(chunk));
    this.number = number;
    this.#context = context;
    this.greeting = greeting;
    this.address = greeting.address;
    this.port = this.#stream.remotePort ?? 0;
    this.sinceWall = context.clock.wall();
    this.#since = context.clock.now();
    this.#heartbeat = new Heartbeat(this.#since);
    this.#outbound = new Outbound(this.#stream, context.slabs, context.turn, { onProgress: () => this.#onProgress() });
    this.#parser = new ClientParser(this, context.batch, STRANGER_PAYLOAD_MAX);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#stream
      .on("end", () => this.end("closed", "it closed the connection"))
      .on("error", (error) => this.end("gone", `the network connection broke (${systemCode(error) ?? explain(error)})`))
      .on("close", () => {
        this.end("closed", "the connection was closed");
        this.#outbound.abandon();
        resolve();
      });
    if (!isGreeted) this.#outbound.text(context.infoLine(number, greeting, false));
  }

  get session(): NatsSession | undefined {
    return this.#session;
  }

  get account(): string | null {
    return this.#session?.user.account ?? null;
  }

  get messagesIn(): number {
    return this.#session?.publisher.messages ?? 0;
  }

  get messagesOut(): number {
    return this.#session?.sent ?? 0;
  }

  get bytesOut(): number {
    return this.#outbound.writtenBytes;
  }

  get refused(): number {
    return this.#session?.publisher.refused ?? 0;
  }

  get pendingBytes(): number {
    return this.#outbound.pendingBytes;
  }

  /** Of the last PING that was answered; null before. */
  get rtt(): Millis | null {
    return this.#heartbeat.rtt;
  }

  /** When something last came, or was taken. */
  get lastActive(): Millis {
    return Math.max(this.#heartbeat.lastHeard, this.#stall.lastTaken);
  }

  /** Ends it now: lets everything go, says `errText` last, closes the network connection politely where that makes sense. Twice is once. */
  end(ending: Ending, words: string, errText?: string, reason = closeReason(ending, errText)): void {
    if (!this.#move({ on: "end", ending })) return;
    this.#holds |= HOLDS.end;
    this.#login.abort();
    this.#parser.close();
    this.#session?.close();
    const who = { label: this.#session?.label, address: this.address, facts: this.#facts() };
    sayFarewell(this.#context, who, ending, words);
    this.#context.onEnd(this, ending, reason);
    this.#since = this.#context.clock.now();
    if (isAbrupt(ending)) {
      this.#stream.destroy();
      return;
    }
    if (errText !== undefined) this.#outbound.text(errorLine(errText));
    this.#outbound.finish();
    this.#stream.resume(); // what it still sends is thrown away, so that our last bytes are not lost to a reset
  }

  /** Tells that we are about to close; everything else goes on. */
  warn(): void {
    if (this.#life.at === "connected") this.#outbound.text(this.#infoLine(true));
  }

  /** Reads no more, sends the answers that are owed as their messages become safe, then ends. */
  drain(): void {
    if (!this.#move({ on: "drain" }) || this.#session === undefined) {
      this.end("shutdown", "the spoke is closing");
      return;
    }
    this.#hold("end");
    this.#session.quiet();
    this.#onSettled();
  }

  /** Looks at the clock; called by the listener several times within every limit. */
  tick(now: Millis): void {
    if (this.#life.at === "closed") {
      if (now - this.#since >= LINGER_MS) this.#stream.destroy();
      return;
    }
    const { pendingBytes } = this.#outbound;
    const { writeDeadline } = this.#context.limits;
    if (this.#stall.isOver(now, pendingBytes, writeDeadline)) {
      this.end("slow", `it took nothing of ${pendingBytes} bytes for ${writeDeadline / 1000} s`, SLOW_CONSUMER, REASONS.stalled);
      return;
    }
    this.#lookForLife(now);
  }

  // ── from the parser ─────────────────────────────────────────────────────────────────────────────────────────────────

  onBatch(batch: BatchBuilder, hasHeaders: boolean): void {
    const session = this.#session!; // the parser hands over nothing but CONNECT before
    if (hasHeaders && !session.request.takesHeaders) {
      batch.count = 0;
      throw new ProtocolError(NATS_HEADERS_UNEXPECTED, "HPUB came in, and its CONNECT did not say headers: true");
    }
    const before = this.#outbound.pendingBytesOfAll;
    const { count } = batch;
    session.publish(batch, hasHeaders);
    this.#parser.batchMax = nextBatchMax(this.#parser.batchMax, count, this.#outbound.pendingBytesOfAll - before);
  }

  onInvalidSubject(subject: string): void {
    const session = this.#session!;
    session.publisher.messages += 1;
    session.publisher.refused += 1;
    this.#outbound.text(errorLine(INVALID_PUBLISH_SUBJECT));
    this.#tell("invalid-subject", "message refused", {
      subject: displaySubject(subject),
      because: "nothing can be published on this subject",
    });
  }

  onSubscribe(filter: string, queue: string | null, sid: string): void {
    this.#session!.subscribe(filter, queue, sid);
  }

  onUnsubscribe(sid: string, max: number): void {
    this.#session!.unsubscribe(sid, max);
  }

  onConnect(json: string): void {
    if (this.#life.at !== "awaiting-connect") throw new ProtocolError(NATS_BAD_CONNECT, "a second CONNECT came in");
    this.#logIn(parseConnect(json));
  }

  onTooEarly(firstByte: number): void {
    if (firstByte === 0x16)
      throw new ProtocolError(NATS_NOT_CONNECTED, "its first byte is that of TLS, and this port speaks plain NATS");
    if (!this.#context.hasNoAuthUser)
      throw new ProtocolError(NATS_NOT_CONNECTED, "something other than CONNECT came first, and no_auth_user is not set");
    this.#logIn(WITHOUT_CONNECT);
  }

  onPing(): void {
    this.#outbound.text(PONG_LINE);
  }

  onPong(): void {
    this.#heartbeat.onPong(this.#context.clock.now());
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onChunk(chunk: Buffer): void {
    if (this.#life.at === "closed") return; // lingering: what still comes is not looked at
    this.bytesIn += chunk.length;
    this.#heartbeat.onBytes(this.#context.clock.now());
    this.#read(chunk);
  }

  /** Without a chunk: goes on with what waits. */
  #read(chunk?: Buffer): void {
    try {
      if (chunk === undefined) this.#parser.resume();
      else this.#parser.parse(chunk);
    } catch (error) {
      this.#onBreach(error);
    }
    // What a chunk makes us say, PONG and -ERR included, is bounded as messages are.
    if (this.#outbound.pendingBytes > this.#context.limits.maxPending) this.#onSlow();
  }

  #onBreach(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.end(this.#life.at === "connected" ? "breach" : "refused", `${error.message} (${error.code})`, errTextFor(error));
  }

  #logIn(request: ConnectRequest): void {
    this.request = request;
    this.#move({ on: "connect" });
    this.#hold("login");
    void this.#admit(request);
  }

  async #admit(request: ConnectRequest): Promise<void> {
    const { nonce, way, tls } = this.greeting;
    const certificate = tls?.isMapped === true ? tls.names : undefined;
    const arrival = { address: this.address, nonce, isWebSocket: way === "websocket", certificate };
    const admission = await admit(request, arrival, this.#context, this.#login.signal);
    if (this.#life.at === "authenticating") this.#onAdmission(request, admission);
  }

  #onAdmission(request: ConnectRequest, admission: Admission): void {
    if (!admission.ok) {
      const name = request.user === null ? "without a user" : `user ${JSON.stringify(request.user)}`;
      this.end("refused", `${name}: ${admission.words}`, AUTHORIZATION_VIOLATION);
      return;
    }
    this.#move({ on: "admitted" });
    const { user, account } = admission;
    this.#session = new NatsSession(user, account, request, `nats ${request.name || user.name}`, {
      outbound: this.#outbound,
      maxPending: this.#context.limits.maxPending,
      hold: (reason) => this.#hold(reason),
      release: (reason) => this.#release(reason),
      onSlow: () => this.#onSlow(),
      onSettled: () => this.#onSettled(),
      clock: this.#context.clock,
      userInfo: () => this.#context.userInfo(user),
      lastValues: this.#context.lastValues(account.name),
      tell: (about, message, facts) => this.#tell(about, message, facts),
    });
    this.#parser.payloadBytesMax = Math.min(this.#context.limits.maxPayload, user.limits?.payloadMax ?? Number.POSITIVE_INFINITY);
    if (this.#parser.payloadBytesMax < this.#context.limits.maxPayload) this.#outbound.text(this.#infoLine(false));
    if (request.isVerbose) this.#parser.batchMax = 1;
    this.#parser.admit();
    this.#heartbeat.lastHeard = this.#context.clock.now();
    if (request.isVerbose && request !== WITHOUT_CONNECT) this.#outbound.text(OK_LINE);
    this.#context.onAdmitted();
    this.#context.log.info("client connected", { ...this.#facts(), library: request.library || undefined });
    this.#release("login");
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The stream took one write to its end. */
  #onProgress(): void {
    if (this.#life.at === "closed") return;
    this.#stall.onProgress(this.#context.clock.now(), this.#outbound.pendingBytes);
    this.#session?.onProgress();
  }

  /** Called in the middle of a routing pass. */
  #onSlow(): void {
    const { maxPending } = this.#context.limits;
    this.end("slow", `${this.#outbound.pendingBytes} bytes wait for it, limits.max_pending is ${maxPending}`, SLOW_CONSUMER);
  }

  #onSettled(): void {
    if (this.#life.at === "draining" && this.#session?.publisher.owed === 0) this.end("shutdown", "the spoke is closing");
  }

  #lookForLife(now: Millis): void {
    if (this.#life.at === "awaiting-connect" && now - this.#since >= CONNECT_TIMEOUT_MS) {
      this.end("silent", `no whole CONNECT came within ${CONNECT_TIMEOUT_MS / 1000} s`, AUTHENTICATION_TIMEOUT);
    }
    if (this.#life.at !== "connected") return;
    const expires = this.#session?.user.limits?.expires ?? null;
    if (expires !== null && this.#context.clock.wall() >= expires)
      this.end("expired", "its JWT has expired", AUTHENTICATION_EXPIRED);
    const verdict = this.#heartbeat.check(now);
    if (verdict === "ping")
      this.#outbound.text(PING_LINE); // also where we do not read: only writing tells that it is gone
    else if (verdict === "stale" && this.#holds !== 0) this.#heartbeat.onUnread(now);
    else if (verdict === "stale") this.end("stale", `it left ${PINGS_MAX} pings unanswered`, STALE_CONNECTION);
  }

  // ── holds ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #hold(reason: keyof typeof HOLDS): void {
    if (this.#life.at === "closed") return;
    if (this.#holds === 0) this.#stream.pause();
    this.#holds |= HOLDS[reason];
    this.#parser.pause();
  }

  /** Goes on in a microtask: this may be called by somebody who is in the middle of something. */
  #release(reason: keyof typeof HOLDS): void {
    const bit = HOLDS[reason];
    if ((this.#holds & bit) === 0) return;
    this.#holds &= ~bit;
    if (this.#holds !== 0 || this.#isContinuing) return;
    this.#isContinuing = true;
    queueMicrotask(() => {
      this.#isContinuing = false;
      if (this.#holds !== 0) return;
      this.#heartbeat.onUnread(this.#context.clock.now());
      this.#read();
      if (this.#holds === 0) this.#stream.resume();
    });
  }

  // ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** False: the event means nothing now. */
  #move(event: LifeEvent): boolean {
    const next = step(this.#life, event);
    const isMoved = next !== this.#life;
    this.#life = next;
    return isMoved;
  }

  #infoLine(isClosing: boolean): string {
    return this.#context.infoLine(this.number, this.greeting, isClosing, this.#parser.payloadBytesMax);
  }

  #tell(about: string, message: string, facts: Readonly<Record<string, unknown>>): void {
    this.#context.voice.warn(`${about} ${this.#session?.label}`, message, { ...this.#facts(), ...facts });
  }

  #facts(): Readonly<Record<string, unknown>> {
    return { client: this.#session?.request.name || undefined, user: this.#session?.user.name, address: this.address };
  }
}
