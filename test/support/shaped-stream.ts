// One end of a connection in a ShapedNet: a Duplex whose bytes go over a lane to the other end. Behaves as a TCP socket does as
// far as its user can tell: a write is taken when the buffer has room, an end goes behind the data, a reader that stops reading
// stops the writer.

import { Duplex } from "node:stream";
import type { Endpoint } from "#base/net.ts";
import type { ShapedLane } from "./shaped-lane.ts";

/** What may be under way to a reader that has not read it: TCP's receive window. */
export const WINDOW_BYTES = 1024 * 1024;

export class ShapedStream extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Silent drop: nothing is taken any more, nothing arrives any more, nothing is told. */
  isDropped = false;
  readonly #lane: ShapedLane;
  #peer: ShapedStream | undefined;
  /** Arrived and not yet wanted by the reader. */
  readonly #arrived: Buffer[] = [];
  #wantsMore = false;
  /** Sent by the other end and not yet handed to our reader. */
  #unreadBytes = 0;
  /** The other end's write that waits for our reader. */
  #onRead: (() => void) | undefined;
  #isSwallowed = false;
  #isEndSent = false;

  /** Two ends; what `near` writes goes over `up`, what `far` writes over `down`. */
  static pair(up: ShapedLane, down: ShapedLane, address: { readonly near: Endpoint; readonly far: Endpoint }) {
    const near = new ShapedStream(up, address.far);
    const far = new ShapedStream(down, address.near);
    near.#peer = far;
    far.#peer = near;
    return { near, far };
  }

  private constructor(lane: ShapedLane, remote: Endpoint) {
    super({ allowHalfOpen: false });
    this.#lane = lane;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, done);
  }

  override _final(done: () => void): void {
    this.#sendEnd();
    done();
  }

  override _read(): void {
    this.#wantsMore = true;
    this.#handOver();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#sendEnd();
    this.#arrived.length = 0;
    done(error);
  }

  /** As a RST does: fails at once. */
  fail(): void {
    this.#isEndSent = true;
    this.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
  }

  /** Half-open: what this end sends is taken, carried and thrown away from now on. */
  swallow(): void {
    this.#isSwallowed = true;
    this.#peer!.#letWriterGoOn();
  }

  #send(rest: Uint8Array, done: (error?: Error | null) => void): void {
    if (this.destroyed) {
      done(Object.assign(new Error("write ECANCELED"), { code: "ECANCELED" }));
      return;
    }
    if (this.isDropped) return; // the writer waits for ever
    const peer = this.#peer!;
    const window = this.#isSwallowed || peer.destroyed ? Infinity : WINDOW_BYTES - peer.#unreadBytes;
    const taken = window <= 0 ? 0 : this.#lane.offer(rest.subarray(0, window), (bytes) => this.#arrive(bytes));
    if (!peer.destroyed && !this.#isSwallowed) peer.#unreadBytes += taken;
    const left = rest.subarray(taken);
    if (left.length === 0) done();
    else if (taken >= window) peer.#onRead = () => this.#send(left, done);
    else this.#lane.whenRoom(() => this.#send(left, done));
  }

  /** Bytes of ours at the other end. */
  #arrive(bytes: Buffer): void {
    const peer = this.#peer!;
    if (this.#isSwallowed || peer.isDropped || peer.destroyed) return;
    peer.#arrived.push(bytes);
    peer.#handOver();
  }

  #handOver(): void {
    while (this.#wantsMore && this.#arrived.length > 0) {
      const bytes = this.#arrived.shift()!;
      this.#unreadBytes -= bytes.length;
      this.#wantsMore = this.push(bytes);
    }
    if (this.#unreadBytes < WINDOW_BYTES / 2) this.#letWriterGoOn();
  }

  #letWriterGoOn(): void {
    const onRead = this.#onRead;
    this.#onRead = undefined;
    onRead?.();
  }

  #sendEnd(): void {
    if (this.#isEndSent) return;
    this.#isEndSent = true;
    this.#lane.mark(() => {
      const peer = this.#peer!;
      if (this.#isSwallowed || peer.isDropped || peer.destroyed) return;
      for (const bytes of peer.#arrived.splice(0)) peer.push(bytes); // a window of them at most
      peer.push(null);
    });
  }
}
