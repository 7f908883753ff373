import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "#base/crc32c.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const whole = (bytes: Uint8Array) => crc32c(bytes, 0, bytes.length);

test("CRC-32C gives the values of RFC 3720, appendix B.4", () => {
  assert.equal(whole(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(whole(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.equal(whole(Buffer.from(Array.from({ length: 32 }, (_, i) => i))), 0x46dd794e);
  assert.equal(whole(Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i))), 0x113fdb5c);
});

test("CRC-32C of the usual check text and of nothing", () => {
  assert.equal(whole(Buffer.from("123456789")), 0xe3069283);
  assert.equal(whole(Buffer.alloc(0)), 0);
  assert.equal(crc32c(Buffer.alloc(0), 0, 0, 0xdeadbeef), 0xdeadbeef);
});

test("a text taken in two pieces, at every split, has the checksum of the whole", () => {
  const random = seededRandom(1);
  const bytes = Buffer.from(Array.from({ length: 61 }, () => Math.floor(random() * 256)));
  for (let split = 0; split <= bytes.length; split++) {
    assert.equal(crc32c(bytes, split, bytes.length, crc32c(bytes, 0, split)), whole(bytes));
  }
});

test("only the named range counts, wherever it lies, and agrees with the bit by bit definition", () => {
  const random = seededRandom(2);
  const bytes = Buffer.from(Array.from({ length: 80 }, () => Math.floor(random() * 256)));
  for (let start = 0; start < 20; start++) {
    for (let end = start; end < bytes.length; end++)
      assert.equal(crc32c(bytes, start, end), bitByBit(bytes.subarray(start, end)));
  }
});

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
