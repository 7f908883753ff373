import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyBytes, RECORD_HEADER_BYTES, recordBytes, recordSeq, recordTime, writeHeader } from "#journal/record.ts";

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
