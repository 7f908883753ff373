// Property sections of the packets we answer with, made one by one into a buffer of their own. Cold: nothing here is per message.

import { writeVarint } from "./packet.ts";
import {
  MAXIMUM_PACKET_SIZE,
  MESSAGE_EXPIRY_INTERVAL,
  RECEIVE_MAXIMUM,
  SERVER_KEEP_ALIVE,
  SESSION_EXPIRY_INTERVAL,
  TOPIC_ALIAS_MAXIMUM,
  USER_PROPERTY,
} from "./property-table.ts";

const TEXT_BYTES_MAX = 65_535;

export class PropertyBytes {
  readonly #parts: Buffer[] = [];

  number(id: number, value: number): this {
    const part = Buffer.alloc(6);
    part[0] = id;
    this.#parts.push(part.subarray(0, writeNumber(part, id, value)));
    return this;
  }

  /** Cut to what a string may have, at a character's edge. */
  text(id: number, text: string): this {
    this.#parts.push(Buffer.from([id]), sized(text));
    return this;
  }

  user(name: string, value: string): this {
    this.#parts.push(Buffer.from([USER_PROPERTY]), sized(name), sized(value));
    return this;
  }

  /** With the section's length in front. */
  finish(): Buffer {
    const content = Buffer.concat(this.#parts);
    const length = Buffer.alloc(4);
    return Buffer.concat([length.subarray(0, writeVarint(length, 0, content.length)), content]);
  }
}

function writeNumber(part: Buffer, id: number, value: number): number {
  switch (id) {
    case SESSION_EXPIRY_INTERVAL:
    case MESSAGE_EXPIRY_INTERVAL:
    case MAXIMUM_PACKET_SIZE:
      return part.writeUInt32BE(value, 1);
    case RECEIVE_MAXIMUM:
    case TOPIC_ALIAS_MAXIMUM:
    case SERVER_KEEP_ALIVE:
      return part.writeUInt16BE(value, 1);
    default:
      return part.writeUInt8(value, 1);
  }
}

function sized(text: string): Buffer {
  const bytes = Buffer.alloc(Math.min(TEXT_BYTES_MAX, Buffer.byteLength(text)) + 2);
  const written = bytes.write(text.replaceAll("\0", ""), 2);
  bytes.writeUInt16BE(written, 0);
  return bytes.subarray(0, written + 2);
}
