// The decoder that the settings ask for.

import type { DecodeOptions } from "./decode-options.ts";
import type { Decoder, Emit } from "./decoder.ts";
import { CsvDecoder } from "./decoders/csv-decoder.ts";
import { JsonDecoder } from "./decoders/json-decoder.ts";
import { ModbusDecoder } from "./decoders/modbus-decoder.ts";
import { NmeaDecoder } from "./decoders/nmea-decoder.ts";
import { RegexDecoder } from "./decoders/regex-decoder.ts";
import { StructDecoder } from "./decoders/struct-decoder.ts";
import { FrameTextDecoder, RawDecoder } from "./decoders/text-decoder.ts";
import { ReadingWriter } from "./reading.ts";
import { parseSubjectTemplate } from "./subject-template.ts";

export interface DecoderOptions {
  /** The port's. */
  readonly name: string;
  /** Latin1 form, with its placeholders. */
  readonly subject: string;
  readonly decode: DecodeOptions;
}

/** Throws `SERIAL_SUBJECT_INVALID`. */
export function makeDecoder({ name, subject, decode }: DecoderOptions, emit: Emit): Decoder {
  const template = parseSubjectTemplate({ name, subject, decode: decode.type });
  switch (decode.type) {
    case "raw":
      return new RawDecoder(template.subjectFor("")!, emit);
    case "text":
      return new FrameTextDecoder(decode.charset ?? "utf-8", template.subjectFor("")!, emit);
    case "json":
      return new JsonDecoder(template, emit);
    case "csv":
      return new CsvDecoder(decode, new ReadingWriter(template, decode.unitsIn, emit));
    case "regex":
      return new RegexDecoder(decode, new ReadingWriter(template, decode.unitsIn, emit));
    case "struct":
      return new StructDecoder(decode, new ReadingWriter(template, decode.unitsIn, emit));
    case "nmea":
      return new NmeaDecoder(decode, new ReadingWriter(template, decode.unitsIn, emit));
    case "modbus":
      return new ModbusDecoder(decode, new ReadingWriter(template, decode.unitsIn, emit));
  }
}
