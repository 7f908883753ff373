// How the bytes of a port are cut into frames: `serial[].framing`.
//
// The file has one flat object; what comes out is one type of framing with exactly the keys that it has.

import type { Millis } from "#base/clock.ts";
import type { Report } from "#base/fault.ts";
import {
  duration,
  type FieldsValue,
  fields,
  flag,
  integer,
  type Loose,
  mapped,
  nullable,
  oneOf,
  optional,
  size,
} from "#base/schema.ts";
import { byteText } from "./byte-text.ts";
import { CHECKSUM_NAMES, Checksum, type ChecksumOptions, usualEndian } from "./framers/checksum.ts";
import { checkKeysOfType } from "./keys-of-type.ts";

const MARK_BYTES_MAX = 16;
const MIB = 1024 * 1024;

/** Silence after which a frame that knows its own length counts as torn. */
const TORN_AFTER_MS: Millis = 250;

/** `checked`: a checksum at the end of each frame, for those types that have none of their own. */
export type FramingOptions = Cutting & { readonly checked?: ChecksumOptions };

type Cutting =
  | { readonly type: "line" | "cobs" | "slip"; readonly maxFrame: number }
  | { readonly type: "delimiter"; readonly maxFrame: number; readonly delimiter: string }
  | {
      readonly type: "fixed";
      readonly maxFrame: number;
      readonly length: number;
      /** Bytes a frame begins with; "": none. Bytes in a string (latin1), as all marks here. */
      readonly start: string;
      /** 0: silence means nothing. */
      readonly gap: Millis;
    }
  | {
      readonly type: "length_prefix";
      readonly maxFrame: number;
      readonly start: string;
      readonly gap: Millis;
      readonly headerOffset: number;
      readonly lengthBytes: 1 | 2 | 4;
      readonly endian: "big" | "little";
      readonly lengthIncludesHeader: boolean;
      readonly lengthAdd: number;
    }
  | { readonly type: "start_end"; readonly maxFrame: number; readonly start: string; readonly end: string }
  /** `gap` null: as the baud rate has it. */
  | { readonly type: "idle_gap"; readonly maxFrame: number; readonly gap: Millis | null }
  | { readonly type: "nmea"; readonly maxFrame: number; readonly checksum: "required" | "optional" }
  /** `gap` null: as the baud rate has it. */
  | { readonly type: "modbus_rtu"; readonly maxFrame: number; readonly gap: Millis | null };

export type FramingType = FramingOptions["type"];

const FRAMING_TYPES = [
  "line",
  "delimiter",
  "fixed",
  "length_prefix",
  "start_end",
  "cobs",
  "slip",
  "idle_gap",
  "nmea",
  "modbus_rtu",
] as const satisfies readonly FramingType[];

const CHECKSUM_KEYS = ["checksum", "checksum_from", "checksum_endian", "checksum_as"] as const;
const NMEA_WORDS = ["required", "optional"] as const;

const KEYS = {
  line: CHECKSUM_KEYS,
  delimiter: ["delimiter!", ...CHECKSUM_KEYS],
  fixed: ["length!", "start", "gap", ...CHECKSUM_KEYS],
  length_prefix: [
    "start",
    "gap",
    "header_offset",
    "length_bytes",
    "endian",
    "length_includes_header",
    "length_add",
    ...CHECKSUM_KEYS,
  ],
  start_end: ["start!", "end!", ...CHECKSUM_KEYS],
  cobs: CHECKSUM_KEYS,
  slip: CHECKSUM_KEYS,
  idle_gap: ["gap", ...CHECKSUM_KEYS],
  nmea: ["checksum"],
  modbus_rtu: ["gap"],
} as const satisfies Readonly<Record<FramingType, readonly string[]>>;

