// Where the fields of a binary layout lie, and what is wrong with one that cannot be.
//
// A field without an offset begins behind the one before. Bits share the number that holds them with the bits before, as long as they lie
// higher in it:
//
//   { a: bits of u8, bit 0, count 4 }, { b: bits of u8, bit 4, count 4 }, { c: u16 }   ─▶   a, b at 0, c at 1

import type { Report } from "#base/fault.ts";
import { bytesOfNumber, type NumberType } from "./binary-number.ts";

/** What a place depends on. */
export interface PlacedField {
  readonly type: NumberType | "bool" | "bits" | "ascii" | "hex";
  readonly offset: number | null;
  readonly bit: number;
  readonly count: number;
  readonly of: "u8" | "u16" | "u32";
  readonly length: number | null;
}

export interface Place {
  readonly at: number;
  /** NaN: to the end of the frame. */
  readonly bytes: number;
}

/** One place for each field, in their order; NaN offsets where a field follows one that goes to the end. */
export function placeFields(layout: readonly PlacedField[]): readonly Place[] {
  const places: Place[] = [];
  let next = 0;
  /** The bits field before, and the bit behind its last. */
  let shared: { readonly at: number; readonly of: string; readonly bit: number } | undefined;
  for (const field of layout) {
    const bytes = bytesOf(field);
    const isBits = field.type === "bits" || field.type === "bool";
    const mayShare = isBits && shared?.of === field.of && field.bit >= shared.bit;
    const at = field.offset ?? (mayShare ? shared!.at : next);
    places.push({ at, bytes });
    next = at + bytes;
    shared = isBits ? { at, of: field.of, bit: field.bit + (field.type === "bool" ? 1 : field.count) } : undefined;
  }
  return places;
}

function bytesOf(field: PlacedField): number {
  switch (field.type) {
    case "ascii":
    case "hex":
      return field.length ?? Number.NaN;
    case "bool":
    case "bits":
      return bytesOfNumber(field.of);
    default:
      return bytesOfNumber(field.type);
  }
}

type LooseField = undefined | { readonly [K in keyof CheckedField]?: CheckedField[K] | undefined };

interface CheckedField extends PlacedField {
  readonly scale: number;
  readonly add: number;
}

/** For the settings: what decoded of a layout. */
export function checkLayout(layout: readonly LooseField[], report: Report): void {
  let isOpenEnded = false;
  for (const [i, field] of layout.entries()) {
    const { type, of = "u8", bit = 0, count = 1, offset, length, scale = 1, add = 0 } = field ?? {};
    if (type === undefined) continue;
    const isText = type === "ascii" || type === "hex";
    const stray = strayBits(type, { bit, count, of });
    if (stray !== undefined) {
      const found = `${stray} with ${type}`;
      report.fault(["layout", i, stray], { wanted: "it with bits alone", found, remedy: 'take it out, or let type be "bits"' });
    }
    if (isOpenEnded && offset === null) {
      report.fault(["layout", i, "offset"], {
        wanted: "where the field begins",
        found: "null",
        remedy: "the field before goes to the end of the frame; give that one a length, or this one an offset",
      });
    }
    isOpenEnded = isText && length === null;
    if (!isText && typeof length === "number") {
      report.fault(["layout", i, "length"], {
        wanted: `no length for ${type}`,
        found: String(length),
        remedy: "take it out; only ascii and hex have one",
      });
    }
    if ((isText || type === "bool") && (scale !== 1 || add !== 0)) {
      const key = scale === 1 ? "add" : "scale";
      report.fault(["layout", i, key], { wanted: `none for ${type}`, found: "one", remedy: "only numbers can be scaled" });
    }
    const bits = type === "bits" ? bit + count : type === "bool" ? bit + 1 : 0;
    if (bits > 8 * bytesOfNumber(of)) {
      report.fault(["layout", i, "bit"], {
        wanted: `bits within ${of}`,
        found: `up to bit ${bits - 1}`,
        remedy: "choose a wider number for of, or mend bit and count",
      });
    }
  }
}

/** A key that does nothing for this type. */
function strayBits(type: PlacedField["type"], { bit, count, of }: Pick<PlacedField, "bit" | "count" | "of">): string | undefined {
  if (type === "bits") return undefined;
  if (count !== 1) return "count";
  if (type === "bool") return undefined;
  return bit !== 0 ? "bit" : of !== "u8" ? "of" : undefined;
}
