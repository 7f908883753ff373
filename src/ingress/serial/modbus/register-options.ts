// What a value in the registers of a unit is, be it asked for (options.ts) or overheard (../decode-options.ts).

import type { Report } from "#base/fault.ts";
import { type FieldsValue, integer, nullable, oneOf, optional } from "#base/schema.ts";

/** One question reads so many at most, and no value fills more. Source: Modbus Application Protocol V1.1b3, 6.3. */
export const REGISTERS_MAX = 125;

export const registerKeys = {
  type: optional(
    oneOf(["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bit", "bits", "text"]),
    "u16",
    "what it is; coils and discrete inputs are bits whatever stands here",
  ),
  words: optional(oneOf(["big", "little"]), "big", "which 16-bit word of a larger number comes first"),
  bytes: optional(oneOf(["big", "little"]), "big", "which byte of a register comes first; little is rare"),
  bit: optional(nullable(integer(0, 15)), null, "bit: which bit of the register, 0 is the lowest"),
  length: optional(integer(1, REGISTERS_MAX, "registers"), 1, "text: registers it fills"),
};

type RegisterType = FieldsValue<typeof registerKeys>["type"];

interface RegisterForm {
  readonly name?: string | undefined;
  readonly type?: RegisterType | undefined;
  readonly bit?: number | null | undefined;
  readonly length?: number | undefined;
  readonly scale?: number | undefined;
  readonly add?: number | undefined;
}

/** Keys that would do nothing, and, where `isOfBits`, everything that a coil does not have. */
export function checkRegisters(
  registers: readonly (RegisterForm | undefined)[],
  isOfBits: boolean,
  fault: Report["fault"],
): void {
  for (const [i, register] of registers.entries()) {
    const { type, bit = null, length = 1, scale = 1, add = 0 } = register ?? {};
    if (type === undefined) continue;
    const isNumber = !isOfBits && type !== "text" && type !== "bit" && type !== "bits";
    const stray = [
      ["bit", bit !== null && (isOfBits || type !== "bit")],
      ["length", length !== 1 && (isOfBits || type !== "text")],
      ["scale", scale !== 1 && !isNumber],
      ["add", add !== 0 && !isNumber],
    ] as const;
    for (const [key, isStray] of stray) {
      if (!isStray) continue;
      const what = isOfBits ? "coils and discrete inputs" : `type "${type}"`;
      fault([i, key], { wanted: `no ${key} with ${what}`, found: "one", remedy: "take it out: it would do nothing" });
    }
    if (type === "bit" && !isOfBits && bit === null)
      fault([i, "bit"], { wanted: 'a bit with type "bit"', found: "none", remedy: "say which of 0 to 15, 0 is the lowest" });
  }
}

/** Registers that a value of this type fills. */
export function wordsOf(type: RegisterType, length: number): number {
  if (type === "text") return length;
  return type.endsWith("64") ? 4 : type.endsWith("32") ? 2 : 1;
}
