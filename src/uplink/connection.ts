// One leaf connection: bytes in through the parser, bytes out through one write per turn of the event loop, and the PINGs under way.
//
//   out ─▶ [S2] ─▶ stream ─▶ hub           parser ◀─ [S2] ◀─ stream        (the way in: intake.ts)
//
// Knows nothing of states or retries: link.ts owns it for the length of one attempt. What may be under way: flow.ts.

import type { Clock, Millis } from "#base/clock.ts";
import { PetioleError, ProtocolError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { NumberRing } from "#base/ring.ts";
import type { Carrier } from "#outbox/hub-view.ts";
import { PIECE_BYTES_MAX } from "#s2/codec.ts";
import { writePing, writePong } from "#wire/leaf-lines.ts";
import type { LeafHandler } from "#wire/leaf-parser.ts";
import { WireWriter } from "#wire/wire-writer.ts";
import type { Compression } from "./compression.ts";
import { LEAF_CLOSED, LEAF_NOT_NATS } from "./errors.ts";
import { Flow } from "./flow.ts";
import { Intake } from "./intake.ts";

/** Bytes waiting in the socket above which the link takes no more, whatever the window: the kernel does not keep up. */
const SOCKET_BYTES_MAX = 1024 * 1024;
/** Gathered bytes that are worth a flush of their own, however long `flush_delay` is. */
const GATHERED_BYTES_MAX = 32 * 1024;
/** Gathered bytes that do not wait for the end of the turn: Node reads up to 2 MiB from one publisher in a turn. */
const EAGER_BYTES = 128 * 1024;
/** PONGs written in one go; a hub that asks for more than it reads is owed the rest. */
const PONGS_MAX = 10_000;
/** Flushes up to this are copied to size: each would hold a whole gathering buffer while the socket waits. */
const COPIED_BYTES_MAX = 8 * 1024;
/** Plaintext of one TLS record: the hub sees nothing of it before it is whole. */
const RECORD_BYTES_MAX = 16 * 1024;
/** How long a goodbye may take. */
const GOODBYE_MS: Millis = 1000;

/** `onPing` and `onPong` are the connection's own business; receipts come as `onReceipt`. */
export interface ConnectionEvents extends Omit<LeafHandler, "onPing" | "onPong"> {
  /** PONG of a `barrier`. */
  onReceipt(): void;
  /** PONG of any PING. */
  onRoundTrip(rtt: Millis): void;
  onRoom(): void;
  /** Once: the stream ended or failed, or the hub broke the protocol. */
  onEnded(error: Error): void;
}

export interface ConnectionOptions {
  /** For errors. */
  readonly hub: string;
  /** How long data may be gathered before it leaves; PINGs, PONGs and interest never wait. */
  readonly flushDelay: Millis;
}

/** What kind of PING: its PONG is a receipt, or only a sign of life and a measure. */
const BARRIER = 1;
const MEASURE = 0;

export class LeafConnection implements Carrier {
  readonly out = new WireWriter();
  readonly flow: Flow;
  /** Set once the hub has been told of it. */
  inbox: string | null = null;
  /** PINGs of this connection so far, and how many of them were answered: answers come in their order. */
  pingsWritten = 0;
  pingsAnswered = 0;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #intake: Intake;
  /** BARRIER or MEASURE per PING under way or gathered. */
  readonly #kinds = new NumberRing();
  /** Offsets in `out` of gathered PINGs. */
  readonly #gatheredPings = new NumberRing();
  #stream: ByteStream;
  #compression: Compression | undefined;
  #wire: { readonly bytesIn: number; readonly bytesOut: number } | undefined;
  #waitingBytes = 0;
  #isFull = false;
  #isFlushDue = false;
  #delay: Disposable | undefined;
  #isEnded = false;
  /** We have sent our first PING: the hub knows us. Before, it may say nothing but INFO, -ERR and PING, and we answer none of these. */
  #isIntroduced = false;
  /** PINGs of the hub that are not answered yet. */
  #owedPongs = 0;
  #bytesOut = 0;
  #plainBytesOut = 0;
  /** Bytes on the wire per byte gathered, smoothed: tells how much of the window the gathered bytes will take. */
  #ratio = 1;

  constructor(stream: ByteStream, options: ConnectionOptions, clock: Clock, events: ConnectionEvents) {
    this.#options = options;
    this.#clock = clock;
    this.#events = events;
    this.flow = new Flow(clock.now());
    this.#stream = stream;
    this.#intake = new Intake(clock, {
      handler: this.#newHandler(),
      isOver: () => this.#isEnded,
      onBroken: (error) => this.#end(error),
    });
    this.attach(stream);
  }

  get compression(): Compression | undefined {
    return this.#compression;
  }

  get room(): number {
    if (this.#waitingBytes > SOCKET_BYTES_MAX) return 0;
    const { window, underWay } = this.flow;
    return Math.max(0, (window - underWay) / this.#ratio - this.out.pendingBytes);
  }

  get isCongested(): boolean {
    if (this.room > 0) return false;
    this.#isFull = true;
    this.flow.onFull();
    return true;
  }

  /** On the wire, compressed or not; TLS not counted. */
  get bytesIn(): number {
    return this.#wire?.bytesIn ?? this.#intake.bytes;
  }

  get bytesOut(): number {
    return this.#wire?.bytesOut ?? this.#bytesOut;
  }

  /** Before compression. */
  get plainBytesIn(): number {
    return this.#intake.plainBytes;
  }

  get plainBytesOut(): number {
    return this.#plainBytesOut;
  }

  /** Time without a single byte from the hub: any byte is a sign of life. */
  silentFor(now: Millis): Millis {
    return now - this.#intake.lastAt;
  }

  /** Listens to `stream` from now on. After `detach` and a TLS handshake: to the secured one. */
  attach(stream: ByteStream): void {
    if (this.#isEnded) {
      stream.on("error", () => undefined).destroy(); // the handshake was over too late
      return;
    }
    this.#stream = stream;
    this.#intake.attach(stream);
    stream.on("error", this.#onError).on("end", this.#onEnd).on("close", this.#onEnd);
  }

  /** Gives the stream back, unread, for a handshake on it. The hub sends nothing in between (spec §3). */
  detach(): ByteStream {
    const stream = this.#stream;
    this.#intake.detach();
    stream.off("error", this.#onError).off("end", this.#onEnd).off("close", this.#onEnd);
    stream.pause();
    return stream;
  }

  /** From here on both directions are compressed (spec §7.3): call it right after our INFO has been flushed. */
  compress(compression: Compression): void {
    this.#compression = compression;
    this.#intake.compress(compression);
  }

  /** The stream knows better how much is on the wire: WebSocket compresses below us. */
  countBy(wire: { readonly bytesIn: number; readonly bytesOut: number }): void {
    this.#wire = wire;
  }

  ping(): void {
    this.#isIntroduced = true;
    this.#answerPings();
    this.#writePing(MEASURE);
    this.flushSoon();
  }

  barrier(): void {
    this.#writePing(BARRIER);
  }

  flush(): void {
    if (this.#isEnded) return;
    if (this.#isIntroduced && this.out.pendingBytes >= EAGER_BYTES) this.flushNow();
    if (this.#isFlushDue || this.out.pendingBytes === 0) return;
    if (this.#options.flushDelay === 0 || this.out.pendingBytes >= GATHERED_BYTES_MAX) this.flushSoon();
    else this.#delay ??= this.#clock.after(this.#options.flushDelay, () => this.flushNow());
  }

  /** For what must not wait for `flush_delay`: interest, PINGs, PONGs. At most once per turn of the event loop. */
  flushSoon(): void {
    if (this.#isFlushDue || this.#isEnded) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.flushNow();
    });
  }

  /** Writes what was gathered at once: before a switch of the stream, and in a goodbye. */
  flushNow(): void {
    this.#delay?.[Symbol.dispose]();
    this.#delay = undefined;
    if (this.#isEnded || this.out.pendingBytes === 0) return;
    // A PING at every quarter of the window: that is how the window opens again. Not behind a long CONNECT: link.ts waits for its own.
    const isQuarter = this.flow.unmarked + this.out.pendingBytes * this.#ratio >= this.flow.window / 4;
    if (isQuarter && this.#isIntroduced && this.#gatheredPings.size === 0) this.#writePing(MEASURE);
    const plain = this.out.take();
    const before = this.#bytesOut;
    if (this.#compression === undefined) {
      if (plain.length > COPIED_BYTES_MAX) this.#write(plain, plain);
      else {
        this.#write(Buffer.from(plain), undefined);
        this.out.giveBack(plain);
      }
    } else {
      this.#compression.write(plain, (bytes) => this.#write(bytes, undefined));
      this.out.giveBack(plain);
    }
    this.#account(plain.length, this.#bytesOut - before);
  }

  /** Sends what was gathered and ends the connection; what is not taken within a second is dropped with it. */
  close(): void {
    if (this.#isEnded) return;
    this.flushNow();
    this.#isEnded = true;
    const stream = this.detach();
    stream.on("error", () => undefined); // nobody is left to be told
    stream.resume();
    stream.end();
    const timer = this.#clock.after(GOODBYE_MS, () => stream.destroy());
    stream.once("close", () => timer[Symbol.dispose]());
  }

  /** Ends the connection at once. */
  abort(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#delay?.[Symbol.dispose]();
    const stream = this.detach();
    stream.on("error", () => undefined); // nobody is left to be told
    stream.destroy();
  }

  /** Everything goes by `isEnded`: a handler may end the connection in the middle of a chunk, and the rest of it counts no more. */
  #newHandler(): LeafHandler {
    const events = this.#events;
    return {
      onBatch: (batch) => {
        if (this.#mayHear("a message")) events.onBatch(batch);
      },
      onInterest: (filter, queue, weight) => {
        if (this.#mayHear("interest")) events.onInterest(filter, queue, weight);
      },
      onInterestGone: (filter, queue) => {
        if (this.#mayHear("interest")) events.onInterestGone(filter, queue);
      },
      onInfo: (json) => {
        if (!this.#isEnded) events.onInfo(json);
      },
      onError: (text) => {
        if (!this.#isEnded) events.onError(text);
      },
      onPing: () => {
        this.#owedPongs += 1;
        this.#answerPings();
      },
      onPong: () => {
        if (!this.#isEnded) this.#onPong();
      },
    };
  }

  /** Whoever speaks of messages before it knows us is no hub: it may be somebody on the way, in front of TLS. */
  #mayHear(what: string): boolean {
    if (this.#isEnded) return false;
    if (this.#isIntroduced) return true;
    const words = `hub ${this.#options.hub} sent ${what} before we had introduced ourselves; no nats-server does`;
    throw new ProtocolError(LEAF_NOT_NATS, words);
  }

  /** Before CONNECT a PONG would get us an Authorization Violation, before the switch to S2 the connection's end (spec §2.3, §7.3). */
  #answerPings(): void {
    const isBackedUp = this.#waitingBytes + this.out.pendingBytes > SOCKET_BYTES_MAX;
    if (this.#isEnded || !this.#isIntroduced || this.#owedPongs === 0 || isBackedUp) return;
    const count = Math.min(this.#owedPongs, PONGS_MAX);
    for (let i = 0; i < count; i++) writePong(this.out);
    this.#owedPongs -= count;
    this.flushSoon();
  }

  #writePing(kind: number): void {
    writePing(this.out);
    this.pingsWritten += 1;
    this.#kinds.push(kind);
    this.#gatheredPings.push(this.out.pendingBytes);
  }

  /** `lent`: the gathering buffer itself, to be given back once the socket has it. */
  #write(bytes: Buffer, lent: Buffer | undefined): void {
    this.#waitingBytes += bytes.length;
    this.#bytesOut += bytes.length;
    this.#stream.write(bytes, () => {
      this.#waitingBytes -= bytes.length;
      if (lent !== undefined) this.out.giveBack(lent);
      this.#answerPings();
      this.#tellRoom();
    });
  }

  /** Tells the flow what left: `plainBytes` gathered became `wireBytes`, and where in them the PINGs are. */
  #account(plainBytes: number, wireBytes: number): void {
    this.#plainBytesOut += plainBytes;
    const ratio = wireBytes / plainBytes;
    this.#ratio += (ratio - this.#ratio) * Math.min(1, plainBytes / (16 * 1024));
    const now = this.#clock.now();
    this.flow.onSent(wireBytes, now);
    while (this.#gatheredPings.size > 0) {
      const end = Math.min(plainBytes, Math.ceil(this.#gatheredPings.shift() / this.#grain) * this.#grain);
      this.flow.onPing(now, (plainBytes - end) * ratio);
    }
  }

  /** Bytes that come to the hub's parser at once. A PING in front of the last of them is answered when all have arrived. */
  get #grain(): number {
    if (this.#compression !== undefined) return PIECE_BYTES_MAX;
    return "encrypted" in this.#stream ? RECORD_BYTES_MAX : 1;
  }

  #tellRoom(): void {
    if (!this.#isFull || this.#isEnded) return;
    if (this.#waitingBytes > SOCKET_BYTES_MAX / 4 || this.flow.underWay > (this.flow.window * 3) / 4) return;
    this.#isFull = false;
    this.#events.onRoom();
  }

  readonly #onError = (error: Error): void =>
    this.#end(new PetioleError(LEAF_CLOSED, `the connection to hub ${this.#options.hub} failed`, { cause: error }));

  readonly #onEnd = (): void => this.#end(new PetioleError(LEAF_CLOSED, `hub ${this.#options.hub} closed the connection`));

  #onPong(): void {
    const rtt = this.flow.onPong(this.#clock.now());
    if (rtt === undefined) return; // a PONG nobody asked for
    this.pingsAnswered += 1;
    const kind = this.#kinds.shift();
    this.#probe();
    this.#events.onRoundTrip(rtt);
    if (this.#isEnded) return;
    if (kind === BARRIER) this.#events.onReceipt();
    // The window may have shrunk below what left without a PING behind it: nothing else would ever confirm that.
    if (this.flow.unmarked >= this.flow.window / 4 && this.#gatheredPings.size === 0) this.ping();
    this.#tellRoom();
  }

  /** A lone PING in front of what comes next: whatever the size of messages, it sees the line's own round trip. */
  #probe(): void {
    if (!this.flow.isProbing || this.flow.pings > 0 || this.#gatheredPings.size > 0) return;
    this.ping();
    this.flushNow();
  }

  #end(error: Error): void {
    if (this.#isEnded) return;
    this.abort();
    this.#events.onEnded(error);
  }
}
