// What a peer sends in WebSocket frames, cut into payload and control frames: a hub's, or a client's, which are masked. Payload passes through as it arrives: a hub puts
// everything it has gathered into one frame, of any length (spec §8.2), and neither our memory nor the time until its first
// byte counts as a sign of life may depend on that length.
//
//   ├─ 82 7E 04 00 │ payload~     payload goes on at once, what is missing follows with the next chunk
//   ├─ 89 02 │ hi ─┤              a control frame is short, and kept until it is whole
//
// Knows no socket. A breach throws a ProtocolError; the reader is dead from then on. Source: RFC 6455 §§5, 7; RFC 7692 §6.
// Tests: test/wire/web-socket.test.ts

import { ProtocolError } from "#base/errors.ts";

export const WIRE_BAD_FRAME = "WIRE_BAD_FRAME";

/** Longest frame a hub may announce. Nothing is reserved for it: the limit only tells garbage from frames. */
export const FRAME_BYTES_MAX = 1024 * 1024 * 1024;

const CONTROL_BYTES_MAX = 125;
const HEADER_BYTES_MAX = 14;
const MASK_BYTES = 4;
const FIN = 0x80;
const RSV1 = 0x40;
const RSV2_RSV3 = 0x30;
const MASKED = 0x80;

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameHandler {
  /** Bytes of a message, a part of the chunk at hand, which has been unmasked in place. */
  onPayload(bytes: Buffer, isDeflated: boolean): void;
  /** A deflated message is complete. */
  onDeflatedEnd(): void;
  onPing(payload: Buffer): void;
  /** `code` is 1005 where the hub gave none. Nothing is handed on after it. */
  onClose(code: number, reason: string): void;
}

export class WebSocketReader {
  readonly #handler: FrameHandler;
  readonly #isDeflateAgreed: boolean;
  /** A client must mask, a hub must not (RFC 6455 §5.1). */
  readonly #isMasked: boolean;
  readonly #mask = Buffer.alloc(MASK_BYTES);
  /** How much of the frame's payload was unmasked. */
  #unmaskedBytes = 0;
  /** The header at hand, then the payload of a control frame. */
  readonly #kept = Buffer.alloc(HEADER_BYTES_MAX + CONTROL_BYTES_MAX);
  #keptBytes = 0;
  /** Payload of the frame at hand that is still to come; 0 between frames and in control frames. */
  #left = 0;
  #isFinal = true;
  /** The message at hand, over its fragments. */
  #message: "none" | "plain" | "deflated" = "none";
  #isClosed = false;
  #offset = 0;

