// What a frame of a port means: `serial[].decode`.
//
// The file has one flat object; what comes out is one type of decoder with exactly the keys that it has.

import type { Report } from "#base/fault.ts";
import {
  either,
  type FieldsValue,
  fields,
  flag,
  integer,
  type Loose,
  list,
  mapped,
  nullable,
  oneOf,
  optional,
  required,
  type ValueOf,
} from "#base/schema.ts";
import { text } from "#base/schema-text.ts";
import { byteText } from "./byte-text.ts";
import { groupNames, regexPattern } from "./decoders/regex-pattern.ts";
import { checkLayout } from "./decoders/struct-plan.ts";
import { checkKeysOfType } from "./keys-of-type.ts";
import { checkRegisters, registerKeys } from "./modbus/register-options.ts";
import { scalingKeys, valueName } from "./scaling-options.ts";

const COLUMNS_MAX = 256;
const LAYOUT_MAX = 1024;
const MIB = 1024 * 1024;

const cellFields = fields({
  name: required(valueName(), 'its field in subjects and JSON; csv: "-" passes the column over'),
  type: optional(
    oneOf(["auto", "number", "text"]),
    "auto",
    "auto: a number where it is written as one, else text; number: anything else is a fault",
  ),
  ...scalingKeys,
});

export type CellOptions = ValueOf<typeof cellFields>;

const cell = mapped(
  either({ text: valueName(), object: cellFields }),
  (value): CellOptions => (typeof value === "string" ? { name: value, type: "auto", scale: 1, add: 0, unit: null } : value),
);

const structField = fields({
  name: required(valueName(), "its field in subjects and JSON"),
  type: required(
    oneOf(["u8", "i8", "u16", "i16", "u24", "i24", "u32", "i32", "u64", "i64", "f32", "f64", "bool", "bits", "ascii", "hex"]),
    "what the bytes are; bool, bits: one or several bits; ascii: text up to its first zero; hex: the bytes themselves",
  ),
  offset: optional(nullable(integer(0, MIB, "bytes")), null, "where it begins in the frame; null: behind the field before"),
  endian: optional(nullable(oneOf(["big", "little"])), null, "which byte comes first; null: as decode.endian says"),
  bit: optional(integer(0, 31), 0, "bool, bits: the lowest bit, 0 is the least significant"),
  count: optional(integer(1, 32, "bits"), 1, "bits: how many"),
  of: optional(oneOf(["u8", "u16", "u32"]), "u8", "bool, bits: the number that holds them"),
  length: optional(nullable(integer(1, MIB, "bytes")), null, "ascii, hex: how long; null: to the end of the frame"),
  ...scalingKeys,
});

export type StructFieldOptions = ValueOf<typeof structField>;

const registerField = fields({
  name: required(valueName(), "its field in subjects and JSON"),
  unit_id: optional(nullable(integer(1, 247)), null, "address of the unit that has it; null: any"),
  table: optional(oneOf(["coils", "discrete", "holding", "input"]), "holding", "the table it stands in"),
  address: required(integer(0, 65_535), "its first register, counted from 0 as on the wire: 40001 in a manual is holding 0"),
  ...registerKeys,
  ...scalingKeys,
});

export type ListenedRegisterOptions = ValueOf<typeof registerField>;

export type Charset = "utf-8" | "utf-8-replace" | "ascii" | "latin1" | "windows-1252" | "utf-16le";
export type UnitsIn = "headers" | "members" | "none";

interface Measured {
  /** Where unit, scale and add of a value are told. */
  readonly unitsIn: UnitsIn;
}

