// Messages on their way to one client: QoS 0 goes out or is dropped, QoS 1 goes through a window and, beyond it, a bounded queue.
//
//   deliver ─▶ QoS 0 ──────────────────────────▶ outbound      dropped and counted while the client reads too slowly
//          └─▶ QoS 1 ─▶ [ queue, bounded ] ─▶ [ window of 20 ] ─▶ outbound        oldest dropped and counted when full
//                                                 └─ PUBACK frees a place
//
// With clean sessions a message that was sent is not kept: it would be sent again only to a session that came back.

import type { Batch } from "#core/batch.ts";
import type { Outbound } from "./outbound.ts";
import { publishBytesMax, setPacketId, writePublish } from "./publish.ts";

/** QoS 1 messages sent and not yet acknowledged; 3.1.1 lets the server choose. */
export const INFLIGHT_MAX = 20;
/** QoS 1 messages that wait for a place in the window. */
export const QUEUE_MESSAGES_MAX = 10_000;
export const QUEUE_BYTES_MAX = 4_194_304;
/** Bytes a client may be behind in reading before QoS 0 is dropped for it and QoS 1 has to wait. */
export const HIGH_WATER_BYTES = 262_144;

export class Deliveries {
  sent = 0;
  dropped = 0;
  readonly #outbound: Outbound;
  readonly #queueBytesMax: number;
  /** Told once when dropping begins, and again only after all that waited has gone out. */
  readonly #onDropping: (qos: 0 | 1) => void;
  readonly #inflight = new Uint16Array(INFLIGHT_MAX);
  #inflightCount = 0;
  #lastId = 0;
  /** Encoded with packet identifier 1, put right when sent. `#queue[#queueHead …]` wait. */
  #queue: Buffer[] = [];
  #queueHead = 0;
  #queueBytes = 0;
  #isDropping = false;

  constructor(outbound: Outbound, queueBytesMax: number, onDropping: (qos: 0 | 1) => void) {
    this.#outbound = outbound;
    this.#queueBytesMax = Math.min(queueBytesMax, QUEUE_BYTES_MAX);
    this.#onDropping = onDropping;
  }

  get inflight(): number {
    return this.#inflightCount;
  }

  get queued(): number {
    return this.#queue.length - this.#queueHead;
  }

  deliver(batch: Batch, index: number, qos: 0 | 1): void {
    const isBehind = this.#outbound.pendingBytes > HIGH_WATER_BYTES;
    if (qos === 0) {
      if (isBehind) this.#drop(0);
      else this.#encode(batch, index, 0);
    } else if (isBehind || this.#inflightCount === INFLIGHT_MAX || this.queued > 0) this.#enqueue(batch, index);
    else this.#encode(batch, index, this.#nextId());
  }

  /** False: no such message is in flight. */
  acknowledge(packetId: number): boolean {
    const at = this.#inflight.indexOf(packetId); // those in use come first
    if (at === -1 || at >= this.#inflightCount) return false;
    this.#inflight.copyWithin(at, at + 1, this.#inflightCount);
    this.#inflightCount -= 1;
    return true;
  }

  /** Sends what waits and has a place now. The caller flushes. */
  pump(): void {
    while (this.queued > 0 && this.#inflightCount < INFLIGHT_MAX && this.#outbound.pendingBytes <= HIGH_WATER_BYTES) {
      const packet = this.#takeQueued();
      setPacketId(packet, this.#nextId());
      this.#outbound.writeWhole(packet);
      this.sent += 1;
    }
    if (this.#isDropping && this.queued === 0 && this.#outbound.pendingBytes <= HIGH_WATER_BYTES / 2) this.#isDropping = false;
  }

  clear(): void {
    this.#queue = [];
    this.#queueHead = 0;
    this.#queueBytes = 0;
    this.#inflightCount = 0;
  }

  #encode(batch: Batch, index: number, packetId: number): void {
    const outbound = this.#outbound;
    const at = outbound.reserve(publishBytesMax(batch, index));
    outbound.commit(writePublish(outbound.bytes, at, batch, index, packetId));
    this.sent += 1;
  }

  #enqueue(batch: Batch, index: number): void {
    const packet = Buffer.allocUnsafeSlow(publishBytesMax(batch, index));
    const end = writePublish(packet, 0, batch, index, 1);
    this.#queue.push(packet.subarray(0, end));
    this.#queueBytes += packet.length;
    while (this.queued > QUEUE_MESSAGES_MAX || (this.#queueBytes > this.#queueBytesMax && this.queued > 1)) {
      this.#takeQueued();
      this.#drop(1);
    }
  }

  #takeQueued(): Buffer {
    const packet = this.#queue[this.#queueHead]!;
    this.#queueHead += 1;
    this.#queueBytes -= packet.buffer.byteLength;
    if (this.#queueHead === this.#queue.length || this.#queueHead >= 1024) {
      this.#queue = this.#queue.slice(this.#queueHead);
      this.#queueHead = 0;
    }
    return packet;
  }

  #drop(qos: 0 | 1): void {
    this.dropped += 1;
    if (this.#isDropping) return;
    this.#isDropping = true;
    this.#onDropping(qos);
  }

  /** Rolls through 1 … 65,535 and passes over those in use. Called with a place free in the window. */
  #nextId(): number {
    do this.#lastId = (this.#lastId % 65_535) + 1;
    while (this.#isInFlight(this.#lastId));
    this.#inflight[this.#inflightCount] = this.#lastId;
    this.#inflightCount += 1;
    return this.#lastId;
  }

  #isInFlight(packetId: number): boolean {
    for (let i = 0; i < this.#inflightCount; i++) if (this.#inflight[i] === packetId) return true;
    return false;
  }
}
