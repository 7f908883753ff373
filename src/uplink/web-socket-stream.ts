// A WebSocket as a stream of bytes: the hub's messages one behind the other, ours in frames. Made by openWebSocket.
//
//   socket ──▶ reader ──▶ (inflate) ──▶ inbox ──▶ stream       a full stream stops the socket
//   socket ◀── frames ◀── (deflate) ◀───────────── stream       a write is done when the socket has taken its frames
//
// Both ends close by destroying the stream with a reason, after everything that came before was read. Why not a library: it
// hands over whole messages, and a hub's message is its whole backlog; over a slow line that means minutes without a sign of
// life and 64 MiB of memory (README.md, Decisions).

import { Duplex } from "node:stream";
import type { Entropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { OPCODE, WebSocketReader } from "#wire/web-socket-reader.ts";
import { encodeClose, encodeFrame, encodeFrames, frameCount, SENT_FRAME_BYTES_MAX } from "#wire/web-socket-writer.ts";
import { LEAF_CLOSED, LEAF_WRONG_PORT } from "./errors.ts";
import { Deflater, Inflater } from "./message-deflate.ts";

/** Shorter messages, such as a PING, are not worth compressing. */
const DEFLATED_FROM_BYTES = 128;

const CLOSE_NORMAL = 1000;
const CLOSE_BREACH = 1002;
const CLOSE_UNSAID = 1005;

export interface WebSocketStreamOptions {
  /** For people: the URL. */
  readonly hub: string;
  readonly isDeflated: boolean;
  readonly entropy: Entropy;
}

/** A stream that knows how much it was on the wire, behind deflate. */
export type WebSocketStream = ByteStream & { readonly wire: { readonly bytesIn: number; readonly bytesOut: number } };

/** From now on `socket` belongs to the stream. */
export function webSocketStream(socket: ByteStream, options: WebSocketStreamOptions): WebSocketStream {
  return new Pipe(socket, options).stream;
}

/** Plain payload behind a deflated message waits its turn. */
type Step = { readonly do: "inflate" | "deliver"; readonly bytes: Buffer } | { readonly do: "end-message" };

class Pipe {
  readonly stream: WebSocketStream;
  /** Frames as they are on the socket. */
  readonly #wire = { bytesIn: 0, bytesOut: 0 };
  readonly #socket: ByteStream;
  readonly #hub: string;
  readonly #entropy: Entropy;
  readonly #reader: WebSocketReader;
  readonly #inflater: Inflater | undefined;
  readonly #deflater: Deflater | undefined;
  /** What there is to inflate, and what waits behind it: of one chunk, since the socket is paused meanwhile. */
  readonly #steps: Step[] = [];
  /** Payload that the stream has no room for yet. */
  readonly #inbox: Buffer[] = [];
  #isWanted = false;
  #isSocketPaused = false;
  /** Why nothing comes any more; null: we closed. */
  #end: Error | null | undefined;
  /** The hub broke a rule: nothing that comes behind it counts. */
  #isBroken = false;
  #hasPayload = false;
  #hasSentClose = false;
  /** The latest ping, while the answer to an earlier one waits in the socket: only the latest needs one (RFC 6455 §5.5.3). */
  #pongDue: Buffer | undefined;
  #isPongUnderWay = false;

  constructor(socket: ByteStream, { hub, isDeflated, entropy }: WebSocketStreamOptions) {
    this.#socket = socket;
    this.#hub = hub;
    this.#entropy = entropy;
    const onFault = (error: Error) => this.#breach(error);
    this.#inflater = isDeflated ? new Inflater((bytes) => this.#deliver(bytes), onFault) : undefined;
    this.#deflater = isDeflated ? new Deflater(onFault) : undefined;
    this.#reader = new WebSocketReader(
      {
        onPayload: (bytes, isDeflatedToo) => this.#onPayload(bytes, isDeflatedToo),
        onDeflatedEnd: () => this.#step({ do: "end-message" }),
        onPing: (payload) => this.#pong(payload),
        onClose: (code, reason) => this.#onClose(code, reason),
      },
      { isDeflateAgreed: isDeflated },
    );
    const duplex = new Duplex({
      readableHighWaterMark: 0, // we are asked when all is read, and then may end with a reason
      read: () => this.#want(),
      write: (bytes: Buffer, _, done) => this.#write(bytes, done),
      final: (done) => this.#close(done),
      destroy: (error, done) => this.#destroy(error, done),
    });
    const { remoteAddress, remotePort } = socket;
    this.stream = Object.assign(duplex, { remoteAddress, remotePort, wire: this.#wire });
    socket.on("data", this.#onData).on("error", this.#onError).on("end", this.#onSocketEnd).on("close", this.#onSocketEnd);
    if (socket.readableEnded || socket.destroyed) this.#onSocketEnd();
    else this.#regulate();
  }

  // ── inbound ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #onData = (chunk: Buffer): void => {
    if (this.#end !== undefined) return;
    this.#wire.bytesIn += chunk.length;
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (!(error instanceof PetioleError)) throw error;
      this.#breach(error);
    }
    this.#regulate();
  };

  #onPayload(bytes: Buffer, isDeflated: boolean): void {
    this.#hasPayload = true;
    if (isDeflated) this.#step({ do: "inflate", bytes });
    else if (this.#steps.length > 0) this.#step({ do: "deliver", bytes });
    else this.#deliver(bytes);
  }

  #step(step: Step): void {
    this.#steps.push(step);
    if (this.#steps.length === 1) void this.#takeSteps();
  }

  async #takeSteps(): Promise<void> {
    for (let i = 0; i < this.#steps.length; i++) {
      const step = this.#steps[i]!;
      if (step.do === "deliver") this.#deliver(step.bytes);
      else if (step.do === "inflate") await this.#inflater!.write(step.bytes);
      else await this.#inflater!.endMessage();
      if (this.#isBroken || this.stream.destroyed) return;
    }
    this.#steps.length = 0;
    this.#regulate();
    this.#endIfRead();
  }

  #deliver(bytes: Buffer): void {
    if (this.#isWanted && this.#inbox.length === 0) this.#isWanted = this.stream.push(bytes);
    else this.#inbox.push(bytes);
    this.#regulate();
  }

  #want(): void {
    this.#isWanted = true;
    while (this.#isWanted && this.#inbox.length > 0) this.#isWanted = this.stream.push(this.#inbox.shift()!);
    this.#regulate();
    if (this.#end !== undefined) process.nextTick(() => this.#endIfRead()); // what is being read now is handed out first
  }

  /** Lets bytes in while there is room for what they bring. */
  #regulate(): void {
    const hasRoom = this.#isWanted && this.#inbox.length === 0;
    if (hasRoom) this.#inflater?.resume();
    else this.#inflater?.pause();
    const isPaused = this.#end === undefined && (!hasRoom || this.#steps.length > 0);
    if (isPaused === this.#isSocketPaused) return;
    this.#isSocketPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  // ── outbound ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #send(frames: Buffer, done?: (error?: Error | null) => void): void {
    this.#wire.bytesOut += frames.length;
    this.#socket.write(frames, done);
  }

  #write(bytes: Buffer, done: (error?: Error | null) => void): void {
    const frames = frameCount(bytes.length);
    if (frames === 0 || this.#hasSentClose)
      done(); // after the goodbye nobody reads it; the reason is on its way
    else if (this.#deflater !== undefined && bytes.length >= DEFLATED_FROM_BYTES) this.#writeDeflated(bytes, done);
    else this.#send(encodeFrames(bytes, this.#entropy.bytes(frames * 4)), done);
  }

  /** Piece by piece, each a message of one frame. */
  #writeDeflated(bytes: Buffer, done: (error?: Error | null) => void): void {
    const rest = bytes.subarray(SENT_FRAME_BYTES_MAX);
    this.#deflater!.deflate(bytes.subarray(0, SENT_FRAME_BYTES_MAX), (deflated) => {
      if (this.#hasSentClose) {
        done();
        return;
      }
      const frame = encodeFrame(OPCODE.binary, deflated, this.#entropy.bytes(4), true);
      if (rest.length === 0) this.#send(frame, done);
      else {
        this.#send(frame);
        this.#writeDeflated(rest, done);
      }
    });
  }

  #pong(payload: Buffer): void {
    this.#pongDue = payload;
    if (this.#isPongUnderWay || this.#hasSentClose) return;
    this.#isPongUnderWay = true;
    this.#pongDue = undefined;
    this.#send(encodeFrame(OPCODE.pong, payload, this.#entropy.bytes(4)), () => {
      this.#isPongUnderWay = false;
      if (this.#pongDue !== undefined) this.#pong(this.#pongDue);
    });
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onClose(code: number, reason: string): void {
    const wasAsked = this.#hasSentClose;
    this.#sayGoodbye(code === CLOSE_UNSAID ? CLOSE_NORMAL : code);
    const said = `${code === CLOSE_UNSAID ? "without a code" : `with code ${code}`}${reason === "" ? "" : `, "${reason}"`}`;
    this.#finish(wasAsked ? null : this.#closedBy(`closed the WebSocket ${said}${CLOSE_WORDS[code] ?? ""}`));
  }

  #breach(error: Error): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#sayGoodbye(CLOSE_BREACH);
    this.#steps.length = 0;
    this.#end = undefined; // a close that stands behind the breach is no news
    this.#finish(error);
  }

  readonly #onError = (cause: Error): void => this.#finish(cause);

  readonly #onSocketEnd = (): void =>
    this.#finish(this.#hasSentClose ? null : this.#closedBy("closed the connection without a goodbye"));

  #closedBy(how: string): Error {
    if (this.#hasPayload) return new PetioleError(LEAF_CLOSED, `hub ${this.#hub} ${how}`);
    const text = `hub ${this.#hub} took the WebSocket and closed it before its INFO; it probably has no leafnodes listener: its configuration wants a leafnodes block beside websocket`;
    return new PetioleError(LEAF_WRONG_PORT, text, { remedy: "backoff" });
  }

  /** Nothing more comes in, and the stream ends once all is read. The first reason counts. */
  #finish(end: Error | null): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#regulate(); // the socket is drained, so that it can close
    this.#endIfRead();
  }

  #endIfRead(): void {
    if (this.#end === undefined || this.stream.destroyed || this.stream.readableEnded) return;
    const isRead = this.#steps.length + this.#inbox.length + this.stream.readableLength === 0;
    if (!isRead || (this.#inflater?.waitingBytes ?? 0) > 0) return;
    if (this.#end !== null) this.stream.destroy(this.#end);
    else this.stream.push(null);
  }

  #close(done: () => void): void {
    this.#sayGoodbye(CLOSE_NORMAL);
    done();
  }

  #sayGoodbye(code: number): void {
    if (this.#hasSentClose) return;
    this.#hasSentClose = true;
    if (this.#socket.writable) this.#socket.end(encodeClose(code, this.#entropy.bytes(4)));
  }

  #destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#end ??= null;
    this.#socket.destroy();
    this.#inflater?.close();
    this.#deflater?.close();
    done(error);
  }
}

const CLOSE_WORDS: Readonly<Record<number, string>> = {
  1001: ": it is going away",
  1002: ": it found our frames at fault",
  1009: ": something we sent was larger than it takes",
  1011: ": something failed at the hub",
  1013: ": it is too busy",
};