export type DecodeOptions =
  | { readonly type: "raw" }
  | { readonly type: "text"; readonly charset?: Charset }
  | { readonly type: "json" }
  | ({
      readonly type: "csv";
      readonly charset: Charset;
      /** null: the header row says. */
      readonly columns: readonly CellOptions[] | null;
      readonly header: boolean;
      /** One character; " " stands for any run of blanks and tabs. */
      readonly separator: string;
      /** One character, or "" for none. */
      readonly quote: string;
      readonly decimal: "." | ",";
    } & Measured)
  | ({
      readonly type: "regex";
      readonly charset: Charset;
      readonly pattern: string;
      readonly fields: readonly CellOptions[];
      readonly decimal: "." | ",";
    } & Measured)
  | ({
      readonly type: "struct";
      readonly layout: readonly StructFieldOptions[];
      readonly endian: "big" | "little";
      readonly bigIntegers: "number" | "text";
    } & Measured)
  | ({ readonly type: "nmea"; readonly sentences: readonly string[] | null } & Measured)
  | ({ readonly type: "modbus"; readonly registers: readonly ListenedRegisterOptions[] } & Measured);

export type DecodeType = DecodeOptions["type"];

const DECODE_TYPES = ["json", "text", "raw", "csv", "regex", "struct", "nmea", "modbus"] as const satisfies readonly DecodeType[];

const KEYS = {
  raw: [],
  text: ["charset"],
  json: [],
  csv: ["charset", "columns", "header", "separator", "quote", "decimal", "units_in"],
  regex: ["charset", "pattern!", "fields", "decimal", "units_in"],
  struct: ["layout!", "endian", "big_integers", "units_in"],
  nmea: ["sentences", "units_in"],
  modbus: ["registers!", "units_in"],
} as const satisfies Readonly<Record<DecodeType, readonly string[]>>;

const decodeKeys = {
  type: optional(
    oneOf(DECODE_TYPES),
    "json",
    "json: as it stands; text, raw: one message a frame; csv: cells of a row; regex: named groups of a pattern; struct: numbers in binary; nmea: NMEA 0183 sentences; modbus: registers heard on a bus (framing modbus_rtu)",
  ),
  charset: optional(
    nullable(oneOf(["utf-8", "utf-8-replace", "ascii", "latin1", "windows-1252", "utf-16le"])),
    null,
    "text, csv, regex: how the device writes its characters; what is published is UTF-8; utf-8-replace puts U+FFFD where utf-8 would refuse the frame; null: utf-8",
  ),
  columns: optional(
    nullable(list(cell, { min: 1, max: COLUMNS_MAX, check: checkNames })),
    null,
    "csv: names of the columns, or objects with type, scale, add, unit; null: the header row names them",
  ),
  header: optional(nullable(flag()), null, "csv: does the device send a row of names; null: only if columns is null"),
  separator: optional(nullable(byteText("one character", 1)), null, 'csv: between cells; " " is any run of blanks; null: ","'),
  quote: optional(
    nullable(either({ text: byteText("one character", 1), flag: flag() })),
    null,
    "csv: around cells that hold separators; false: none; null: the double quote",
  ),
  decimal: optional(nullable(oneOf([".", ","])), null, "csv, regex: the decimal mark of numbers; null: a point"),
  pattern: optional(
    nullable(regexPattern()),
    null,
    "regex: searched in each frame, (?<name>…) makes a field; RE2 syntax: no back references, no look-around, so that it takes linear time",
  ),
  fields: optional(
    nullable(list(cellFields, { max: COLUMNS_MAX, check: checkNames })),
    null,
    "regex: type, scale, add and unit of groups that need them",
  ),
  layout: optional(
    nullable(list(structField, { min: 1, max: LAYOUT_MAX, check: checkNames })),
    null,
    "struct: the fields of a frame",
  ),
  endian: optional(nullable(oneOf(["big", "little"])), null, "struct: which byte of a number comes first; null: little"),
  big_integers: optional(
    nullable(oneOf(["number", "text"])),
    null,
    "struct: whole numbers beyond 2^53 as JSON numbers with all their digits, which some readers round, or as texts; null: number",
  ),
  sentences: optional(
    nullable(list(text("a sentence such as GGA", { pattern: "^[A-Z0-9]{3,8}$" }), { min: 1, max: 64 })),
    null,
    "nmea: sentences that are published, others are passed over; null: all",
  ),
  registers: optional(
    nullable(list(registerField, { min: 1, max: LAYOUT_MAX, check: checkListened })),
    null,
    "modbus: the registers to publish when an answer with them is heard",
  ),
  units_in: optional(
    nullable(oneOf(["headers", "members", "none"])),
    null,
    'where units are told: headers: Petiole-Unit beside the value; members: the value becomes { "value": 21.4, "unit": "°C" }; null: headers',
  ),
};

