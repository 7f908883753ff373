// What is asked of the units on a Modbus RTU bus, and how often. `null` in a port's settings: the port is no Modbus bus.
//
//   "modbus": {
//     "units": [{ "unit": 1, "name": "meter" }, { "unit": 2, "name": "pump" }],
//     "polls": [{ "name": "energy", "units": [1], "table": "holding", "address": 0, "count": 4, "interval": "10s",
//                 "registers": [{ "name": "voltage", "offset": 0, "type": "u16", "scale": 0.1, "unit": "V" }] }]
//   }

import type { Report } from "#base/fault.ts";
import {
  duration,
  type FieldsValue,
  fields,
  integer,
  type Loose,
  list,
  nullable,
  oneOf,
  optional,
  required,
  type ValueOf,
} from "#base/schema.ts";
import { token } from "#base/schema-text.ts";
import { subjectTemplate } from "#core/subject-schema.ts";
import { scalingKeys, valueName } from "../scaling-options.ts";
import { checkRegisters, REGISTERS_MAX, registerKeys, wordsOf } from "./register-options.ts";

/** Units a bus may carry: 247 addresses, and 32 without a repeater. */
const UNITS_MAX = 247;
const POLLS_MAX = 256;
const COILS_MAX = 2000;

const unitNumber = () => integer(1, 247);

const unitOptions = fields({
  unit: required(unitNumber(), "its address on the bus"),
  name: required(token("a unit's name"), "what we call it, in subjects and on the page; unique on this bus"),
});

const registerOptions = fields({
  name: required(valueName(), "its field in subjects and JSON"),
  offset: optional(integer(0, COILS_MAX - 1, "registers"), 0, "registers (or coils) from the poll's address"),
  ...registerKeys,
  ...scalingKeys,
});

const pollKeys = {
  name: required(token("a poll's name"), "what we call it; unique on this bus"),
  units: optional(nullable(list(unitNumber(), { min: 1, max: UNITS_MAX })), null, "units that are asked; null: all of them"),
  table: optional(oneOf(["coils", "discrete", "holding", "input"]), "holding", "which table is read: function 1, 2, 3 or 4"),
  address: required(integer(0, 65_535), "first register, counted from 0 as on the wire: 40001 in a manual is holding 0"),
  count: required(integer(1, COILS_MAX, "registers"), "how many; 125 registers or 2,000 coils at most"),
  interval: optional(duration("20ms", "1d"), "10s", "how often each of the units is asked"),
  registers: required(list(registerOptions, { min: 1, max: COILS_MAX }), "what lies in them"),
};

const busKeys = {
  units: required(list(unitOptions, { min: 1, max: UNITS_MAX, check: checkUnits }), "the units on this bus"),
  polls: optional(
    list(fields(pollKeys, checkPoll), { max: POLLS_MAX, check: checkPollNames }),
    [],
    "what they are asked, and how often",
  ),
  subject: optional(
    subjectTemplate(["name", "unit", "poll", "field"]),
    "sensors.{name}.{unit}.{field}",
    "where their values are published; without {field} one JSON object a poll",
  ),
  units_in: optional(
    oneOf(["headers", "members", "none"]),
    "headers",
    'where the units of values are told: headers: Petiole-Unit beside the value; members: { "value": 230.1, "unit": "V" }',
  ),
  timeout: optional(
    duration("10ms", "30s"),
    "500ms",
    "how long a unit may think; the time that question and answer take on the line comes on top",
  ),
  retries: optional(integer(0, 10), 1, "how often a question is repeated before the unit counts as silent"),
  slow_down: optional(duration("1s", "1d"), "1m", "a silent unit is asked ever less often, down to once in this time"),
  gap: optional(duration("0ms", "1s"), "0ms", "silence before each question, beyond the 3.5 characters of the standard"),
  echo: optional(
    oneOf(["auto", "on", "off"]),
    "auto",
    "does the adapter hear what it sends itself, as many of two wires do; auto: found out with the first question",
  ),
};

