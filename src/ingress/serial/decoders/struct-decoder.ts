// A frame of binary numbers, each at its place. A frame that is shorter than its layout is a fault; what lies behind the layout is ignored.

import type { DecodeOptions, StructFieldOptions } from "../decode-options.ts";
import type { Decoder } from "../decoder.ts";
import type { ReadingWriter } from "../reading.ts";
import { bytesOfNumber, type NumberForm, numberJson } from "./binary-number.ts";
import type { Field } from "./field.ts";
import { Scaling } from "./scaling.ts";
import { type Place, placeFields } from "./struct-plan.ts";

type StructOptions = DecodeOptions & { readonly type: "struct" };

interface Step {
  readonly field: Field;
  toJson(bytes: Buffer, start: number, end: number): string;
}

export class StructDecoder implements Decoder {
  readonly #writer: ReadingWriter;
  readonly #steps: readonly Step[];
  readonly #layout: readonly Field[];
  /** A frame has at least so many. */
  readonly #bytesMin: number;

  constructor(options: StructOptions, writer: ReadingWriter) {
    this.#writer = writer;
    const places = placeFields(options.layout);
    this.#steps = options.layout.map((field, i) => makeStep(field, places[i]!, options));
    this.#layout = this.#steps.map((step) => step.field);
    this.#bytesMin = Math.max(...places.map(({ at, bytes }) => at + (Number.isNaN(bytes) ? 0 : bytes)));
  }

  decode(bytes: Buffer, start: number, end: number): string | undefined {
    if (end - start < this.#bytesMin) return `${end - start} bytes, the layout has ${this.#bytesMin}`;
    this.#writer.begin(this.#layout);
    for (const { field, toJson } of this.#steps) this.#writer.add(field, toJson(bytes, start, end));
    return this.#writer.end();
  }

  showsItsBeginning(): boolean {
    return false;
  }

  reset(): void {
    // nothing is learnt
  }
}

function makeStep(options: StructFieldOptions, { at, bytes: size }: Place, { endian, bigIntegers }: StructOptions): Step {
  const { name, type, unit, scale, add } = options;
  const field: Field = { name, unit, scale, add };
  const isLittle = (options.endian ?? endian) === "little";
  const scaling = new Scaling(scale, add);
  switch (type) {
    case "bool":
    case "bits": {
      const bytesOfWord = bytesOfNumber(options.of);
      const count = type === "bool" ? 1 : options.count;
      const mask = 2 ** count - 1;
      const read = (bytes: Buffer, start: number): number => {
        const word = isLittle ? bytes.readUIntLE(start + at, bytesOfWord) : bytes.readUIntBE(start + at, bytesOfWord);
        return ((word >>> options.bit) & mask) >>> 0;
      };
      if (type === "bool") return { field, toJson: (bytes, start) => (read(bytes, start) === 1 ? "true" : "false") };
      return { field, toJson: (bytes, start) => scaling.ofInteger(read(bytes, start)) };
    }
    case "ascii":
      return { field, toJson: (bytes, start, end) => asciiJson(bytes, start + at, Number.isNaN(size) ? end : start + at + size) };
    case "hex":
      return {
        field,
        toJson: (bytes, start, end) => `"${bytes.toString("hex", start + at, Number.isNaN(size) ? end : start + at + size)}"`,
      };
    default: {
      const form: NumberForm = { type, isLittle, scaling, bigIntegers };
      return { field, toJson: (bytes, start) => numberJson(bytes, start + at, form) };
    }
  }
}

/** Up to the first zero, without blanks at the end. Bytes that are no ASCII come out as Latin-1 has them. */
export function asciiJson(bytes: Buffer, start: number, end: number): string {
  const zero = bytes.subarray(start, end).indexOf(0);
  return JSON.stringify(bytes.latin1Slice(start, zero === -1 ? end : start + zero).trimEnd());
}
