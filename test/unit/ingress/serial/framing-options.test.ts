import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { formatFault } from "#base/fault.ts";
import { framingOptions } from "#ingress/serial/framing-options.ts";

function faults(json: unknown): string[] {
  return decode(framingOptions, json).faults.map(formatFault);
}

function value(json: unknown): unknown {
  const decoded = decode(framingOptions, json);
  assert.deepEqual(decoded.faults, []);
  return "value" in decoded ? decoded.value : undefined;
}

test("each type has its own keys and its own defaults", () => {
  assert.deepEqual(value({}), { type: "line", maxFrame: 4096 });
  assert.deepEqual(value({ type: "slip", max_frame: "64B" }), { type: "slip", maxFrame: 64 });
  assert.deepEqual(value({ type: "delimiter", delimiter: "\\r\\n" }), { type: "delimiter", maxFrame: 4096, delimiter: "\r\n" });
  assert.deepEqual(value({ type: "fixed", length: 12 }), { type: "fixed", maxFrame: 4096, length: 12, start: "", gap: 250 });
  assert.deepEqual(value({ type: "length_prefix", start: "hex: AA 55" }), {
    type: "length_prefix",
    maxFrame: 4096,
    start: "\xaa\x55",
    gap: 250,
    headerOffset: 2,
    lengthBytes: 1,
    endian: "big",
    lengthIncludesHeader: false,
    lengthAdd: 0,
  });
  assert.deepEqual(value({ type: "start_end", start: "\\x02", end: "ETX\\\\" }), {
    type: "start_end",
    maxFrame: 4096,
    start: "\x02",
    end: "ETX\\",
  });
  assert.deepEqual(value({ type: "idle_gap" }), { type: "idle_gap", maxFrame: 4096, gap: null });
  assert.deepEqual(value({ type: "nmea" }), { type: "nmea", maxFrame: 4096, checksum: "required" });
  assert.deepEqual(value({ type: "modbus_rtu", gap: "30ms" }), { type: "modbus_rtu", maxFrame: 4096, gap: 30 });
});

test("a key of another type is a fault that says where it belongs", () => {
  assert.deepEqual(faults({ type: "line", length: 3 }), [
    'length: wants no such key with type "line", found one: take it out, or choose type "fixed"',
  ]);
  assert.deepEqual(faults({ gap: "1s", checksum: "optional" }), [
    'gap: wants no such key with type "line", found one: take it out, or choose type "fixed" or "length_prefix" or "idle_gap" or "modbus_rtu"',
    'checksum: wants one of sum8, lrc8, xor8, crc8, crc8_maxim, sum16, crc16_modbus, crc16_arc, crc16_kermit, crc16_x25, crc16_ccitt, crc16_xmodem, crc32, found "optional": such words are for nmea; name the algorithm',
  ]);
  assert.deepEqual(faults({ type: "line", length: null }), []);
});

test("a key that a type cannot do without is asked for", () => {
  assert.deepEqual(faults({ type: "delimiter" }), [
    'delimiter: wants a value for type "delimiter", found nothing: this type cannot do without',
  ]);
  assert.deepEqual(faults({ type: "start_end", start: "<" }), [
    'end: wants a value for type "start_end", found nothing: this type cannot do without',
  ]);
});

test("a key nobody knows is a fault with the nearest one", () => {
  assert.deepEqual(faults({ type: "fixed", lenght: 3, length: 3 }), ['lenght: there is no such key: did you mean "length"?']);
});

test("sizes that contradict each other are faults", () => {
  assert.match(
    faults({ type: "fixed", length: 100, max_frame: "64B" })[0] ?? "",
    /^length: wants at most max_frame \(64 bytes\)/,
  );
  assert.match(faults({ type: "fixed", length: 2, start: "abc" })[0] ?? "", /^start: wants at most length/);
  assert.match(
    faults({ type: "length_prefix", start: "abc", header_offset: 2 })[0] ?? "",
    /^header_offset: wants at least the 3 bytes/,
  );
  assert.match(faults({ type: "idle_gap", gap: "0ms" })[0] ?? "", /^gap: wants a silence/);
});

test("bytes are written plainly, with escapes or in hex, and no other way", () => {
  const delimiter = (text: string) => value({ type: "delimiter", delimiter: text }) as { delimiter: string };
  assert.equal(delimiter("\\0\\t\\x7fé").delimiter, "\0\t\x7f\xc3\xa9");
  assert.equal(delimiter("hex:0D0a").delimiter, "\r\n");
  for (const wrong of ["\\q", "hex:0", "hex:", "hex:zz", "a\\"]) {
    assert.match(faults({ type: "delimiter", delimiter: wrong })[0] ?? "", /^delimiter: wants .*: write plain characters/, wrong);
  }
  assert.match(faults({ type: "delimiter", delimiter: "12345678901234567" })[0] ?? "", /found 17 bytes: the limit is 16/);
});
