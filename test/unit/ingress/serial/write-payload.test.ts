import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decode } from "#base/decode.ts";
import { type WritePayloadOptions, writePayloadOptions } from "#ingress/serial/write-options.ts";
import { encodePayload } from "#ingress/serial/write-payload.ts";

function options(settings: Readonly<Record<string, unknown>>): WritePayloadOptions {
  const decoded = decode(writePayloadOptions, settings);
  if (!("value" in decoded)) throw new Error(JSON.stringify(decoded.faults));
  return decoded.value;
}

function faults(settings: Readonly<Record<string, unknown>>): readonly string[] {
  return decode(writePayloadOptions, settings).faults.map(({ path, wanted }) => `${path}: ${wanted}`);
}

/** What is written, as latin1, or what is wrong. */
function encode(settings: Readonly<Record<string, unknown>>, payload: string | Buffer): string {
  const bytes = encodePayload(options(settings), Buffer.from(payload));
  return typeof bytes === "string" ? `fault: ${bytes}` : bytes.toString("latin1");
}

test("raw bytes go out as they are, with what ends a command behind them", () => {
  assert.equal(encode({}, Buffer.from([0, 255, 10])), "\0\xff\n");
  assert.equal(encode({ append: "\\r\\n" }, "PING"), "PING\r\n");
  assert.equal(encode({ append: "hex:0d" }, ""), "\r");
  assert.equal(encode({}, ""), "fault: empty");
});

test("text is checked: nobody ends a command and begins another inside of one", () => {
  assert.equal(encode({ type: "text", append: "\\n" }, "SET 5 °C"), Buffer.from("SET 5 °C\n").toString("latin1"));
  assert.equal(encode({ type: "text" }, "SET 5\nRESET"), "fault: text with a control character in it");
  assert.equal(encode({ type: "text" }, Buffer.from([0x41, 0xff])), "fault: not UTF-8 text");
});

test("hex is taken as people write it", () => {
  for (const text of ["01 0a ff", "010AFF", "01:0a:ff", "0x01, 0x0A, 0xFF", " 01-0a-ff\n"])
    assert.equal(encode({ type: "hex" }, text), "\x01\x0a\xff", text);
  assert.match(encode({ type: "hex" }, "01 0"), /^fault: not an even number/);
  assert.match(encode({ type: "hex" }, "zz"), /^fault: not an even number/);
  assert.equal(encode({ type: "hex" }, ""), "fault: empty");
});

test("a template takes texts, numbers and flags of a JSON object, and nothing else", () => {
  const json = { type: "json", template: "SET {channel} {value}", append: "\\r" };
  assert.equal(encode(json, '{"channel":3,"value":true,"more":1}'), "SET 3 true\r");
  assert.equal(encode(json, '{"channel":"a b","value":-1.5}'), "SET a b -1.5\r");
  assert.equal(encode(json, '{"channel":"{value}","value":1}'), "SET {value} 1\r", "what was filled in is not filled again");
  assert.equal(encode(json, '{"channel":3}'), 'fault: without the member "value"');
  assert.match(
    encode(json, '{"channel":3,"value":"1\\rRESET"}'),
    /^fault: with a member "value" that is no text without control/,
  );
  assert.match(encode(json, '{"channel":3,"value":null}'), /^fault: with a member "value"/);
  assert.equal(encode(json, '{"channel":3,"value":1e999}').startsWith("fault:"), true);
  for (const text of ["[]", "3", "", "{", "null"]) assert.equal(encode(json, text), "fault: not a JSON object", text);
  assert.match(encode({ type: "json", template: "{constructor}" }, "{}"), /^fault: without the member "constructor"/);
});

test("a template without its type, a type without its template and stray braces are faults of the settings", () => {
  assert.deepEqual(faults({ type: "json" }), ["template: a template, since the type is json"]);
  assert.deepEqual(faults({ template: "x" }), ["template: no template, since the type is raw"]);
  assert.deepEqual(faults({ type: "json", template: "SET {a" }), ["template: braces around members only"]);
  assert.equal(faults({ append: "hex:0" }).length, 1);
});

test("whatever comes, a template writes no control character", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("a", "b"), fc.jsonValue()), (members) => {
      const bytes = encodePayload(options({ type: "json", template: "X {a} {b}" }), Buffer.from(JSON.stringify(members)));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
      assert.ok(typeof bytes === "string" || !/[\u0000-\u001f\u007f]/.test(bytes.toString("utf8")));
    }),
  );
});
