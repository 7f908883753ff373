// What a Modbus master asks, as bytes, and how to find the answer among what comes back. Pure.
//
//   ┌ unit ┬ function ┬ data … ┬ CRC low ┬ CRC high ┐        one RTU frame, 4 to 256 bytes
//   └──────┴──────────┴────────┴─────────┴──────────┘
//   exception:  unit │ function | 0x80 │ code │ CRC
//
// Source: MODBUS Application Protocol V1.1b3, §6; MODBUS over Serial Line V1.02, §2.5.

import { crcModbus } from "./crc.ts";

export const FRAME_BYTES_MAX = 256;
/** Unit 0: every unit hears it, none answers. */
export const BROADCAST = 0;

export type Table = "coils" | "discrete" | "holding" | "input";

/** Registers are 0 … 65535, coils true or false. */
export type ModbusRequest =
  | { readonly kind: "read"; readonly table: Table; readonly address: number; readonly count: number }
  | { readonly kind: "write-coil"; readonly address: number; readonly value: boolean }
  | { readonly kind: "write-register"; readonly address: number; readonly value: number }
  | { readonly kind: "write-coils"; readonly address: number; readonly values: readonly boolean[] }
  | { readonly kind: "write-registers"; readonly address: number; readonly values: readonly number[] }
  | { readonly kind: "mask-register"; readonly address: number; readonly and: number; readonly or: number }
  | {
      readonly kind: "read-write";
      readonly address: number;
      readonly count: number;
      readonly writeAddress: number;
      readonly values: readonly number[];
    };

/** Where an answer lies: its data without unit, function, byte count and checksum; or the code of an exception. */
export type FoundAnswer =
  | { readonly at: number; readonly end: number; readonly data: number; readonly dataEnd: number }
  | { readonly at: number; readonly end: number; readonly exception: number };

const READ_FUNCTION = { coils: 1, discrete: 2, holding: 3, input: 4 } as const satisfies Record<Table, number>;

export function functionOf(request: ModbusRequest): number {
  switch (request.kind) {
    case "read":
      return READ_FUNCTION[request.table];
    case "write-coil":
      return 5;
    case "write-register":
      return 6;
    case "write-coils":
      return 15;
    case "write-registers":
      return 16;
    case "mask-register":
      return 22;
    case "read-write":
      return 23;
  }
}

/** Does the answer carry values, and so never look like the question? */
export function isRead(request: ModbusRequest): boolean {
  return request.kind === "read" || request.kind === "read-write";
}

/** The whole frame, with its checksum. The values must fit: see `tryParseCommand`. */
export function encodeRequest(unit: number, request: ModbusRequest): Buffer {
  const frame = Buffer.from([unit, functionOf(request), ...requestData(request), 0, 0]);
  frame.writeUInt16LE(crcModbus(frame, 0, frame.length - 2), frame.length - 2);
  return frame;
}

function requestData(request: ModbusRequest): readonly number[] {
  const at = word(request.address);
  switch (request.kind) {
    case "read":
      return [...at, ...word(request.count)];
    case "write-coil":
      return [...at, request.value ? 0xff : 0, 0];
    case "write-register":
      return [...at, ...word(request.value)];
    case "write-coils": {
      const bytes = packBits(request.values);
      return [...at, ...word(request.values.length), bytes.length, ...bytes];
    }
    case "write-registers":
      return [...at, ...word(request.values.length), request.values.length * 2, ...request.values.flatMap(word)];
    case "mask-register":
      return [...at, ...word(request.and), ...word(request.or)];
    case "read-write": {
      const { count, writeAddress, values } = request;
      const written = [...word(writeAddress), ...word(values.length), values.length * 2, ...values.flatMap(word)];
      return [...at, ...word(count), ...written];
    }
  }
}

/** Bytes of the whole answer that is no exception. */
export function answerBytes(request: ModbusRequest): number {
  switch (request.kind) {
    case "read":
      return 5 + (request.table === "coils" || request.table === "discrete" ? Math.ceil(request.count / 8) : request.count * 2);
    case "read-write":
      return 5 + request.count * 2;
    case "mask-register":
      return 10;
    default:
      return 8;
  }
}

