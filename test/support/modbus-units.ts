// The units on a Modbus bus, in the mind: they hear questions and say what real ones would, or what bad ones do.
//
//   units.hear(chunk)  ─▶  answers, each with the unit that gives it       bytes may come in any pieces; noise is passed over
//
// Each has 200 holding registers (register n of unit u holds u * 256 + n until it is written) and 64 coils (odd ones are on).

import { crcModbus } from "#ingress/serial/modbus/crc.ts";

export interface UnitAnswer {
  readonly unit: number;
  readonly bytes: Buffer;
}

const REGISTERS = 200;
const COILS = 64;

export class ModbusUnits {
  /** Questions that were whole and for a unit that is here, in order: `3:03` is function 3 to unit 3. */
  readonly heard: string[] = [];
  readonly #registers = new Map<number, Uint16Array>();
  readonly #coils = new Map<number, Uint8Array>();
  #rest = Buffer.alloc(0);

  constructor(units: readonly number[]) {
    for (const unit of units) {
      this.#registers.set(
        unit,
        Uint16Array.from({ length: REGISTERS }, (_, n) => unit * 256 + n),
      );
      this.#coils.set(
        unit,
        Uint8Array.from({ length: COILS }, (_, n) => n & 1),
      );
    }
  }

  register(unit: number, address: number): number {
    return this.#registers.get(unit)![address]!;
  }

  coil(unit: number, address: number): number {
    return this.#coils.get(unit)![address]!;
  }

  hear(chunk: Uint8Array): readonly UnitAnswer[] {
    const bytes = Buffer.concat([this.#rest, chunk]);
    const answers: UnitAnswer[] = [];
    let at = 0;
    while (at + 8 <= bytes.length) {
      const length = questionBytes(bytes, at);
      if (length > 0 && at + length > bytes.length) break;
      if (length === 0 || crcModbus(bytes, at, at + length) !== 0) {
        at += 1;
        continue;
      }
      answers.push(...this.#answer(bytes.subarray(at, at + length)));
      at += length;
    }
    this.#rest = Buffer.from(bytes.subarray(Math.max(at, bytes.length - 512)));
    return answers;
  }

  #answer(question: Buffer): readonly UnitAnswer[] {
    const unit = question[0]!;
    if (unit === 0) {
      for (const each of this.#registers.keys()) this.#data(each, question);
      this.heard.push(`0:${question[1]}`);
      return [];
    }
    if (!this.#registers.has(unit)) return [];
    this.heard.push(`${unit}:${question[1]}`);
    const data = this.#data(unit, question);
    const body = typeof data === "number" ? [unit, question[1]! | 0x80, data] : [unit, question[1]!, ...data];
    return [{ unit, bytes: withCrc(body) }];
  }

  /** The answer's data, or the code of an exception. */
  #data(unit: number, question: Buffer): Iterable<number> | number {
    const registers = this.#registers.get(unit)!;
    const coils = this.#coils.get(unit)!;
    const address = question.readUInt16BE(2);
    const count = question.readUInt16BE(4);
    switch (question[1]) {
      case 1:
      case 2: {
        if (address + count > COILS) return 2;
        const bytes = Buffer.alloc(Math.ceil(count / 8));
        for (let i = 0; i < count; i++) bytes[i >>> 3]! |= coils[address + i]! << (i & 7);
        return [bytes.length, ...bytes];
      }
      case 3:
      case 4:
        if (address + count > REGISTERS) return 2;
        return [count * 2, ...words(registers.subarray(address, address + count))];
      case 5:
        if (address >= COILS) return 2;
        coils[address] = count === 0xff00 ? 1 : 0;
        return question.subarray(2, 6);
      case 6:
        if (address >= REGISTERS) return 2;
        registers[address] = count;
        return question.subarray(2, 6);
      case 15:
        for (let i = 0; i < count; i++) coils[address + i] = (question[7 + (i >>> 3)]! >>> (i & 7)) & 1;
        return question.subarray(2, 6);
      case 16:
        for (let i = 0; i < count; i++) registers[address + i] = question.readUInt16BE(7 + i * 2);
        return question.subarray(2, 6);
      case 22:
        registers[address] = (registers[address]! & count) | (question.readUInt16BE(6) & ~count & 0xffff);
        return question.subarray(2, 8);
      case 23: {
        const to = question.readUInt16BE(6);
        const written = question.readUInt16BE(8);
        for (let i = 0; i < written; i++) registers[to + i] = question.readUInt16BE(11 + i * 2);
        return [count * 2, ...words(registers.subarray(address, address + count))];
      }
      default:
        return 1;
    }
  }
}

export function withCrc(body: Iterable<number>): Buffer {
  const frame = Buffer.from([...body, 0, 0]);
  frame.writeUInt16LE(crcModbus(frame, 0, frame.length - 2), frame.length - 2);
  return frame;
}

/** 0: not the beginning of a question. */
function questionBytes(bytes: Buffer, at: number): number {
  const code = bytes[at + 1]!;
  if (code >= 1 && code <= 6) return 8;
  if (code === 15 || code === 16) return 9 + bytes[at + 6]!;
  if (code === 22) return 10;
  return code === 23 ? (at + 10 < bytes.length ? 13 + bytes[at + 10]! : 13) : code < 0x80 && code > 0 ? 8 : 0;
}

function words(values: Uint16Array): readonly number[] {
  return [...values].flatMap((value) => [value >>> 8, value & 0xff]);
}