const framingKeys = {
  type: optional(
    oneOf(FRAMING_TYPES),
    "line",
    "line: ended by LF or CRLF; delimiter: ended by given bytes; fixed: of one length; length_prefix: its length stands in front; start_end: between two marks; cobs, slip: escaped, ended by 00 or C0; idle_gap: ended by silence; nmea: NMEA 0183 sentences; modbus_rtu: listens on a bus that another master asks",
  ),
  max_frame: optional(size("1B", "1MiB"), "4KiB", "longest frame; a longer one is skipped and counted"),
  delimiter: optional(
    nullable(byteText("the bytes a frame ends with", MARK_BYTES_MAX)),
    null,
    "delimiter: what a frame ends with",
  ),
  length: optional(nullable(integer(1, MIB, "bytes")), null, "fixed: bytes of a frame"),
  start: optional(
    nullable(byteText("the bytes a frame begins with", MARK_BYTES_MAX)),
    null,
    "start_end: what a frame begins with; fixed, length_prefix: the same, by which the next frame is found after noise; null there: frames follow each other without a mark",
  ),
  end: optional(nullable(byteText("the bytes a frame ends with", MARK_BYTES_MAX)), null, "start_end: what a frame ends with"),
  header_offset: optional(
    nullable(integer(0, 64, "bytes")),
    null,
    "length_prefix: bytes before the length; null: those of start",
  ),
  length_bytes: optional(nullable(oneOf([1, 2, 4])), null, "length_prefix: bytes of the length; null: 1"),
  endian: optional(nullable(oneOf(["big", "little"])), null, "length_prefix: which byte of the length comes first; null: big"),
  length_includes_header: optional(
    nullable(flag()),
    null,
    "length_prefix: does the length count itself and what stands before it; null: no",
  ),
  length_add: optional(
    nullable(integer(-64, 1024, "bytes")),
    null,
    "length_prefix: bytes of a frame that its length does not count, such as a checksum at its end; null: 0",
  ),
  gap: optional(
    nullable(duration("0ms", "1m")),
    null,
    'idle_gap: silence that ends a frame (null: 3.5 characters, at least 50ms); fixed, length_prefix: silence after which a part of a frame is thrown away (null: 250ms, "0ms": never); modbus_rtu: silence between frames (null: 3.5 characters, at least 20ms)',
  ),
  checksum: optional(
    nullable(oneOf([...NMEA_WORDS, ...CHECKSUM_NAMES])),
    null,
    "nmea: must a sentence carry one (null: required; a wrong one is never taken); all others but modbus_rtu: the checksum that each frame ends with, looked at and taken off (null: none)",
  ),
  checksum_from: optional(
    nullable(integer(0, 64, "bytes")),
    null,
    "bytes at the front of a frame that its checksum does not count; null: 0",
  ),
  checksum_endian: optional(
    nullable(oneOf(["big", "little"])),
    null,
    "which byte of the checksum comes first; null: as usual with its kind: little for crc16_modbus, _arc, _kermit, _x25 and crc32, else big",
  ),
  checksum_as: optional(nullable(oneOf(["bytes", "hex"])), null, "the checksum is sent as bytes or as hex digits; null: bytes"),
};

export const framingOptions = mapped(fields(framingKeys, checkFraming), toFramingOptions);

type FramingFields = FieldsValue<typeof framingKeys>;

function toFramingOptions(given: FramingFields): FramingOptions {
  const checked = toChecksum(given);
  return checked === undefined ? toCutting(given) : { ...toCutting(given), checked };
}

function toChecksum({ checksum, checksumFrom, checksumEndian, checksumAs }: FramingFields): ChecksumOptions | undefined {
  if (checksum === null || isNmeaWord(checksum)) return undefined;
  const endian = checksumEndian ?? usualEndian(checksum);
  return { type: checksum, from: checksumFrom ?? 0, endian, as: checksumAs ?? "bytes" };
}

function isNmeaWord(checksum: string): checksum is (typeof NMEA_WORDS)[number] {
  return NMEA_WORDS.some((word) => word === checksum);
}

