// What comes from the hub on one connection: bytes in, through S2 where that was agreed, to the parser.
//
//   stream ─▶ [S2, 256 KiB a turn] ─▶ parser ─▶ handler
//
// A hub's bad bytes end its connection: `onBroken`. Nothing is said to anybody once `isOver`.

import type { Clock, Millis } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { type LeafHandler, LeafParser } from "#wire/leaf-parser.ts";
import type { Compression } from "./compression.ts";

/** A socket's chunk may hold thousands of S2 chunks of a few bytes that unpack to a megabyte each: so much of it in one turn. */
const PLAIN_BYTES_PER_TURN = 256 * 1024;

export interface IntakeEvents {
  readonly handler: LeafHandler;
  /** The connection has ended: what is left is not read. */
  isOver(): boolean;
  onBroken(error: PetioleError): void;
}

export class Intake {
  readonly #clock: Clock;
  readonly #events: IntakeEvents;
  #parser: LeafParser;
  #stream: ByteStream | undefined;
  #compression: Compression | undefined;
  #lastAt: Millis;
  #bytes = 0;
  #plainBytes = 0;

  constructor(clock: Clock, events: IntakeEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#parser = new LeafParser(events.handler);
    this.#lastAt = clock.now();
  }

  /** On the wire. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Behind compression. */
  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** When the last byte came. */
  get lastAt(): Millis {
    return this.#lastAt;
  }

  attach(stream: ByteStream): void {
    this.#stream = stream;
    this.#parser = new LeafParser(this.#events.handler); // half a line in clear must not become the beginning of one inside TLS
    stream.on("data", this.#onData);
  }

  detach(): void {
    this.#stream?.off("data", this.#onData);
  }

  /** From here on it is compressed. */
  compress(compression: Compression): void {
    this.#compression = compression;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#lastAt = this.#clock.now();
    this.#bytes += chunk.length;
    this.#take(chunk);
  };

  readonly #take = (chunk: Buffer): void => {
    try {
      if (this.#compression === undefined) this.#parse(chunk);
      else {
        const taken = this.#compression.read(chunk, this.#parse, PLAIN_BYTES_PER_TURN);
        if (taken < chunk.length && !this.#events.isOver()) this.#takeLater(chunk.subarray(taken));
      }
    } catch (error) {
      if (!(error instanceof PetioleError)) throw error;
      this.#events.onBroken(error);
    }
  };

  /** What is left of a chunk waits until the others have had their turn, and the socket is not read until then. */
  #takeLater(rest: Buffer): void {
    const stream = this.#stream!.pause();
    setImmediate(() => {
      if (this.#events.isOver()) return;
      this.#lastAt = this.#clock.now();
      stream.resume();
      this.#take(rest);
    });
  }

  readonly #parse = (plain: Buffer): void => {
    this.#plainBytes += plain.length;
    if (!this.#events.isOver()) this.#parser.parse(plain);
  };
}
