// Walks the fields of one whole packet and checks what mqtt-packet lets pass: lengths that overrun, text that is not UTF-8,
// U+0000, bytes left over. It gives no values away but numbers; the library reads those (control-packets.ts).

import { isUtf8 } from "node:buffer";
import { malformed } from "./errors.ts";

export class FieldReader {
  readonly #bytes: Buffer;
  readonly #packet: string;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start: number, end: number, packet: string) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#packet = packet;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  byte(field: string): number {
    this.#need(1, field);
    return this.#bytes[this.#at++]!;
  }

  word(field: string): number {
    this.#need(2, field);
    this.#at += 2;
    return this.#bytes.readUInt16BE(this.#at - 2);
  }

  /** A packet identifier: never 0 [MQTT-2.3.1-1]. */
  packetId(): number {
    const id = this.word("packet identifier");
    if (id === 0) throw malformed(`a ${this.#packet} has packet identifier 0`);
    return id;
  }

  binary(field: string): Buffer {
    const length = this.word(field);
    this.#need(length, field);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A UTF-8 string [MQTT-1.5.3-1, MQTT-1.5.3-2], in latin1 form. */
  text(field: string): string {
    const bytes = this.binary(field);
    if (!isUtf8(bytes)) throw malformed(`the ${field} of a ${this.#packet} is not well-formed UTF-8`);
    if (bytes.includes(0)) throw malformed(`the ${field} of a ${this.#packet} contains the character U+0000`);
    return bytes.toString("latin1");
  }

  finish(): void {
    if (this.isAtEnd) return;
    throw malformed(`a ${this.#packet} goes on for ${this.#end - this.#at} bytes after its last field`);
  }

  #need(bytes: number, field: string): void {
    if (this.#at + bytes <= this.#end) return;
    throw malformed(`a ${this.#packet} ends within its ${field}: ${bytes} bytes wanted, ${this.#end - this.#at} left`);
  }
}
