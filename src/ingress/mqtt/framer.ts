// Cuts chunks of a byte stream into whole MQTT packets. Stands in front of every parser: lengths are claims until checked.
//
//   chunk    │▓▓▓▓ packet ▓▓▓▓│▓▓ packet ▓▓│░░ half a pack│
//                                          └── kept in the slab, the next chunk is copied behind it
//
// The ordinary packet is handed out in place, as offsets into the chunk. A split one is joined in a slab that doubles as bytes
// really arrive (never by what a length announces) and is let go as soon as nothing is left in it. Each byte is copied
// at most twice, however small the pieces it comes in.
// Tests: test/unit/ingress/mqtt/framer.test.ts.

import { ProtocolError } from "#base/errors.ts";
import { MQTT_PACKET_TOO_LARGE, malformed } from "./errors.ts";
import { packetName } from "./packet.ts";

const EMPTY = Buffer.alloc(0);
const SLAB_BYTES_MIN = 1024;
/** Where no packet may be longer, the second slab has room for any. */
const SLAB_ONCE_MAX = 16_384;

export class Framer {
  /** Largest packet taken, fixed header included. May be changed between packets. */
  packetBytesMax: number;
  /** From a CONNECT of 5.0 on: a length in more bytes than it needs is malformed [MQTT5-1.5.5-1]. 3.x says nothing of it. */
  refusesPaddedLengths = false;
  /** Where the current packet lies. Everything handed out since `accept` stays in place until `settle` or the next `accept`. */
  bytes: Buffer = EMPTY;
  /** First byte of the current packet: type and flags. */
  header = 0;
  packetStart = 0;
  /** Start of what follows the fixed header. */
  start = 0;
  end = 0;
  /** The length of the current packet is written in more bytes than it needs. */
  isLengthPadded = false;
  #slab = EMPTY;
  /** Unread bytes are `bytes[#at … #filled)`. */
  #at = 0;
  #filled = 0;
  /** What is left is not a whole packet. */
  #isWaiting = false;

  constructor(packetBytesMax: number) {
    this.packetBytesMax = packetBytesMax;
  }

  /** Bytes taken in and not yet handed out. */
  get unreadBytes(): number {
    return this.#filled - this.#at;
  }

  /** First byte of the packet that is being waited for; undefined when there is none yet. */
  get pendingHeader(): number | undefined {
    return this.unreadBytes === 0 ? undefined : this.bytes[this.#at];
  }

  /** Takes the next chunk, which is lent until `settle`. Usually all before it was handed out; if not, it is joined. */
  accept(chunk: Buffer): void {
    this.#isWaiting = false;
    const unread = this.unreadBytes;
    if (unread === 0) {
      this.bytes = chunk;
      this.#at = 0;
      this.#filled = chunk.length;
      return;
    }
    this.#moveToSlab(unread + chunk.length);
    this.#slab.set(chunk, this.#filled);
    this.#filled += chunk.length;
  }

  /** Moves on to the next whole packet; false when more bytes are needed. Throws on a length that is malformed or too large. */
  next(): boolean {
    const bytes = this.bytes;
    const filled = this.#filled;
    const first = this.#at;
    let at = first + 1;
    if (at < filled) {
      let remaining = bytes[at++]!;
      let isLengthPadded = false;
      if (remaining > 127) {
        remaining &= 127;
        let scale = 128;
        let byte = 128;
        while (byte > 127) {
          if (scale > 2_097_152) throw malformed("the remaining length of a packet takes more than 4 bytes");
          if (at === filled) return this.#wait();
          byte = bytes[at++]!;
          remaining += (byte & 127) * scale;
          scale *= 128;
        }
        isLengthPadded = byte === 0;
        if (isLengthPadded && this.refusesPaddedLengths)
          throw malformed("the length of a packet is written in more bytes than it needs");
      }
      const end = at + remaining;
      if (end - first > this.packetBytesMax) throw this.#tooLarge(bytes[first]!, end - first);
      if (end <= filled) {
        this.header = bytes[first]!;
        this.packetStart = first;
        this.start = at;
        this.end = end;
        this.isLengthPadded = isLengthPadded;
        this.#at = end;
        return true;
      }
    }
    return this.#wait();
  }

  /** Forgets everything. */
  clear(): void {
    this.bytes = EMPTY;
    this.#slab = EMPTY;
    this.#at = 0;
    this.#filled = 0;
    this.#isWaiting = false;
  }

  /**
   * Nobody looks any more at what was handed out, and the chunk is its owner's again: what is left is kept as a copy, a piece of a
   * packet or, while nothing may be read, whole ones. Not earlier: batches point into these bytes, and the copy may land on them.
   */
  settle(): void {
    if (this.unreadBytes === 0) this.clear();
    else if (this.#isWaiting || this.bytes !== this.#slab) this.#moveToSlab(this.unreadBytes);
  }

  #wait(): false {
    this.#isWaiting = true;
    return false;
  }

  /** Brings the unread bytes to the front of a slab with room for `capacity` bytes. */
  #moveToSlab(capacity: number): void {
    const unread = this.unreadBytes;
    const isInSlab = this.bytes === this.#slab;
    if (isInSlab && this.#at === 0 && capacity <= this.#slab.length) return;
    if (capacity > this.#slab.length) {
      const wider = Buffer.allocUnsafeSlow(this.#slabBytes(capacity));
      this.bytes.copy(wider, 0, this.#at, this.#filled);
      this.#slab = wider;
    } else if (isInSlab) this.#slab.copyWithin(0, this.#at, this.#filled);
    else this.bytes.copy(this.#slab, 0, this.#at, this.#filled);
    this.bytes = this.#slab;
    this.#at = 0;
    this.#filled = unread;
  }

  /** A stranger's slab is made once: by doubling it would leave as much behind again for the collector. */
  #slabBytes(capacity: number): number {
    if (capacity <= SLAB_BYTES_MIN) return SLAB_BYTES_MIN;
    return this.packetBytesMax <= SLAB_ONCE_MAX ? Math.max(capacity, this.packetBytesMax) : 2 ** Math.ceil(Math.log2(capacity));
  }

  #tooLarge(header: number, found: number): ProtocolError {
    const words = `a ${packetName(header >> 4)} announces ${found} bytes, the limit is ${this.packetBytesMax}`;
    return new ProtocolError(MQTT_PACKET_TOO_LARGE, words);
  }
}
