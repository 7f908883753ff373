// A value of the poll table, read or written by its name, in its own unit of measure:
//
//   { "unit": "pump", "set": "setpoint", "value": 21.5 }     21.5 °C with scale 0.1 writes 215
//   { "unit": "pump", "get": "setpoint" }                     asked now, not when its poll is due
//   { "unit": "pump", "set": "setpoint", "poll": "heating", "value": 21.5 }    where several polls have one of that name
//
// A number is rounded to what the register can hold; the answer says what was written. Whether a value may be written is the unit's to
// say; tables that are read only are refused here.

import { Scaling } from "../decoders/scaling.ts";
import type { ModbusPollOptions, ModbusRegisterOptions } from "./options.ts";
import { BROADCAST, type ModbusRequest } from "./pdu.ts";
import { wordsOf } from "./register-options.ts";

/** What is done with which value; `written` is the value that the register then stands for, as JSON. */
export interface NamedRequest {
  readonly request: ModbusRequest;
  readonly register: ModbusRegisterOptions;
  readonly isBits: boolean;
  readonly written?: string;
}

export interface NamedCommand {
  readonly name: string;
  readonly poll: unknown;
  /** undefined: it is read. */
  readonly set?: { readonly value: unknown };
}

/** What is wrong with it as a string, in words that follow "the command ". */
export function tryNamedRequest(unit: number, command: NamedCommand, polls: readonly ModbusPollOptions[]): NamedRequest | string {
  const { name, poll: wantedPoll, set } = command;
  const found = polls
    .filter((poll) => (wantedPoll === undefined || poll.name === wantedPoll) && isAskedOf(poll, unit))
    .flatMap((poll) => poll.registers.filter((register) => register.name === name).map((register) => ({ poll, register })));
  const shown = JSON.stringify(name.slice(0, 128));
  const [place] = found;
  if (place === undefined)
    return `names no value of that unit's polls: ${shown}; mend the name, or give "function" and "address"`;
  if (found.length > 1) return `names a value that several polls have: ${shown}; say which by "poll"`;
  const { poll, register } = place;
  const isBits = poll.table === "coils" || poll.table === "discrete";
  const address = poll.address + register.offset;
  if (set === undefined) {
    const count = isBits ? 1 : wordsOf(register.type, register.length);
    return { request: { kind: "read", table: poll.table, address, count }, register: { ...register, offset: 0 }, isBits };
  }
  const written =
    poll.table === "coils"
      ? writeCoil(address, set.value)
      : poll.table === "holding"
        ? write(register, address, set.value)
        : undefined;
  if (written === undefined) return `sets ${shown}, which stands in a table that can only be read (${poll.table})`;
  return typeof written === "string" ? `sets ${shown} ${written}` : { ...written, register, isBits };
}

function isAskedOf({ units }: ModbusPollOptions, unit: number): boolean {
  return unit === BROADCAST || units === null || units.includes(unit);
}

type Written = Pick<NamedRequest, "request" | "written">;

function writeCoil(address: number, value: unknown): Written | string {
  const bit = asBit(value);
  return bit === undefined ? FLAG_WANTED : { request: { kind: "write-coil", address, value: bit }, written: String(bit) };
}

const FLAG_WANTED = 'to something else than its "value": true or false';

function write(register: ModbusRegisterOptions, address: number, value: unknown): Written | string {
  const { type, length } = register;
  switch (type) {
    case "bit": {
      const bit = asBit(value);
      if (bit === undefined) return FLAG_WANTED;
      const mask = 1 << (register.bit ?? 0);
      const request = { kind: "mask-register", address, and: 0xffff & ~mask, or: bit ? mask : 0 } as const;
      return { request, written: String(bit) };
    }
    case "bits":
      return 'as a whole, which bits are not; give "function" and "address"';
    case "text": {
      if (typeof value !== "string" || value.length > length * 2 || !/^[\x20-\x7e]*$/.test(value))
        return `to something else than a "value" of up to ${length * 2} plain characters`;
      const bytes = Buffer.alloc(length * 2);
      bytes.write(value, "latin1");
      return { request: writeWords(address, orderWords(bytes, register)), written: JSON.stringify(value) };
    }
    default:
      return writeNumber(register, address, value);
  }
}

function writeNumber(register: ModbusRegisterOptions, address: number, value: unknown): Written | string {
  const { type, scale, add } = register;
  if (typeof value !== "number" || !Number.isFinite(value)) return 'to something else than a "value" that is a number';
  if (scale === 0) return "with a scale of 0, from which no value comes back";
  const scaling = new Scaling(scale, add);
  const count = (value - add) / scale;
  const bytes = Buffer.alloc(wordsOf(type, 1) * 2);
  if (type === "f32" || type === "f64") {
    if (type === "f32") bytes.writeFloatBE(count);
    else bytes.writeDoubleBE(count);
    const written = type === "f32" ? scaling.ofSingle(bytes.readFloatBE()) : scaling.ofDouble(count);
    if (written === "null") return `to ${value}, which ${type} cannot hold`;
    return { request: writeWords(address, orderWords(bytes, register)), written };
  }
  const whole = Math.round(count);
  const [min, max] = rangeOf(type);
  if (whole < min || whole > max) {
    const ends = [scaling.ofInteger(min), scaling.ofInteger(max)].sort((a, b) => Number(a) - Number(b));
    return `to ${value}, beyond what it holds: ${ends[0]} to ${ends[1]}`;
  }
  if (bytes.length === 8) bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(whole)));
  else if (whole < 0) bytes.writeIntBE(whole, 0, bytes.length);
  else bytes.writeUIntBE(whole, 0, bytes.length);
  return { request: writeWords(address, orderWords(bytes, register)), written: scaling.ofInteger(whole) };
}

/** Whole numbers that JSON carries without loss; larger ones are written with "function" 16. */
function rangeOf(type: ModbusRegisterOptions["type"]): readonly [min: number, max: number] {
  const bits = Number(type.slice(1));
  if (bits === 64) return [type === "i64" ? Number.MIN_SAFE_INTEGER : 0, Number.MAX_SAFE_INTEGER];
  return type.startsWith("i") ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

/** The reverse of what register-value.ts does. */
function orderWords(bytes: Buffer, { words, bytes: order, type }: ModbusRegisterOptions): readonly number[] {
  const found = Array.from({ length: bytes.length >>> 1 }, (_, i) =>
    order === "big" ? bytes.readUInt16BE(i * 2) : bytes.readUInt16LE(i * 2),
  );
  return words === "little" && type !== "text" ? found.reverse() : found;
}

function writeWords(address: number, values: readonly number[]): ModbusRequest {
  const [value] = values;
  return values.length === 1 ? { kind: "write-register", address, value: value! } : { kind: "write-registers", address, values };
}

function asBit(value: unknown): boolean | undefined {
  if (value === true || value === 1) return true;
  return value === false || value === 0 ? false : undefined;
}