/**
 * The first whole answer of `unit` to the question between `from` and `to`, wherever it begins: noise may stand in front. An answer
 * must fit the question in length and, where it repeats it, in content; another unit's, or one to another question, is none.
 */
export function findAnswer(
  bytes: Buffer,
  from: number,
  to: number,
  unit: number,
  request: ModbusRequest,
  question: Buffer,
): FoundAnswer | undefined {
  const code = functionOf(request);
  const whole = answerBytes(request);
  for (let at = from; at + 5 <= to; at++) {
    if (bytes[at] !== unit) continue;
    if (bytes[at + 1] === (code | 0x80) && crcModbus(bytes, at, at + 5) === 0)
      return { at, end: at + 5, exception: bytes[at + 2]! };
    if (bytes[at + 1] !== code || at + whole > to || !fits(bytes, at, request, question)) continue;
    if (crcModbus(bytes, at, at + whole) !== 0) continue;
    const end = at + whole;
    return isRead(request) ? { at, end, data: at + 3, dataEnd: end - 2 } : { at, end, data: at + 2, dataEnd: end - 2 };
  }
  return undefined;
}

/** Is there room from somewhere on for the whole answer, beginning as it should, but damaged? */
export function looksGarbled(bytes: Buffer, from: number, to: number, unit: number, request: ModbusRequest): boolean {
  const code = functionOf(request);
  const whole = answerBytes(request);
  for (let at = from; at + whole <= to; at++) if (bytes[at] === unit && bytes[at + 1] === code) return true;
  return false;
}

/** Whole frames of any unit, right checksum and all: what came too late, or was meant for another master. */
export function countFrames(bytes: Buffer, from: number, to: number): number {
  let frames = 0;
  for (let at = from; at < to; ) {
    const length = frameAt(bytes, at, to);
    if (length > 0) frames += 1;
    at += Math.max(1, length);
  }
  return frames;
}

/** Bytes of the whole frame that begins at `at`, a question or an answer, with a right checksum; 0: none does. */
export function frameAt(bytes: Buffer, at: number, to: number): number {
  if (at + 5 > to) return 0;
  for (const length of frameLengths(bytes, at)) {
    if (at + length <= to && length <= FRAME_BYTES_MAX && crcModbus(bytes, at, at + length) === 0) return length;
  }
  return 0;
}

/** Where the question and its answer are of different length, both. */
function frameLengths(bytes: Buffer, at: number): readonly number[] {
  const code = bytes[at + 1]!;
  if (code & 0x80) return [5];
  switch (code) {
    case 1:
    case 2:
    case 3:
    case 4:
      return [5 + bytes[at + 2]!, 8];
    case 5:
    case 6:
      return [8];
    case 15:
    case 16:
      return [8, 9 + (bytes[at + 6] ?? 0)];
    case 22:
      return [10];
    case 23:
      return [5 + bytes[at + 2]!, 13 + (bytes[at + 10] ?? 0)];
    default:
      return [];
  }
}

function fits(bytes: Buffer, at: number, request: ModbusRequest, question: Buffer): boolean {
  if (isRead(request)) return bytes[at + 2] === answerBytes(request) - 5;
  const repeated = request.kind === "mask-register" ? 8 : 6; // unit, function, address and value (or count, or masks)
  return bytes.compare(question, 0, repeated, at, at + repeated) === 0;
}

function word(value: number): readonly [number, number] {
  return [(value >>> 8) & 0xff, value & 0xff];
}

/** Eight to a byte, the first in the lowest bit. */
export function packBits(values: readonly boolean[]): readonly number[] {
  const bytes: number[] = new Array(Math.ceil(values.length / 8)).fill(0);
  for (const [i, value] of values.entries()) if (value) bytes[i >>> 3]! |= 1 << (i & 7);
  return bytes;
}
