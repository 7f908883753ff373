// One leaf connection: bytes in through the parser, bytes out through one write per turn of the event loop, and the PINGs under way.
//
// Knows nothing of states or retries: link.ts owns it for the length of one attempt.

import type { Clock, Millis } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import type { Carrier } from "#outbox/hub-view.ts";
import { writePing, writePong } from "#wire/leaf-lines.ts";
import { type LeafHandler, LeafParser } from "#wire/leaf-parser.ts";
import { WireWriter } from "#wire/wire-writer.ts";
import { LEAF_CLOSED } from "./errors.ts";

/** Bytes waiting in the socket above which the link takes no backlog, and below which it takes some again. */
const CONGESTED_BYTES = 1024 * 1024;
const ROOMY_BYTES = 256 * 1024;
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

interface Ping {
  readonly sentAt: Millis;
  readonly isBarrier: boolean;
}

export class LeafConnection implements Carrier {
  readonly out = new WireWriter();
  readonly #hub: string;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #parser: LeafParser;
  readonly #pings: Ping[] = [];
  #stream: ByteStream;
  #waitingBytes = 0;
  #isCongested = false;
  #isFlushDue = false;
  #isEnded = false;
  #lastInboundAt: Millis;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(stream: ByteStream, hub: string, clock: Clock, events: ConnectionEvents) {
    this.#hub = hub;
    this.#clock = clock;
    this.#events = events;
    this.#lastInboundAt = clock.now();
    this.#parser = new LeafParser({
      onBatch: (batch) => events.onBatch(batch),
      onInterest: (filter, queue, weight) => events.onInterest(filter, queue, weight),
      onInterestGone: (filter, queue) => events.onInterestGone(filter, queue),
      onInfo: (json) => events.onInfo(json),
      onError: (text) => events.onError(text),
      onPing: () => {
        writePong(this.out);
        this.flush();
      },
      onPong: () => this.#onPong(),
    });
    this.#stream = stream;
    this.attach(stream);
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  get bytesIn(): number {
    return this.#bytesIn;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** Time without a single byte from the hub: any byte is a sign of life. */
  silentFor(now: Millis): Millis {
    return now - this.#lastInboundAt;
  }

  /** Age of the oldest unanswered PING; 0 when none is under way. */
  oldestPing(now: Millis): Millis {
    return this.#pings.length === 0 ? 0 : now - this.#pings[0]!.sentAt;
  }

  /** Listens to `stream` from now on. After `detach` and a TLS handshake: to the secured one. */
  attach(stream: ByteStream): void {
    this.#stream = stream;
    stream.on("data", this.#onData).on("error", this.#onError).on("end", this.#onEnd).on("close", this.#onEnd);
  }

  /** Gives the stream back, unread, for a TLS handshake. The hub sends nothing in between (spec §3). */
  detach(): ByteStream {
    const stream = this.#stream;
    stream.off("data", this.#onData).off("error", this.#onError).off("end", this.#onEnd).off("close", this.#onEnd);
    stream.pause();
    return stream;
  }

  ping(): void {
    writePing(this.out);
    this.#pings.push({ sentAt: this.#clock.now(), isBarrier: false });
    this.flush();
  }

  barrier(): void {
    writePing(this.out);
    this.#pings.push({ sentAt: this.#clock.now(), isBarrier: true });
  }

  flush(): void {
    if (this.#isFlushDue || this.#isEnded) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.flushNow();
    });
  }

  /** Writes what was gathered at once: before a switch of the stream, and in a goodbye. */
  flushNow(): void {
    if (this.#isEnded || this.out.pendingBytes === 0) return;
    const bytes = this.out.take();
    this.#waitingBytes += bytes.length;
    this.#bytesOut += bytes.length;
    if (this.#waitingBytes > CONGESTED_BYTES) this.#isCongested = true;
    this.#stream.write(bytes, () => {
      this.#waitingBytes -= bytes.length;
      this.out.giveBack(bytes);
      if (!this.#isCongested || this.#waitingBytes > ROOMY_BYTES) return;
      this.#isCongested = false;
      if (!this.#isEnded) this.#events.onRoom();
    });
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
    const stream = this.detach();
    stream.on("error", () => undefined); // nobody is left to be told
    stream.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#lastInboundAt = this.#clock.now();
    this.#bytesIn += chunk.length;
    try {
      this.#parser.parse(chunk);
    } catch (error) {
      if (!(error instanceof PetioleError)) throw error;
      this.#end(error);
    }
  };

  readonly #onError = (error: Error): void =>
    this.#end(new PetioleError(LEAF_CLOSED, `the connection to hub ${this.#hub} failed`, { cause: error }));

  readonly #onEnd = (): void => this.#end(new PetioleError(LEAF_CLOSED, `hub ${this.#hub} closed the connection`));

  #onPong(): void {
    const ping = this.#pings.shift();
    if (ping === undefined) return; // a PONG nobody asked for
    this.#events.onRoundTrip(this.#clock.now() - ping.sentAt);
    if (ping.isBarrier) this.#events.onReceipt();
  }

  #end(error: Error): void {
    if (this.#isEnded) return;
    this.abort();
    this.#events.onEnded(error);
  }
}
