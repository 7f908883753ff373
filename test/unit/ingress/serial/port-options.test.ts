import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { formatFault } from "#base/fault.ts";
import { serialOptions, serialPortOptions } from "#ingress/serial/options.ts";
import { serialPort } from "../../../support/serial-options.ts";

const MATCH = { vendor_id: "0403" };

function faults(settings: Readonly<Record<string, unknown>>): readonly string[] {
  return decode(serialPortOptions, { name: "a", match: MATCH, ...settings }).faults.map(formatFault);
}

test("a port needs a name and a way to recognise it; the rest has defaults, and commands are off", () => {
  const port = serialPort({ name: "a", match: MATCH });
  assert.equal(port.baudRate, 9600);
  assert.deepEqual([port.writeSubject, port.signalSubject, port.writeAnswer, port.modbus], [null, null, null, null]);
  assert.deepEqual([port.writeDeadline, port.writeQueue], [30_000, 16]);
  assert.deepEqual([port.silenceAfter, port.errorBudget, port.usbPowerCycle], [60_000, 60, false]);
  assert.deepEqual(port.reopen, { min: 500, max: 10_000, onSilence: false });
  assert.equal(faults({ match: {} }).length, 1);
});

test("a command's subject is literal, and another than the readings' and the lines' own", () => {
  assert.equal(faults({ write_subject: "cmd.{name}" }).length, 0);
  assert.match(faults({ write_subject: "cmd.*" })[0] ?? "", /^write_subject: wants a subject/);
  assert.match(faults({ write_subject: "cmd.{field}" })[0] ?? "", /the only placeholders here are {name}/);
  assert.match(faults({ write_subject: "c", signal_subject: "c" })[0] ?? "", /^signal_subject: wants a subject of its own/);
  assert.match(
    faults({ decode: { type: "text" }, subject: "s.a", write_subject: "s.a" })[0] ?? "",
    /^write_subject: wants another subject than that of the readings/,
  );
});

test("a subject may hold what its decoder can name, and nothing else", () => {
  assert.equal(faults({ decode: { type: "nmea" }, framing: { type: "nmea" }, subject: "s.{sentence}.{field}" }).length, 0);
  assert.match(
    faults({ subject: "s.{sentence}" })[0] ?? "",
    /^subject: wants a subject without {sentence} for decode type "json"/,
  );
  assert.match(faults({ decode: { type: "text" } })[0] ?? "", /without {field} for decode type "text"/);
});

test("two ports of one name are a fault, said where the second is", () => {
  const found = decode(serialOptions, [
    { name: "a", match: MATCH },
    { name: "a", match: { product_id: "6001" } },
  ]).faults.map(formatFault);
  assert.match(found[0] ?? "", /^\[1\]\.name: wants a name of its own, found "a" again/);
});

test("two ports that ask for the same device are a fault: which of them had it would be chance", () => {
  const found = decode(serialOptions, [
    { name: "a", match: { vendor_id: "0403", product_id: "600A" } },
    { name: "b", match: { vendor_id: "0403", product_id: "600a" } },
    { name: "c", match: { vendor_id: "0403", product_id: "600a", usb_port: "1-1.2" } },
  ]).faults.map(formatFault);
  assert.equal(found.length, 1);
  assert.match(found[0] ?? "", /^\[1\]\.match: wants a device of its own, found that of serial\[0\].*serial_number or usb_port/);
});

test("subjects that become the same once the name is in them are the same", () => {
  const found = faults({ write_subject: "cmd.{name}", signal_subject: "cmd.a" });
  assert.match(found[0] ?? "", /^signal_subject: wants a subject of its own/);
});

test("a bus of our own brings its own subject, and what cannot be asked is a fault of the settings", () => {
  const modbus = { units: [{ unit: 1, name: "m" }], polls: [] };
  assert.equal(faults({ modbus }).length, 0);
  assert.equal(faults({ modbus: { units: [] } }).length, 1);
});

test("what a bus of our own does not look at is a fault, not a setting that does nothing", () => {
  const modbus = { units: [{ unit: 1, name: "m" }], polls: [] };
  const idle = {
    framing: { type: "modbus_rtu" },
    decode: { type: "raw" },
    subject: "a.{field}",
    write_payload: { type: "hex" },
    write_answer: "1s",
  };
  const found = faults({ modbus, ...idle });
  assert.equal(found.length, 5, found.join("\n"));
  for (const [i, key] of Object.keys(idle).entries())
    assert.match(found[i] ?? "", new RegExp(`^${key}: wants no ${key} on a Modbus bus of our own, found one: take it out`));
  assert.equal(faults({ modbus, framing: {}, decode: { type: "json" } }).length, 0, "what changes nothing is nobody's fault");
});

test("keys that would do nothing for a value's type, and waits that contradict each other, are faults", () => {
  const layout = [
    { name: "a", type: "u8", bit: 3 },
    { name: "b", type: "bool", count: 2 },
    { name: "c", type: "u16", of: "u16" },
    { name: "d", type: "bits", of: "u16", bit: 9, count: 4 },
  ];
  const paths = (settings: Readonly<Record<string, unknown>>) => faults(settings).map((fault) => fault.split(":")[0]);
  assert.deepEqual(paths({ decode: { type: "struct", layout } }), [
    "decode.layout[0].bit",
    "decode.layout[1].count",
    "decode.layout[2].of",
  ]);
  const registers = [
    { name: "a", type: "u16", bit: 1 },
    { name: "b", type: "bit" },
    { name: "c", type: "text", length: 2, scale: 2 },
    { name: "d", type: "u32", length: 2 },
    { name: "e", type: "bit", bit: 0 },
  ];
  const poll = { name: "p", address: 0, count: 9, registers };
  assert.deepEqual(
    paths({ modbus: { units: [{ unit: 1, name: "m" }], polls: [poll, { ...poll, name: "q", table: "coils" }] } }),
    [
      ...["[0].bit", "[1].bit", "[2].scale", "[3].length"].map((at) => `modbus.polls[0].registers${at}`),
      ...["[0].bit", "[2].length", "[2].scale", "[3].length", "[4].bit"].map((at) => `modbus.polls[1].registers${at}`),
    ],
  );
  const listened = { type: "modbus", registers: [{ name: "a", address: 1, table: "coils", scale: 2 }] };
  assert.deepEqual(paths({ framing: { type: "modbus_rtu" }, decode: listened }), ["decode.registers[0].scale"]);
  assert.deepEqual(paths({ reopen: { min: "1m", max: "1s" } }), ["reopen.max"]);
});
