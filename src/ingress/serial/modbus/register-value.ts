// One value among the registers of an answer, as JSON text.
//
//   u32, words big:     │ 00 01 │ 86 a0 │ → 100000          words little:  │ 86 a0 │ 00 01 │ → 100000
//   bytes little turns every register around before that.

import { Scaling } from "../decoders/scaling.ts";
import type { ModbusRegisterOptions } from "./options.ts";
import { wordsOf } from "./register-options.ts";

export class RegisterValue {
  readonly #options: ModbusRegisterOptions;
  readonly #scaling: Scaling;
  readonly #words: number;
  readonly #bytes: Buffer;

  constructor(options: ModbusRegisterOptions) {
    this.#options = options;
    this.#scaling = new Scaling(options.scale, options.add);
    this.#words = wordsOf(options.type, options.length);
    this.#bytes = Buffer.alloc(this.#words * 2);
  }

  /** Of coils and discrete inputs: true or false. */
  ofBits(data: Buffer): string {
    const { offset } = this.#options;
    return (data[offset >>> 3]! >>> (offset & 7)) & 1 ? "true" : "false";
  }

  ofWords(data: Buffer): string {
    this.#order(data);
    const { type, bit } = this.#options;
    const bytes = this.#bytes;
    switch (type) {
      case "u16":
        return this.#scaling.ofInteger(bytes.readUInt16BE());
      case "i16":
        return this.#scaling.ofInteger(bytes.readInt16BE());
      case "u32":
        return this.#scaling.ofInteger(bytes.readUInt32BE());
      case "i32":
        return this.#scaling.ofInteger(bytes.readInt32BE());
      case "u64":
        return this.#scaling.ofBigInt(bytes.readBigUInt64BE());
      case "i64":
        return this.#scaling.ofBigInt(bytes.readBigInt64BE());
      case "f32":
        return this.#scaling.ofSingle(bytes.readFloatBE());
      case "f64":
        return this.#scaling.ofDouble(bytes.readDoubleBE());
      case "bit":
        return (bytes.readUInt16BE() >>> (bit ?? 0)) & 1 ? "true" : "false";
      case "bits":
        return `[${Array.from({ length: 16 }, (_, i) => (bytes.readUInt16BE() >>> i) & 1).join(",")}]`;
      case "text":
        return JSON.stringify(textOf(bytes));
    }
  }

  /** Brings the value's registers into the order in which the highest byte comes first. */
  #order(data: Buffer): void {
    const { offset, words, bytes, type } = this.#options;
    const isTurned = words === "little" && type !== "text";
    for (let i = 0; i < this.#words; i++) {
      const from = (offset + (isTurned ? this.#words - 1 - i : i)) * 2;
      this.#bytes[i * 2] = data[bytes === "big" ? from : from + 1]!;
      this.#bytes[i * 2 + 1] = data[bytes === "big" ? from + 1 : from]!;
    }
  }
}

/** Up to the first zero, without the blanks that fill it. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end).trimEnd();
}
