// One frame, one message: as text (published as UTF-8, whatever the device writes) or raw.

import type { Charset } from "../decode-options.ts";
import type { Decoder, Emit } from "../decoder.ts";
import { type CharacterReader, characterReader, notIn } from "./character-reader.ts";

export class FrameTextDecoder implements Decoder {
  readonly #charset: Charset;
  readonly #read: CharacterReader;
  readonly #subject: string;
  readonly #emit: Emit;

  constructor(charset: Charset, subject: string, emit: Emit) {
    this.#charset = charset;
    this.#read = characterReader(charset);
    this.#subject = subject;
    this.#emit = emit;
  }

  decode(bytes: Buffer, start: number, end: number): string | undefined {
    const text = this.#read(bytes, start, end);
    if (text === undefined) return notIn(this.#charset);
    if (this.#charset === "utf-8" || this.#charset === "ascii") {
      this.#emit(this.#subject, bytes, start, end, undefined);
    } else {
      const utf8 = Buffer.from(text);
      this.#emit(this.#subject, utf8, 0, utf8.length, undefined);
    }
    return undefined;
  }

  showsItsBeginning(): boolean {
    return false;
  }

  reset(): void {
    // nothing is learnt
  }
}

export class RawDecoder implements Decoder {
  readonly #subject: string;
  readonly #emit: Emit;

  constructor(subject: string, emit: Emit) {
    this.#subject = subject;
    this.#emit = emit;
  }

  decode(bytes: Buffer, start: number, end: number): undefined {
    this.#emit(this.#subject, bytes, start, end, undefined);
    return undefined;
  }

  showsItsBeginning(): boolean {
    return false;
  }

  reset(): void {
    // nothing is learnt
  }
}