  /** `from`: who sends; a hub where nothing is said. */
  constructor(handler: FrameHandler, options: { readonly isDeflateAgreed: boolean; readonly from?: "hub" | "client" }) {
    this.#handler = handler;
    this.#isMasked = options.from === "client";
    this.#isDeflateAgreed = options.isDeflateAgreed;
  }

  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#isClosed) {
      const used = this.#left > 0 ? this.#readPayload(chunk, at) : this.#readHeader(chunk, at);
      at += used;
      this.#offset += used;
    }
  }

  #readPayload(chunk: Buffer, from: number): number {
    const used = Math.min(this.#left, chunk.length - from);
    this.#left -= used;
    if (this.#isMasked) this.#unmask(chunk, from, from + used);
    this.#handler.onPayload(chunk.subarray(from, from + used), this.#message === "deflated");
    if (this.#left === 0 && this.#isFinal) this.#endMessage();
    return used;
  }

  #endMessage(): void {
    const was = this.#message;
    this.#message = "none";
    if (was === "deflated") this.#handler.onDeflatedEnd();
  }

  /** Takes what the header, or a whole control frame, still lacks. */
  #readHeader(chunk: Buffer, from: number): number {
    const used = Math.min(this.#neededBytes() - this.#keptBytes, chunk.length - from);
    chunk.copy(this.#kept, this.#keptBytes, from, from + used);
    this.#keptBytes += used;
    if (this.#keptBytes === 2) this.#check();
    if (this.#keptBytes < 2 || this.#keptBytes < this.#neededBytes()) return used;
    this.#keptBytes = 0;
    if (isControl(this.#kept[0]!)) this.#onControl();
    else this.#onData();
    return used;
  }

  #neededBytes(): number {
    if (this.#keptBytes < 2) return 2;
    const length = this.#kept[1]! & ~MASKED;
    if (isControl(this.#kept[0]!)) return this.#headerBytes() + length;
    return this.#headerBytes();
  }

  #headerBytes(): number {
    const length = this.#kept[1]! & ~MASKED;
    return (length < 126 ? 2 : length === 126 ? 4 : 10) + (this.#isMasked ? MASK_BYTES : 0);
  }

  #takeMask(): void {
    const end = this.#headerBytes();
    if (this.#isMasked) this.#kept.copy(this.#mask, 0, end - MASK_BYTES, end);
    this.#unmaskedBytes = 0;
  }

  #unmask(bytes: Buffer, from: number, to: number): void {
    let place = this.#unmaskedBytes;
    for (let at = from; at < to; at++) bytes[at] = bytes[at]! ^ this.#mask[place++ & 3]!;
    this.#unmaskedBytes = place & 3;
  }

  /** Of the first two bytes, so that nothing is taken in that could not be meant. */
  #check(): void {
    const [first, second] = [this.#kept[0]!, this.#kept[1]! & ~MASKED];
    const opcode = first & 0x0f;
    if ((this.#kept[1]! & MASKED) !== (this.#isMasked ? MASKED : 0))
      this.#breach(this.#isMasked ? "a frame without a mask; a client must mask" : "a masked frame; a hub must not mask");
    if ((first & RSV2_RSV3) !== 0) this.#breach("a frame with reserved bits set");
    if (isControl(first)) {
      if (opcode > OPCODE.pong) this.#breach(`a control frame of the reserved kind ${opcode}`);
      if ((first & FIN) === 0) this.#breach("a control frame in fragments");
      if ((first & RSV1) !== 0) this.#breach("a control frame that says it is compressed");
      if (second > CONTROL_BYTES_MAX) this.#breach(`a control frame of more than ${CONTROL_BYTES_MAX} bytes`);
      return;
    }
    if (opcode === OPCODE.text) this.#breach("a text frame; wanted binary ones");
    if (opcode > OPCODE.binary) this.#breach(`a data frame of the reserved kind ${opcode}`);
    if ((opcode === OPCODE.continuation) === (this.#message === "none")) {
      this.#breach(opcode === OPCODE.continuation ? "a continuation of nothing" : "a new message before the end of the last one");
    }
    if ((first & RSV1) !== 0 && (!this.#isDeflateAgreed || opcode === OPCODE.continuation)) {
      this.#breach("a frame that says it is compressed where that was not agreed");
    }
  }

  #onData(): void {
    const [first, length] = [this.#kept[0]!, this.#kept[1]! & ~MASKED];
    this.#takeMask();
    this.#isFinal = (first & FIN) !== 0;
    if ((first & 0x0f) === OPCODE.binary) this.#message = (first & RSV1) === 0 ? "plain" : "deflated";
    if (length < 126) this.#left = length;
    else if (length === 126) this.#left = this.#kept.readUInt16BE(2);
    else {
      const announced = this.#kept.readBigUInt64BE(2);
      if (announced > BigInt(FRAME_BYTES_MAX)) this.#breach(`a frame of ${announced} bytes; the limit is ${FRAME_BYTES_MAX}`);
      this.#left = Number(announced);
    }
    if (this.#left === 0 && this.#isFinal) this.#endMessage();
  }

  #onControl(): void {
    const begin = this.#headerBytes();
    const payload = Buffer.from(this.#kept.subarray(begin, begin + (this.#kept[1]! & ~MASKED)));
    this.#takeMask();
    if (this.#isMasked) this.#unmask(payload, 0, payload.length);
    const opcode = this.#kept[0]! & 0x0f;
    if (opcode === OPCODE.ping) this.#handler.onPing(payload);
    if (opcode !== OPCODE.close) return; // a pong nobody asked for is a sign of life, no more
    if (payload.length === 1) this.#breach("a close frame of one byte");
    this.#isClosed = true;
    const reason = payload.toString("utf8", 2).replaceAll(/[\p{C}\ufffd]/gu, "·");
    this.#handler.onClose(payload.length === 0 ? 1005 : payload.readUInt16BE(0), reason);
  }

  #breach(found: string): never {
    throw new ProtocolError(WIRE_BAD_FRAME, `WebSocket: found ${found}, at byte ${this.#offset} behind the upgrade`, {
      offset: this.#offset,
    });
  }
}

function isControl(first: number): boolean {
  return (first & 0x08) !== 0;
}