export const modbusOptions = fields(busKeys, checkReferences);

export type ModbusOptions = ValueOf<typeof modbusOptions>;
export type ModbusPollOptions = FieldsValue<typeof pollKeys>;
export type ModbusRegisterOptions = ValueOf<typeof registerOptions>;

function checkPoll(poll: NonNullable<Loose<ModbusPollOptions>>, report: Report): void {
  const { table, address, count, registers } = poll;
  if (table === undefined || address === undefined || count === undefined) return;
  const isBits = table === "coils" || table === "discrete";
  if (!isBits && count > REGISTERS_MAX) {
    const remedy = "make two polls of it";
    report.fault(["count"], { wanted: `at most ${REGISTERS_MAX} registers of ${table}`, found: String(count), remedy });
  }
  if (address + count > 65_536) {
    const remedy = "addresses are counted from 0 in each table, without the 3 or 4 in front that manuals write";
    report.fault(["count"], { wanted: "registers up to address 65535", found: `${address} and ${count} from there`, remedy });
  }
  checkRegisters(registers ?? [], isBits, (at, fault) => report.fault(["registers", ...at], fault));
  for (const [i, register] of (registers ?? []).entries()) {
    if (register?.offset === undefined || register.type === undefined || register.length === undefined) continue;
    const words = isBits ? 1 : wordsOf(register.type, register.length);
    if (register.offset + words <= count) continue;
    report.fault(["registers", i, "offset"], {
      wanted: `a value within the ${count} that the poll reads`,
      found: `${words} from offset ${register.offset}`,
      remedy: "raise count, or mend the offset",
    });
  }
}

function checkUnits(units: readonly Loose<ValueOf<typeof unitOptions>>[], report: Report): void {
  checkUnique(units, "unit", "an address", report);
  checkUnique(units, "name", "a name", report);
}

function checkPollNames(polls: readonly Loose<ModbusPollOptions>[], report: Report): void {
  checkUnique(polls, "name", "a name", report);
}

function checkUnique<K extends string>(
  items: readonly (undefined | { readonly [key in K]?: string | number | undefined })[],
  key: K,
  what: string,
  report: Report,
): void {
  const seen = new Map<string | number, number>();
  for (const [i, item] of items.entries()) {
    const value = item?.[key];
    if (value === undefined) continue;
    const earlier = seen.get(value);
    if (earlier === undefined) seen.set(value, i);
    else {
      const found = `${JSON.stringify(value)} again (number ${earlier + 1} of the list has it)`;
      report.fault([i, key], { wanted: `${what} of its own`, found, remedy: "change one of the two" });
    }
  }
}

/** Every poll of every unit has its place in one table, which is looked through for each question. */
const QUESTIONS_MAX = 4096;

function checkReferences(bus: NonNullable<Loose<FieldsValue<typeof busKeys>>>, report: Report): void {
  const { units, polls } = bus;
  if (units === undefined || units.some((unit) => unit?.unit === undefined)) return;
  const known = new Set(units.map((unit) => unit?.unit));
  const questions = (polls ?? []).reduce((sum, poll) => sum + (poll?.units?.length ?? units.length), 0);
  if (questions > QUESTIONS_MAX) {
    const found = `${questions} questions to ${units.length} units`;
    report.fault(["polls"], {
      wanted: `at most ${QUESTIONS_MAX} questions`,
      found,
      remedy: "join polls whose registers lie together",
    });
  }
  for (const [i, poll] of (polls ?? []).entries()) {
    for (const [k, unit] of (poll?.units ?? []).entries()) {
      if (unit === undefined || known.has(unit)) continue;
      const remedy = 'add it under "units", or take it out here';
      report.fault(["polls", i, "units", k], { wanted: "one of the bus's units", found: String(unit), remedy });
    }
  }
}
