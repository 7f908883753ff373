import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "#base/decode.ts";
import { formatFault } from "#base/fault.ts";
import { CHECKSUM_NAMES, Checksum, type ChecksumName } from "#ingress/serial/framers/checksum.ts";
import { type FramingOptions, framingOptions } from "#ingress/serial/framing-options.ts";
import { hear } from "../../../../support/framings.ts";

/** Of "123456789", as the catalogue has them. */
const CATALOGUE: Readonly<Record<ChecksumName, string>> = {
  sum8: "dd",
  lrc8: "23",
  xor8: "31",
  crc8: "f4",
  crc8_maxim: "a1",
  sum16: "01dd",
  crc16_modbus: "4b37",
  crc16_arc: "bb3d",
  crc16_kermit: "2189",
  crc16_x25: "906e",
  crc16_ccitt: "29b1",
  crc16_xmodem: "31c3",
  crc32: "cbf43926",
};

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

function settings(given: Readonly<Record<string, unknown>>): FramingOptions {
  const decoded = decode(framingOptions, given);
  assert.ok("value" in decoded, decoded.faults.map(formatFault).join("; "));
  return decoded.value;
}

const faults = (given: Readonly<Record<string, unknown>>) => decode(framingOptions, given).faults.map(formatFault);

test("each checksum is that of the catalogue, in either order of bytes, as bytes and as hex digits", () => {
  assert.deepEqual([...CHECKSUM_NAMES], Object.keys(CATALOGUE));
  for (const type of CHECKSUM_NAMES) {
    const big = CATALOGUE[type];
    const little = hex(big).reverse().toString("hex");
    const data = Buffer.from("..123456789");
    for (const endian of ["big", "little"] as const) {
      const told = endian === "big" ? big : little;
      const bytes = Buffer.concat([data, hex(told)]);
      const digits = Buffer.concat([data, Buffer.from(told.toUpperCase())]);
      assert.equal(new Checksum({ type, from: 2, endian, as: "bytes" }).isRight(bytes, 0, bytes.length), true, type);
      assert.equal(new Checksum({ type, from: 2, endian, as: "hex" }).isRight(digits, 0, digits.length), true, type);
      assert.equal(new Checksum({ type, from: 1, endian, as: "bytes" }).isRight(bytes, 0, bytes.length), false, type);
    }
  }
});

test("a frame that is nothing but a checksum, or shorter, is none, and what are no digits are no checksum", () => {
  const crc = new Checksum({ type: "crc16_xmodem", from: 0, endian: "big", as: "bytes" });
  for (const frame of ["", "00", "0000"]) assert.equal(crc.isRight(hex(frame), 0, frame.length / 2), false, frame);
  const digits = new Checksum({ type: "sum8", from: 0, endian: "big", as: "hex" });
  assert.equal(digits.isRight(Buffer.from("\x00+0"), 0, 3), false);
  assert.equal(digits.isRight(Buffer.from("\x0000"), 0, 3), true);
});

test("a frame is handed on without its checksum; a wrong one is counted with the frame", () => {
  const line = settings({ type: "line", checksum: "xor8", checksum_as: "hex" });
  assert.deepEqual(hear(line, [Buffer.from("12330\n12300\r\n45601\n")]).events, [
    "31323330".slice(0, 6),
    "checksum 5",
    "checksum 5",
  ]);
});

test("a mark within the data does not hold the framer: the checksum shows the true beginning", () => {
  const frame = Buffer.from([0xaa, 1, 0xaa, 2, 0x9c]);
  const fixed = settings({ type: "fixed", length: 5, start: "hex:aa", checksum: "crc8" });
  const stream = Buffer.concat([frame.subarray(2), frame, frame, frame]);
  const { events } = hear(fixed, [stream]);
  assert.deepEqual(events, ["checksum 5", ...Array(3).fill("aa01aa02")]);
});

test("without a mark, a checksum of 16 bits finds the next frame; one of 8 bits leaves it to silence", () => {
  const frames = Buffer.from(
    "313233343536373839 31c3 313233343536373839 31c3 313233343536373839 31c3".replaceAll(" ", ""),
    "hex",
  );
  const fixed = settings({ type: "fixed", length: 11, checksum: "crc16_xmodem" });
  assert.deepEqual(hear(fixed, [frames.subarray(3)]).events, ["checksum 11", ...Array(2).fill("313233343536373839")]);
  const sums = hex("0102 03 0102 03 0102 03");
  const short = settings({ type: "fixed", length: 3, checksum: "sum8" });
  assert.deepEqual(hear(short, [sums.subarray(1)]).frames, []);
});

test("a checksum that does not go with its framing is a fault", () => {
  assert.deepEqual(settings({ type: "cobs", checksum: "crc16_modbus" }), {
    type: "cobs",
    maxFrame: 4096,
    checked: { type: "crc16_modbus", from: 0, endian: "little", as: "bytes" },
  });
  assert.match(
    faults({ type: "line", checksum: "required" })[0] ?? "",
    /^checksum: wants one of sum8, .*found "required".*name the algorithm/,
  );
  assert.match(faults({ type: "nmea", checksum: "xor8" })[0] ?? "", /^checksum: wants "required" or "optional", found "xor8"/);
  assert.match(faults({ type: "modbus_rtu", checksum: "xor8" })[0] ?? "", /^checksum: wants no such key with type "modbus_rtu"/);
  assert.match(faults({ checksum_from: 1 })[0] ?? "", /^checksum_from: wants a checksum with it/);
  assert.match(faults({ type: "fixed", length: 4, checksum: "crc32" })[0] ?? "", /^length: wants more than the checksum/);
  assert.match(faults({ checksum: "crc64" })[0] ?? "", /^checksum: wants/);
});
