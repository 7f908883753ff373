import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decode } from "#base/decode.ts";
import { formatFault } from "#base/fault.ts";
import {
  duration,
  either,
  fields,
  flag,
  integer,
  later,
  list,
  mapped,
  nullable,
  number,
  oneOf,
  optional,
  required,
  type Schema,
  size,
} from "#base/schema.ts";
import { filePath, listenAddress, secretText, text } from "#base/schema-text.ts";
import { Secret } from "#base/secret.ts";

const pump = fields(
  {
    name: required(text("a name"), "what we call it"),
    max_rate: optional(integer(1, 10, "litres"), 5, "how fast"),
    min_rate: optional(number(0, 10), 0.5, "how slow"),
    rest_time: optional(duration("1s", "1h"), "30s", "pause"),
    log_size: optional(size("1KiB", "1MiB"), "4KiB", "log"),
    mode: optional(oneOf(["slow", "fast"], { later: ["auto"] }), "slow", "mode"),
    password: optional(nullable(secretText("a password")), null, "password"),
    tags: optional(either({ text: mapped(text("a tag"), (tag) => [tag]), list: list(text("a tag"), { max: 2 }) }), [], "tags"),
    remote: later(flag(), false, "remote control"),
    delay: later(duration("0ms", "1s"), "0ms", "delay"),
  },
  ({ minRate, maxRate }, report) => {
    if (minRate === undefined || maxRate === undefined || minRate <= maxRate) return;
    report.fault(["max_rate"], { wanted: "at least min_rate", found: "less", remedy: "" });
  },
);
const site = fields({ pumps: optional(list(pump, { max: 3 }), [], "pumps") });

function faultsOf(schema: Schema<unknown>, json: unknown): string[] {
  return decode(schema, json).faults.map(formatFault);
}

test("what is left out takes its default, in the units of the code", () => {
  const decoded = decode(site, { pumps: [{ name: "p1" }] });
  assert.ok("value" in decoded);
  const [first] = decoded.value.pumps;
  assert.deepEqual(first, {
    name: "p1",
    maxRate: 5,
    minRate: 0.5,
    restTime: 30_000,
    logSize: 4096,
    mode: "slow",
    password: null,
    tags: [],
    remote: false,
    delay: 0,
  });
});

test("the value is frozen all the way down", () => {
  const decoded = decode(site, { pumps: [{ name: "p1", tags: "one" }] });
  assert.ok("value" in decoded);
  const [first] = decoded.value.pumps;
  assert.deepEqual(first!.tags, ["one"]);
  for (const part of [decoded.value, decoded.value.pumps, first, first!.tags]) assert.ok(Object.isFrozen(part));
});

test("every fault is told at once, with path, wanted, found and remedy", () => {
  const json = {
    pumps: [
      { nam: "p1", max_rate: 11, rest_time: 30, log_size: "64KB", mode: "auto" },
      { name: "", min_rate: 9, tags: [1, "b"], remote: true, delay: "5ms" },
      "p3",
    ],
    pump: [],
  };
  assert.deepEqual(faultsOf(site, json), [
    'pump: there is no such key: did you mean "pumps"?',
    'pumps[0].nam: there is no such key: did you mean "name"?',
    "pumps[0].name: is missing, wants a name",
    "pumps[0].max_rate: wants a whole number from 1 to 10 litres, found 11",
    'pumps[0].rest_time: wants a duration from "1s" to "1h", found 30: write a unit, as in "30s" or "30ms"',
    'pumps[0].log_size: wants a size from "1KiB" to "1MiB", found "64KB": units are powers of 1024 here: write "64KiB"',
    'pumps[0].mode: "auto" is not supported yet: use "slow" or "fast" for now',
    "pumps[1].name: wants a name, found an empty text",
    "pumps[1].tags[0]: wants a tag, found 1",
    "pumps[1].remote: true is not supported yet: leave it out or write false",
    'pumps[1].delay: "5ms" is not supported yet: leave it out or write "0ms"',
    "pumps[1].max_rate: wants at least min_rate, found less",
    "pumps[2]: wants an object, found a text",
  ]);
});

test("a key whose part does not exist yet takes its off value, however it is written", () => {
  assert.deepEqual(faultsOf(pump, { name: "p", remote: false, delay: "0s" }), []);
});

test("a list has its limits", () => {
  assert.deepEqual(faultsOf(site, { pumps: [1, 2, 3, 4] }), ["pumps: wants a list of at most 3, found a list of 4"]);
});

test("a secret is never in a fault, wherever it went", () => {
  const misplaced = [
    { password: { text: "hunter2" } },
    { password: ["hunter2"] },
    { pasword: "hunter2" },
    { password: "hunter2\n" },
    "hunter2",
  ];
  for (const json of misplaced) {
    const faults = JSON.stringify(decode(pump, json));
    assert.ok(faults.includes("path") && !faults.includes("hunter2"), faults);
  }
});

test("a secret decodes to a Secret", () => {
  const decoded = decode(pump, { name: "p", password: "hunter2" });
  assert.ok("value" in decoded && decoded.value.password instanceof Secret);
  assert.equal(decoded.value.password.reveal(), "hunter2");
});

test("a relative file path starts at the directory given", () => {
  const decoded = decode(list(filePath()), ["secrets/ca.pem", "/etc/ca.pem"], "/data");
  assert.deepEqual("value" in decoded && decoded.value, ["/data/secrets/ca.pem", "/etc/ca.pem"]);
});

test("listen addresses have a host and a port", () => {
  const decoded = decode(list(listenAddress()), ["127.0.0.1:1883", "[::1]:0", "localhost:65535"]);
  assert.deepEqual("value" in decoded && decoded.value, [
    { host: "127.0.0.1", port: 1883 },
    { host: "::1", port: 0 },
    { host: "localhost", port: 65_535 },
  ]);
  for (const bad of ["1883", ":1883", "host", "host:65536", "::1:80", "host:-1", "host:1883/x", "a b:1"]) {
    assert.equal(decode(listenAddress(), bad).faults.length, 1, bad);
  }
});

test("inherited names are unknown keys like any other", () => {
  const json = JSON.parse('{"name":"p","__proto__":{"max_rate":1},"constructor":1,"toString":2}');
  assert.deepEqual(
    decode(pump, json).faults.map((fault) => [fault.path, fault.kind]),
    [
      ["__proto__", "unknown"],
      ["constructor", "unknown"],
      ["toString", "unknown"],
    ],
  );
});

test("of thousands of unknown keys a hundred are told", () => {
  const json = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, 0]));
  const { faults } = decode(pump, json);
  assert.equal(faults.length, 100);
  assert.ok(faults.every(({ kind }) => kind === "unknown"));
  assert.equal("value" in decode(pump, { ...json, name: "p" }), false);
});

test("no JSON makes the decoder throw, and what it accepts has no faults", () => {
  const near = fc.record({
    pumps: fc.array(fc.dictionary(fc.constantFrom("name", "max_rate", "tags", "mode", "delay", "x"), fc.jsonValue())),
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), near), (json) => {
      const decoded = decode(site, json);
      for (const fault of decoded.faults) assert.ok(formatFault(fault).length > 0);
      return "value" in decoded === (decoded.faults.length === 0);
    }),
  );
});
