// WebSocket frames on their way to a hub: binary, masked (RFC 6455 §5.3), many in one buffer, one write. And the headers of frames on
// their way to a client, whose payload goes out as it is.
//
// A copy is needed anyway, since the bytes are not ours to change; the mask is laid over it by words of four bytes, for which
// the payload begins at a multiple of four.

import { OPCODE } from "./web-socket-reader.ts";

/**
 * Payload of one frame at most. Hubs limit a message, which for us is a frame, to 8 times their max_payload (spec §8.2): this
 * passes down to a max_payload of 4 KiB.
 */
export const SENT_FRAME_BYTES_MAX = 32 * 1024;

const MASK_BYTES = 4;
const FIN = 0x80;
const RSV1 = 0x40;
const MASKED = 0x80;

/** Number of frames that `payload` needs, and so of masks. */
export function frameCount(payloadBytes: number): number {
  return Math.ceil(payloadBytes / SENT_FRAME_BYTES_MAX);
}

/** `payload` in binary frames, one behind the other; `masks` has four unpredictable bytes for each. */
export function encodeFrames(payload: Buffer, masks: Buffer): Buffer {
  const frames = frameCount(payload.length);
  if (frames === 1) return encodeFrame(OPCODE.binary, payload, masks);
  const target = Buffer.allocUnsafeSlow(frames * 8 + payload.length);
  let to = 0;
  for (let i = 0; i < frames; i++) {
    const part = payload.subarray(i * SENT_FRAME_BYTES_MAX, (i + 1) * SENT_FRAME_BYTES_MAX);
    const mask = masks.subarray(i * MASK_BYTES, (i + 1) * MASK_BYTES);
    if (part.length < 126) {
      const last = encodeFrame(OPCODE.binary, part, mask); // its header is shorter, and would put the words out of step
      last.copy(target, to);
      return target.subarray(0, to + last.length);
    }
    writeHeader(target, to, FIN | OPCODE.binary, part.length, mask);
    part.copy(target, to + 8);
    applyMask(target, to + 8, part.length);
    to += 8 + part.length;
  }
  return target;
}

/** One frame. `isDeflated`: the payload is a message compressed as RFC 7692 says. At most 65,535 bytes. */
export function encodeFrame(opcode: number, payload: Buffer, mask: Buffer, isDeflated = false): Buffer {
  const headerBytes = payload.length < 126 ? 6 : 8;
  const skipped = 8 - headerBytes;
  const target = Buffer.allocUnsafeSlow(8 + payload.length);
  writeHeader(target, skipped, FIN | (isDeflated ? RSV1 : 0) | opcode, payload.length, mask);
  payload.copy(target, 8);
  applyMask(target, 8, payload.length);
  return target.subarray(skipped);
}

/** What stands before the payload of a server's frame: not masked. */
export function serverFrameHeader(opcode: number, payloadBytes: number): Buffer {
  if (payloadBytes < 126) return Buffer.of(FIN | opcode, payloadBytes);
  if (payloadBytes <= 0xffff) return Buffer.of(FIN | opcode, 126, payloadBytes >> 8, payloadBytes & 0xff);
  const header = Buffer.alloc(10);
  header[0] = FIN | opcode;
  header[1] = 127;
  header.writeUIntBE(payloadBytes, 4, 6);
  return header;
}

/** A close frame; the hub repeats the code. */
export function encodeClose(code: number, mask: Buffer): Buffer {
  return encodeFrame(OPCODE.close, Buffer.from([code >> 8, code & 0xff]), mask);
}

function writeHeader(target: Buffer, at: number, first: number, payloadBytes: number, mask: Buffer): void {
  target[at] = first;
  if (payloadBytes < 126) target[at + 1] = MASKED | payloadBytes;
  else {
    target[at + 1] = MASKED | 126;
    target.writeUInt16BE(payloadBytes, at + 2);
  }
  mask.copy(target, at + (payloadBytes < 126 ? 2 : 4), 0, MASK_BYTES);
}

/** Over `count` bytes from `from`, a multiple of four, with the mask that stands before them. */
function applyMask(target: Buffer, from: number, count: number): void {
  const words = new Int32Array(target.buffer, target.byteOffset + from - MASK_BYTES, 1 + (count >> 2));
  const mask = words[0]!;
  for (let i = 1; i < words.length; i++) words[i] = words[i]! ^ mask;
  for (let at = from + (count & ~3); at < from + count; at++) target[at] = target[at]! ^ target[from - MASK_BYTES + (at & 3)]!;
}