export const decodeOptions = mapped(fields(decodeKeys, checkDecode), toDecodeOptions);

type DecodeFields = FieldsValue<typeof decodeKeys>;

/** Does a frame have fields, so that a subject may hold {field}? */
export function knowsFields(type: DecodeType): boolean {
  return type !== "text" && type !== "raw";
}

function toDecodeOptions(given: DecodeFields): DecodeOptions {
  const { type } = given;
  const charset = given.charset ?? "utf-8";
  const unitsIn = given.unitsIn ?? "headers";
  const decimal = given.decimal ?? ".";
  const bigIntegers = given.bigIntegers ?? "number";
  switch (type) {
    case "raw":
    case "json":
      return { type };
    case "text":
      return { type, charset };
    case "csv": {
      const { columns } = given;
      const quote = given.quote === false ? "" : typeof given.quote === "string" ? given.quote : '"';
      return {
        type,
        charset,
        columns,
        header: given.header ?? columns === null,
        separator: given.separator ?? ",",
        quote,
        decimal,
        unitsIn,
      };
    }
    case "regex":
      return { type, charset, pattern: given.pattern!, fields: given.fields ?? [], decimal, unitsIn };
    case "struct":
      return { type, layout: given.layout!, endian: given.endian ?? "little", bigIntegers, unitsIn };
    case "nmea":
      return { type, sentences: given.sentences, unitsIn };
    case "modbus":
      return { type, registers: given.registers!, unitsIn };
  }
}

function checkNames(items: readonly (undefined | { readonly name?: string | undefined })[], report: Report): void {
  const seen = new Set<string>();
  for (const [i, item] of items.entries()) {
    const name = item?.name;
    if (name === undefined || name === "-") continue;
    if (seen.has(name)) {
      report.fault([i, "name"], { wanted: "a name of its own", found: `"${name}" again`, remedy: "rename one of the two" });
    }
    seen.add(name);
  }
}

function checkGroups(
  pattern: string,
  cells: readonly (undefined | { readonly name?: string | undefined })[],
  report: Report,
): void {
  const groups = groupNames(pattern);
  for (const [i, item] of cells.entries()) {
    if (item?.name === undefined || groups.includes(item.name)) continue;
    report.fault(["fields", i, "name"], {
      wanted: `a group of the pattern (${groups.join(", ")})`,
      found: JSON.stringify(item.name),
      remedy: "mend the name, or name the group so",
    });
  }
}

function checkDecode(decode: NonNullable<Loose<DecodeFields>>, report: Report): void {
  checkKeysOfType(decode, KEYS, report);
  const { type, columns, header, layout, pattern, separator, quote, decimal } = decode;
  if (type === "csv" && columns === null && header === false) {
    report.fault(["columns"], { wanted: "names for the columns", found: "null", remedy: "name them, or let header be true" });
  }
  if (type === "csv" && decimal === "," && (separator ?? ",") === ",") {
    report.fault(["separator"], {
      wanted: "another than the decimal mark",
      found: '","',
      remedy: 'such devices often write ";"',
    });
  }
  if (type === "csv" && separator !== undefined && (separator ?? ",") === (quote ?? '"')) {
    report.fault(["quote"], { wanted: "another than the separator", found: "the same", remedy: "choose another, or false" });
  }
  if (type === "regex" && typeof pattern === "string") checkGroups(pattern, decode.fields ?? [], report);
  if (type === "struct" && layout !== undefined && layout !== null) checkLayout(layout, report);
}

function checkListened(registers: readonly Loose<ListenedRegisterOptions>[], report: Report): void {
  for (const [i, register] of registers.entries()) {
    const isBits = register?.table === "coils" || register?.table === "discrete";
    checkRegisters([register], isBits, ([, ...at], fault) => report.fault([i, ...at], fault));
  }
}
