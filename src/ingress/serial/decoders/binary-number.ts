// Numbers in binary, as JSON texts. A 64-bit number keeps all its digits: beyond 2^53 it is a JSON number that many readers round, or,
// if the settings say so, a text.

import type { Scaling } from "./scaling.ts";

export type NumberType = "u8" | "i8" | "u16" | "i16" | "u24" | "i24" | "u32" | "i32" | "u64" | "i64" | "f32" | "f64";

export function bytesOfNumber(type: NumberType): number {
  return Number(type.slice(1)) / 8;
}

/** How a number lies in its bytes, and what becomes of it. */
export interface NumberForm {
  readonly type: NumberType;
  readonly isLittle: boolean;
  readonly scaling: Scaling;
  readonly bigIntegers: "number" | "text";
}

/** The number at `at` as JSON; its bytes must be there. */
export function numberJson(bytes: Buffer, at: number, form: NumberForm): string {
  const { type, isLittle, scaling } = form;
  switch (type) {
    case "f32":
      return scaling.ofSingle(isLittle ? bytes.readFloatLE(at) : bytes.readFloatBE(at));
    case "f64":
      return scaling.ofDouble(isLittle ? bytes.readDoubleLE(at) : bytes.readDoubleBE(at));
    case "u64":
      return bigJson(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at), form);
    case "i64":
      return bigJson(isLittle ? bytes.readBigInt64LE(at) : bytes.readBigInt64BE(at), form);
    default: {
      const size = bytesOfNumber(type);
      const isSigned = type.startsWith("i");
      if (isLittle) return scaling.ofInteger(isSigned ? bytes.readIntLE(at, size) : bytes.readUIntLE(at, size));
      return scaling.ofInteger(isSigned ? bytes.readIntBE(at, size) : bytes.readUIntBE(at, size));
    }
  }
}

function bigJson(count: bigint, { scaling, bigIntegers }: NumberForm): string {
  const number = Number(count);
  if (Number.isSafeInteger(number)) return scaling.ofInteger(number);
  const json = scaling.ofBigInt(count);
  return bigIntegers === "text" ? `"${json}"` : json;
}
