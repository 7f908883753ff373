// Walks the fields of one whole packet and checks what mqtt-packet lets pass: lengths that overrun, text that is not UTF-8,
// U+0000, numbers in a longer form than they need, bytes left over.

import { malformed, protocolError } from "./errors.ts";
import { textFault } from "./text.ts";

export class FieldReader {
  readonly bytes: Buffer;
  readonly packet: string;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start: number, end: number, packet: string) {
    this.bytes = bytes;
    this.packet = packet;
    this.#at = start;
    this.#end = end;
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  byte(field: string): number {
    this.#need(1, field);
    return this.bytes[this.#at++]!;
  }

  word(field: string): number {
    this.#need(2, field);
    this.#at += 2;
    return this.bytes.readUInt16BE(this.#at - 2);
  }

  /** A packet identifier: never 0 [MQTT-2.3.1-1, MQTT5-2.2.1-3]. */
  packetId(): number {
    const id = this.word("packet identifier");
    if (id === 0) throw protocolError(`a ${this.packet} has packet identifier 0`);
    return id;
  }

  /** A variable byte integer, in as few bytes as it needs [MQTT5-1.5.5-1]. */
  varint(field: string): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (scale > 2_097_152) throw malformed(`the ${field} of a ${this.packet} takes more than 4 bytes`);
      const byte = this.byte(field);
      value += (byte & 127) * scale;
      if (byte > 127) continue;
      if (byte === 0 && scale > 1) throw malformed(`the ${field} of a ${this.packet} is written in more bytes than it needs`);
      return value;
    }
  }

  /** Steps over the property section; returns where the properties themselves begin. */
  properties(field = "properties"): { readonly start: number; readonly end: number } {
    const length = this.varint(`length of the ${field}`);
    this.#need(length, field);
    const start = this.#at;
    this.#at += length;
    return { start, end: this.#at };
  }

  /** A view, borrowed like the packet. */
  binary(field: string): Buffer {
    const length = this.word(field);
    this.#need(length, field);
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  /** A UTF-8 string [MQTT-1.5.3-1, MQTT-1.5.3-2; MQTT5-1.5.4-1, MQTT5-1.5.4-2], in latin1 form. */
  text(field: string): string {
    const start = this.#passText(field);
    return this.bytes.latin1Slice(start, this.#at);
  }

  /** The same as the characters it stands for. */
  name(field: string): string {
    const start = this.#passText(field);
    return this.bytes.utf8Slice(start, this.#at);
  }

  finish(): void {
    if (this.isAtEnd) return;
    throw malformed(`a ${this.packet} goes on for ${this.#end - this.#at} bytes after its last field`);
  }

  /** Where it begins, behind its length. */
  #passText(field: string): number {
    const length = this.word(field);
    this.#need(length, field);
    const start = this.#at;
    this.#at += length;
    const fault = textFault(this.bytes, start, this.#at);
    if (fault !== undefined) throw malformed(`the ${field} of a ${this.packet} ${fault}`);
    return start;
  }

  #need(bytes: number, field: string): void {
    if (this.#at + bytes <= this.#end) return;
    throw malformed(`a ${this.packet} ends within its ${field}: ${bytes} bytes wanted, ${this.#end - this.#at} left`);
  }
}
