import assert from "node:assert/strict";
import { test } from "node:test";
import {
  beginsGroup,
  bodyBytes,
  bodyHolds,
  fillerHeader,
  headerHolds,
  RECORD_BODY_BYTES_MAX,
  RECORD_HEADER_BYTES,
  recordBytes,
  recordSeq,
  recordTime,
  sealRecord,
  writeHeader,
} from "#journal/record.ts";

const SALT = 0x9f1c22ab;

function sealed(seq: number, body: string, isFirst = true): Buffer {
  const slab = Buffer.alloc(RECORD_HEADER_BYTES + body.length);
  writeHeader(slab, 0, body.length, seq, 1234.5);
  slab.write(body, RECORD_HEADER_BYTES);
  sealRecord(slab, 0, SALT, isFirst);
  return slab;
}

test("a header says what was written into it, up to the largest seq and at any place in the slab", () => {
  for (const seq of [1, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER]) {
    const slab = Buffer.alloc(100, 0xaa);
    writeHeader(slab, 7, 33, seq, -0.5);
    assert.equal(recordSeq(slab, 7), seq);
    assert.equal(recordTime(slab, 7), -0.5);
    assert.equal(bodyBytes(slab, 7), 33);
    assert.equal(recordBytes(slab, 7), RECORD_HEADER_BYTES + 33);
    assert.equal(slab[6], 0xaa);
    assert.equal(slab[7 + RECORD_HEADER_BYTES], 0xaa);
  }
});

test("the layout on flash is what the README draws", () => {
  const bytes = sealed(0x1_0000_0002, "hi");
  assert.equal(bytes.toString("hex"), "f033af262dcaa01902000080020000000100000000000000004a93406869");
  assert.equal(bytes.readUInt32LE(8), 0x8000_0002);
  assert.equal(bytes.readUInt32LE(12), 2);
  assert.equal(bytes.readUInt32LE(16), 1);
  assert.equal(bytes.readDoubleLE(20), 1234.5);
});

test("a sealed record holds, with another salt it does not", () => {
  const slab = sealed(5, "body");
  assert.ok(headerHolds(slab, 0, SALT) && bodyHolds(slab, 0, SALT));
  assert.ok(!headerHolds(slab, 0, SALT + 1));
  assert.ok(!bodyHolds(slab, 0, SALT + 1));
});

test("the mark of a group's first record changes neither length nor seq, and sealing again sets it anew", () => {
  const slab = sealed(5, "body", true);
  assert.ok(beginsGroup(slab, 0));
  assert.equal(bodyBytes(slab, 0), 4);
  assert.equal(recordBytes(slab, 0), RECORD_HEADER_BYTES + 4);
  sealRecord(slab, 0, SALT, false);
  assert.ok(!beginsGroup(slab, 0));
  assert.ok(headerHolds(slab, 0, SALT) && bodyHolds(slab, 0, SALT));
});

test("a flip of any bit breaks the header or the body it is in", () => {
  const whole = sealed(77, "some body");
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const slab = Buffer.from(whole);
    slab[bit >> 3]! ^= 1 << (bit & 7);
    if (bit >> 3 < RECORD_HEADER_BYTES) assert.ok(!headerHolds(slab, 0, SALT), `bit ${bit}`);
    else assert.ok(headerHolds(slab, 0, SALT) && !bodyHolds(slab, 0, SALT), `bit ${bit}`);
  }
});

test("zeros, ones and lengths beyond the limit are no header, whatever their checksum", () => {
  assert.ok(!headerHolds(Buffer.alloc(RECORD_HEADER_BYTES), 0, SALT));
  assert.ok(!headerHolds(Buffer.alloc(RECORD_HEADER_BYTES, 0xff), 0, SALT));
  assert.ok(headerHolds(fillerHeader(RECORD_HEADER_BYTES + RECORD_BODY_BYTES_MAX, SALT), 0, SALT));
  assert.ok(!headerHolds(fillerHeader(RECORD_HEADER_BYTES + RECORD_BODY_BYTES_MAX + 1, SALT), 0, SALT));
});

test("a filler has seq 0 and covers what it should", () => {
  const header = fillerHeader(100, SALT);
  assert.equal(recordSeq(header, 0), 0);
  assert.equal(recordBytes(header, 0), 100);
  assert.ok(headerHolds(header, 0, SALT));
});
