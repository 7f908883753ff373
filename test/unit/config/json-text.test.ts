import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readJson } from "#config/json-text.ts";

function placeOf(text: string): string {
  const read = readJson(text);
  return "fault" in read
    ? `${read.fault.line}:${read.fault.column} wants ${read.fault.wanted}, found ${read.fault.found}`
    : "fine";
}

test("it reads what JSON.stringify writes", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      assert.deepEqual(readJson(text), { value: JSON.parse(text) });
    }),
  );
});

test("it takes and refuses exactly what JSON.parse does", () => {
  const pieces = fc.constantFrom(
    ...'{}[]:,"\\-+.eEu019ntf \n\t/',
    "true",
    "null",
    '"a"',
    '"\\u00e9"',
    "1e5",
    "\u0001",
    "é",
    '"\ud800"',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      let wanted: unknown;
      try {
        wanted = JSON.parse(text);
      } catch {
        assert.ok("fault" in readJson(text), text);
        return;
      }
      const read = readJson(text);
      if ("fault" in read)
        assert.match(read.fault.found, /already/); // a doubled key is the one thing we add
      else assert.deepEqual(read.value, wanted);
    }),
    { numRuns: 2000 },
  );
});

test("a mistake has a line, a column and a remedy in plain words", () => {
  assert.equal(placeOf('{\n  "a": 1\n  "b": 2\n}'), '3:3 wants a "," or a "}", found "\\""');
  assert.equal(placeOf('{\n  "a": 1,\n}'), '3:1 wants a key in double quotes, found a "}" after a "," (take the comma out)');
  assert.equal(placeOf('{ "a": 1 // one\n}'), '1:10 wants a "," or a "}", found a comment (JSON has none)');
  assert.equal(placeOf('{ "a": [1, 2'), '1:13 wants a "," or a "]", found the end of the file');
  assert.equal(placeOf("{ a: 1 }"), "1:3 wants a key in double quotes, found something without quotes");
  assert.equal(
    placeOf(`{ "a": "x`),
    "1:8 wants a closing quote for the text that begins here, found none up to the end of the file",
  );
  assert.equal(placeOf(""), "1:1 wants a value, found the end of the file");
  assert.equal(placeOf("{} {}"), '1:4 wants the end of the file after the document, found "{"');
});

test("a key that stands twice is a mistake, not silently the last one", () => {
  assert.equal(placeOf('{"a":1,"a":2}'), "1:8 wants each key once, found a key that this object has already");
});

test("every truncation of a document is found", () => {
  const text = JSON.stringify({ accounts: [{ name: "EDGE", n: -1.5e3, users: [null, true, "\u00e9\n"] }] });
  for (let end = 0; end < text.length; end++) assert.ok("fault" in readJson(text.slice(0, end)), text.slice(0, end));
  assert.ok("value" in readJson(text));
});

test("nesting has a limit, so that no document can exhaust the stack", () => {
  assert.match(placeOf("[".repeat(100_000)), /at most 64 levels/);
});

test("a fault quotes one character at most", () => {
  assert.ok(!placeOf('{"password": hunter2}').includes("hunter2"));
});

test("__proto__ is a key like any other", () => {
  const read = readJson('{"__proto__":{"x":1}}');
  assert.ok("value" in read && Object.hasOwn(read.value as object, "__proto__"));
  assert.equal(({} as { x?: number }).x, undefined);
});
