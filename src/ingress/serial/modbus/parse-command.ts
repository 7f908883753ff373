// A command to a Modbus bus, as JSON. Pure.
//
//   { "unit": "pump", "set": "setpoint", "value": 21.5 }, { "unit": "pump", "get": "setpoint" }     named-value.ts
//   { "unit": "pump", "function": 6, "address": 16, "value": 1200 }            one register
//   { "unit": 2, "function": 16, "address": 16, "values": [1200, 7] }          several registers
//   { "unit": 2, "function": 5, "address": 0, "value": true }                  one coil; 15 with "values": several
//   { "unit": 2, "function": 3, "address": 0, "count": 4 }                     read: 1 coils, 2 discrete inputs, 3 holding, 4 input
//   { "unit": 2, "function": 22, "address": 4, "and": 242, "or": 37 }          mask a register
//   { "unit": 2, "function": 23, "address": 0, "count": 2, "write_address": 8, "values": [1] }
//
// `unit`: its number or its name; 0 is every unit at once, for writes only, and nobody answers.

import { type NamedRequest, tryNamedRequest } from "./named-value.ts";
import type { ModbusPollOptions } from "./options.ts";
import { BROADCAST, isRead, type ModbusRequest, type Table } from "./pdu.ts";

export interface ModbusCommand {
  readonly unit: number;
  readonly request: ModbusRequest;
  /** Where it was asked for by name. */
  readonly named?: NamedRequest;
}

type Members = Readonly<Record<string, unknown>>;

const TABLES: Readonly<Record<number, Table>> = { 1: "coils", 2: "discrete", 3: "holding", 4: "input" };
const WORD_MAX = 65_535;
/** The most that fits into a frame. Source: MODBUS Application Protocol V1.1b3, §6.1 to §6.17. */
const LIMITS = { readBits: 2000, readWords: 125, writeBits: 1968, writeWords: 123, exchangeWords: 121 } as const;

/** What is wrong with it as a string, in words that follow "the command ". */
export function tryParseCommand(
  payload: Buffer,
  units: readonly { readonly unit: number; readonly name: string }[],
  polls: readonly ModbusPollOptions[] = [],
): ModbusCommand | string {
  const command = parseObject(payload);
  if (command === undefined) return 'is no JSON object; wanted one such as {"unit":1,"function":6,"address":16,"value":1200}';
  const unit = unitOf(command["unit"], units);
  if (unit === undefined) {
    const names = units.map(({ unit, name }) => `${unit} "${name}"`).join(", ");
    return `names no unit of this bus; wanted "unit" to be one of ${names}, or 0 for all`;
  }
  const named = namedOf(unit, command, polls);
  if (typeof named === "string") return named;
  const request = named?.request ?? requestOf(command);
  if (typeof request === "string") return request;
  if (unit === BROADCAST && isRead(request)) return "reads from all units at once, and nobody may answer that; name one unit";
  return { unit, request, ...(named === undefined ? {} : { named }) };
}

/** undefined: it goes by function and address. */
function namedOf(unit: number, command: Members, polls: readonly ModbusPollOptions[]): NamedRequest | string | undefined {
  const { get, set, value, poll } = command;
  if (get === undefined && set === undefined) return undefined;
  const name = set ?? get;
  if (get !== undefined && set !== undefined) return 'has both "get" and "set"; it may have one';
  if (command["function"] !== undefined) return `has a "function" beside "${set === undefined ? "get" : "set"}"; it may have one`;
  if (typeof name !== "string") return `has a "${set === undefined ? "get" : "set"}" that is no name of a value`;
  return tryNamedRequest(unit, { name, poll, ...(set === undefined ? {} : { set: { value } }) }, polls);
}

function unitOf(wanted: unknown, units: readonly { readonly unit: number; readonly name: string }[]): number | undefined {
  if (wanted === BROADCAST) return BROADCAST;
  return units.find(({ unit, name }) => unit === wanted || name === wanted)?.unit;
}

function requestOf(command: Members): ModbusRequest | string {
  const { function: code, value, values, count } = command;
  const address = command["address"];
  if (!isWhole(address, 0, WORD_MAX)) return 'has no "address" from 0 to 65535';
  switch (code) {
    case 1:
    case 2:
    case 3:
    case 4: {
      const most = code <= 2 ? LIMITS.readBits : LIMITS.readWords;
      if (!isWhole(count, 1, most)) return `has no "count" from 1 to ${most}`;
      return within(address, count) ?? { kind: "read", table: TABLES[code]!, address, count };
    }
    case 5:
      if (!isBit(value)) return 'has no "value" that is true or false';
      return { kind: "write-coil", address, value: Boolean(value) };
    case 6:
      if (!isRegister(value)) return REGISTER_WANTED;
      return { kind: "write-register", address, value: value & WORD_MAX };
    case 15:
      if (!isListOf(values, isBit, LIMITS.writeBits)) return `has no "values": 1 to ${LIMITS.writeBits} of true or false`;
      return within(address, values.length) ?? { kind: "write-coils", address, values: values.map(Boolean) };
    case 16:
      if (!isListOf(values, isRegister, LIMITS.writeWords)) return valuesWanted(LIMITS.writeWords);
      return within(address, values.length) ?? { kind: "write-registers", address, values: values.map(toWord) };
    case 22: {
      const { and, or } = command;
      if (!isWhole(and, 0, WORD_MAX) || !isWhole(or, 0, WORD_MAX)) return 'has no "and" and "or" from 0 to 65535';
      return { kind: "mask-register", address, and, or };
    }
    case 23: {
      const writeAddress = command["write_address"];
      if (!isWhole(writeAddress, 0, WORD_MAX)) return 'has no "write_address" from 0 to 65535';
      if (!isWhole(count, 1, LIMITS.readWords)) return `has no "count" from 1 to ${LIMITS.readWords}`;
      if (!isListOf(values, isRegister, LIMITS.exchangeWords)) return valuesWanted(LIMITS.exchangeWords);
      const fault = within(address, count) ?? within(writeAddress, values.length);
      return fault ?? { kind: "read-write", address, count, writeAddress, values: values.map(toWord) };
    }
    default:
      return 'has no "function" that we know; wanted 1, 2, 3, 4 (read), 5, 6, 15, 16 (write), 22 (mask) or 23 (write and read), or a value by "get" or "set"';
  }
}

const REGISTER_WANTED = 'has no "value" from -32768 to 65535';

function valuesWanted(most: number): string {
  return `has no "values": 1 to ${most} numbers from -32768 to 65535`;
}

function within(address: number, count: number): string | undefined {
  return address + count > WORD_MAX + 1 ? `goes beyond address 65535: ${count} from ${address}` : undefined;
}

function parseObject(payload: Buffer): Members | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Members) : undefined;
  } catch {
    return undefined; // the caller says what was wanted
  }
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

/** Negative ones are written as two's complement. */
function isRegister(value: unknown): value is number {
  return isWhole(value, -32_768, WORD_MAX);
}

function isBit(value: unknown): value is boolean | 0 | 1 {
  return value === true || value === false || value === 0 || value === 1;
}

function isListOf<T>(values: unknown, isItem: (value: unknown) => value is T, most: number): values is readonly T[] {
  return Array.isArray(values) && values.length >= 1 && values.length <= most && values.every(isItem);
}

function toWord(value: number): number {
  return value & WORD_MAX;
}
