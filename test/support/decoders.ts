// Every way of decoding, with frames of a device that speaks so: for unit tests and for the fuzzer.

import type { DecodeOptions, DecodeType } from "#ingress/serial/decode-options.ts";
import { nmeaSentence } from "./framings.ts";

export interface Written {
  readonly decode: DecodeOptions;
  readonly subject: string;
  /** Good frames, in this order: some decoders learn from the one before. */
  readonly frames: readonly Buffer[];
}

const measured = { scale: 0.1, add: -40, unit: "°C" } as const;
const bare = { scale: 1, add: 0, unit: null } as const;
const text = (...frames: string[]): Buffer[] => frames.map((frame) => Buffer.from(frame));
const hex = (...frames: string[]): Buffer[] => frames.map((frame) => Buffer.from(frame.replaceAll(" ", ""), "hex"));
const csv = { charset: "utf-8", separator: ";", quote: '"', decimal: ",", unitsIn: "headers" } as const;
const place = { offset: null, endian: null, bit: 0, count: 1, of: "u8", length: null } as const;
const register = { unitId: null, type: "u16", words: "big", bytes: "big", bit: null, length: 1 } as const;

export const WRITTEN: Readonly<Record<DecodeType, Written>> = {
  raw: { decode: { type: "raw" }, subject: "s.{name}", frames: hex("00ff10", "0a") },
  text: { decode: { type: "text", charset: "utf-8" }, subject: "s.{name}", frames: text("12.4 kg", "größer") },
  json: {
    decode: { type: "json" },
    subject: "s.{field}",
    frames: text('{"temp":21.40,"id":12345678901234567890,"deep":{"a":[1,"}"]},"a b":"x\\"y"}', "{}"),
  },
  csv: {
    decode: {
      type: "csv",
      header: true,
      columns: [
        { name: "t", type: "number", ...measured },
        { name: "s", type: "auto", ...bare },
        { name: "-", type: "auto", ...bare },
        { name: "x", type: "text", ...bare },
      ],
      ...csv,
    },
    subject: "s.{field}",
    frames: text("t;s;-;x", '614;"a;b";z;007', "+61,40;nan;;ü"),
  },
  regex: {
    decode: {
      type: "regex",
      charset: "latin1",
      pattern: "T=(?<t>[-+0-9.]+)(?: (?<u>[^ ]+))?.*H=(?<h>\\S+)",
      fields: [{ name: "t", type: "number", ...measured }],
      decimal: ".",
      unitsIn: "members",
    },
    subject: "s",
    frames: text("T=614 C xx H=55", "T=-3.5H=wet"),
  },
  struct: {
    decode: {
      type: "struct",
      layout: [
        { name: "id", type: "u64", ...place, ...bare },
        { name: "t", type: "i16", ...place, ...measured },
        { name: "f", type: "f32", ...place, ...bare },
        { name: "on", type: "bool", ...place, ...bare },
        { name: "n", type: "bits", ...place, ...bare, bit: 1, count: 7 },
        { name: "sn", type: "ascii", ...place, ...bare, length: 3 },
        { name: "rest", type: "hex", ...place, ...bare },
      ],
      endian: "big",
      bigIntegers: "text",
      unitsIn: "headers",
    },
    subject: "s.{field}",
    frames: hex("ffffffffffffffff 0266 41ab3333 ff 534e31 0102", "0000000000000001 ff9c 7fc00000 00 000000"),
  },
  nmea: {
    decode: { type: "nmea", sentences: null, unitsIn: "headers" },
    subject: "s.{sentence}",
    frames: [
      "GPGGA,123519.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
      "GPRMC,123519,A,4807.038,N,01131.000,W,022.4,084.4,230394,003.1,W",
      "GPGSV,2,1,08,01,40,083,46,02,17,308,41",
      "WIXDR,C,19.5,C,TempAir,P,1.01,B,Baro",
      "WIMWV,084.0,R,10.4,N,A",
      "PGRMZ,93,f,3",
    ].map(nmeaSentence),
  },
  modbus: {
    decode: {
      type: "modbus",
      registers: [
        { name: "t", address: 16, table: "holding", ...register, ...measured },
        { name: "w", address: 17, table: "holding", ...register, ...bare, type: "f32" },
        { name: "c", address: 3, table: "coils", ...register, ...bare },
      ],
      unitsIn: "members",
    },
    subject: "s.{unit}",
    frames: hex("07 03 0010 0003", "07 03 06 0266 41ab 3333", "07 01 0000 0008", "07 01 01 09"),
  },
};