function toCutting(given: FramingFields): Cutting {
  const { type, maxFrame } = given;
  const start = given.start ?? "";
  switch (type) {
    case "line":
    case "cobs":
    case "slip":
      return { type, maxFrame };
    case "delimiter":
      return { type, maxFrame, delimiter: given.delimiter! };
    case "fixed":
      return { type, maxFrame, length: given.length!, start, gap: given.gap ?? TORN_AFTER_MS };
    case "length_prefix":
      return {
        type,
        maxFrame,
        start,
        gap: given.gap ?? TORN_AFTER_MS,
        headerOffset: given.headerOffset ?? start.length,
        lengthBytes: given.lengthBytes ?? 1,
        endian: given.endian ?? "big",
        lengthIncludesHeader: given.lengthIncludesHeader ?? false,
        lengthAdd: given.lengthAdd ?? 0,
      };
    case "start_end":
      return { type, maxFrame, start, end: given.end! };
    case "idle_gap":
      return { type, maxFrame, gap: given.gap };
    case "nmea":
      return { type, maxFrame, checksum: given.checksum === "optional" ? "optional" : "required" };
    case "modbus_rtu":
      return { type, maxFrame, gap: given.gap };
  }
}

function checkFraming(framing: NonNullable<Loose<FramingFields>>, report: Report): void {
  checkKeysOfType(framing, KEYS, report);
  checkChecksum(framing, report);
  const { type, maxFrame, length, start, headerOffset, gap } = framing;
  if (type === "fixed" && typeof length === "number" && maxFrame !== undefined && length > maxFrame) {
    report.fault(["length"], {
      wanted: `at most max_frame (${maxFrame} bytes)`,
      found: String(length),
      remedy: "raise max_frame, or mend the length",
    });
  }
  if (type === "fixed" && typeof length === "number" && typeof start === "string" && start.length > length) {
    report.fault(["start"], { wanted: `at most length (${length} bytes)`, found: `${start.length} bytes`, remedy: "shorten it" });
  }
  if (type === "length_prefix" && typeof headerOffset === "number" && typeof start === "string" && headerOffset < start.length) {
    report.fault(["header_offset"], {
      wanted: `at least the ${start.length} bytes of start`,
      found: String(headerOffset),
      remedy: "count the bytes of start among those before the length",
    });
  }
  if (type === "idle_gap" && gap === 0) {
    report.fault(["gap"], { wanted: "a silence", found: '"0ms"', remedy: 'write one such as "20ms"' });
  }
}

function checkChecksum(framing: NonNullable<Loose<FramingFields>>, report: Report): void {
  const { type, checksum, length } = framing;
  if (type === undefined || checksum === undefined || type === "modbus_rtu") return;
  if (checksum === null) {
    for (const [key, value] of [
      ["checksum_from", framing.checksumFrom],
      ["checksum_endian", framing.checksumEndian],
      ["checksum_as", framing.checksumAs],
    ] as const) {
      if (value === null || value === undefined || type === "nmea") continue; // nmea: said already
      report.fault([key], { wanted: "a checksum with it", found: "none", remedy: "say which by checksum, or take this out" });
    }
    return;
  }
  if (isNmeaWord(checksum) !== (type === "nmea")) {
    const wanted = type === "nmea" ? '"required" or "optional"' : `one of ${CHECKSUM_NAMES.join(", ")}`;
    const remedy = type === "nmea" ? "its sentences have a checksum of their own" : "such words are for nmea; name the algorithm";
    report.fault(["checksum"], { wanted, found: `"${checksum}"`, remedy });
  } else if (!isNmeaWord(checksum) && type === "fixed" && typeof length === "number") {
    const bytes = new Checksum({ type: checksum, from: 0, endian: "big", as: framing.checksumAs ?? "bytes" }).bytes;
    if (length > bytes + (framing.checksumFrom ?? 0)) return;
    const remedy = "length counts the checksum, too";
    report.fault(["length"], { wanted: `more than the checksum and what it does not count`, found: String(length), remedy });
  }
}
