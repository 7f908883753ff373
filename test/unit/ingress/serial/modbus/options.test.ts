import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { formatFault } from "#base/fault.ts";
import { modbusOptions } from "#ingress/serial/modbus/options.ts";

const UNITS = [
  { unit: 1, name: "meter" },
  { unit: 2, name: "pump" },
];
const POLL = { name: "p", address: 0, count: 2, registers: [{ name: "a" }] };

const faults = (bus: unknown) => decode(modbusOptions, bus).faults.map(formatFault);

test("a small bus needs few words, the rest has defaults", () => {
  const decoded = decode(modbusOptions, { units: UNITS, polls: [POLL] });
  assert.ok("value" in decoded);
  const { polls, ...bus } = decoded.value;
  assert.deepEqual(polls[0], {
    name: "p",
    units: null,
    table: "holding",
    address: 0,
    count: 2,
    interval: 10_000,
    registers: [
      { name: "a", offset: 0, type: "u16", words: "big", bytes: "big", bit: null, length: 1, scale: 1, add: 0, unit: null },
    ],
  });
  assert.deepEqual(bus, {
    units: UNITS,
    subject: "sensors.{name}.{unit}.{field}",
    unitsIn: "headers",
    timeout: 500,
    retries: 1,
    slowDown: 60_000,
    gap: 0,
    echo: "auto",
  });
});

test("what a bus cannot do is refused, each with a remedy", () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [{ units: [] }, /^units: wants/],
    [{ units: [...UNITS, { unit: 1, name: "x" }] }, /^units\[2\]\.unit: wants an address of its own/],
    [{ units: [...UNITS, { unit: 3, name: "pump" }] }, /^units\[2\]\.name: wants a name of its own/],
    [{ units: [{ unit: 248, name: "x" }] }, /^units\[0\]\.unit: wants a whole number from 1 to 247/],
    [{ units: UNITS, polls: [{ ...POLL, units: [1, 9] }] }, /^polls\[0\]\.units\[1\]: wants one of the bus's units, found 9/],
    [{ units: UNITS, polls: [POLL, POLL] }, /^polls\[1\]\.name: wants a name of its own/],
    [{ units: UNITS, polls: [{ ...POLL, count: 126 }] }, /^polls\[0\]\.count: wants at most 125 registers/],
    [{ units: UNITS, polls: [{ ...POLL, address: 65_535 }] }, /^polls\[0\]\.count: wants registers up to address 65535/],
    [
      { units: UNITS, polls: [{ ...POLL, registers: [{ name: "a", offset: 1, type: "f32" }] }] },
      /^polls\[0\]\.registers\[0\]\.offset: wants a value within the 2/,
    ],
    [{ units: UNITS, subject: "s.{port}" }, /^subject: wants/],
    [{ units: UNITS, speed: 5 }, /^speed: there is no such key/],
  ];
  for (const [bus, words] of wrong) {
    const found = faults(bus);
    assert.equal(found.length, 1, `${JSON.stringify(bus)}: ${found}`);
    assert.match(found[0]!, words);
  }
});

test("2,000 coils are one poll, and a table of more questions than can be looked through is refused", () => {
  const coils = { ...POLL, table: "coils", count: 2000, registers: [{ name: "last", offset: 1999 }] };
  assert.deepEqual(faults({ units: UNITS, polls: [coils] }), []);
  const units = Array.from({ length: 247 }, (_, i) => ({ unit: i + 1, name: `u${i + 1}` }));
  const polls = Array.from({ length: 17 }, (_, i) => ({ ...POLL, name: `p${i}` }));
  assert.match(faults({ units, polls })[0]!, /^polls: wants at most 4096 questions/);
  assert.deepEqual(faults({ units, polls: polls.slice(0, 16) }), []);
});
