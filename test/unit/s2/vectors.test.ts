// Every vector of test/fixtures/s2-vectors/, as streams through the reader and as blocks through the module, and through the
// oracle, which has to be right before anything is compared with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "#base/errors.ts";
import { openS2Codec } from "#s2/codec.ts";
import { S2Reader } from "#s2/reader.ts";
import { bytesOf } from "../../support/s2-inputs.ts";
import { decodeBlock, decodeStream, S2Refusal } from "../../support/s2-oracle.ts";
import { CATEGORY_OF, decodeBare, readWhole, SCHEDULES } from "../../support/s2-reading.ts";
import { type Digest, encodedBytes, readManifest, sha256 } from "../../support/s2-vectors.ts";

const CHUNK_BYTES_MAX = 4_194_304;
/** Longer vectors are not fed byte by byte, and not as bare blocks to the oracle's many copies. */
const SLOW_BYTES_MAX = 20_000;

const { inputs, valid, invalid } = readManifest();
const codec = openS2Codec();

function assertDigest(found: Uint8Array, wanted: Digest, what: string): void {
  assert.equal(found.length, wanted.len, what);
  assert.equal(sha256(found), wanted.sha256, what);
}

test("the vectors are all there", () => {
  assert.equal(valid.length, 239);
  assert.equal(invalid.length, 131);
  for (const [name, input] of Object.entries(inputs)) assertDigest(bytesOf(input.recipe), input, name);
});

test("every valid stream is read to its plaintext, however it is cut", () => {
  const streams = valid.filter(({ kind }) => kind === "stream");
  assert.ok(streams.length > 200);
  for (const vector of streams) {
    const bytes = encodedBytes(vector);
    for (const [name, cut] of Object.entries(SCHEDULES)) {
      if (name === "byte by byte" && bytes.length > SLOW_BYTES_MAX) continue;
      const { plain, error } = readWhole(codec, cut(bytes), CHUNK_BYTES_MAX);
      assert.equal(error, undefined, `${vector.name}, ${name}`);
      assertDigest(plain, vector, `${vector.name}, ${name}`);
    }
  }
});

test("every invalid stream is refused for its reason, with what came before delivered, however it is cut", () => {
  const streams = invalid.filter(({ kind }) => kind === "stream");
  assert.ok(streams.length > 80);
  for (const vector of streams) {
    const bytes = encodedBytes(vector);
    for (const [name, cut] of Object.entries(SCHEDULES)) {
      if (name === "byte by byte" && bytes.length > SLOW_BYTES_MAX) continue;
      const { plain, error } = readWhole(codec, cut(bytes), CHUNK_BYTES_MAX);
      assert.ok(error instanceof ProtocolError, `${vector.name}, ${name}: ${vector.reason}`);
      assert.equal(CATEGORY_OF[error.code], vector.category, `${vector.name}, ${name}: ${error.message}`);
      assert.match(error.message, /^S2 chunk at byte \d+(, byte \d+)?: .+(wanted|limit is) /, vector.name);
      assert.equal(typeof error.offset, "number");
      assertDigest(plain, vector.delivered!, `${vector.name}, ${name}`);
    }
  }
});

test("every valid block is decoded, every invalid one is refused", () => {
  let accepted = 0;
  for (const vector of valid.filter(({ kind }) => kind === "block")) {
    const plain = decodeBare(codec, encodedBytes(vector), CHUNK_BYTES_MAX);
    assert.ok(plain !== undefined, vector.name);
    assertDigest(plain, vector, vector.name);
    accepted += 1;
  }
  let refused = 0;
  for (const vector of invalid.filter(({ kind }) => kind === "block")) {
    assert.equal(decodeBare(codec, encodedBytes(vector), CHUNK_BYTES_MAX), undefined, `${vector.name}: ${vector.reason}`);
    refused += 1;
  }
  assert.deepEqual([accepted, refused], [33, 44]);
});

test("the oracle agrees with every vector", () => {
  for (const vector of valid) {
    const bytes = encodedBytes(vector);
    if (vector.kind === "block") assertDigest(decodeBlock(bytes), vector, vector.name);
    else {
      const { pieces, refusal } = decodeStream(bytes);
      assert.equal(refusal, undefined, vector.name);
      assertDigest(Buffer.concat(pieces), vector, vector.name);
    }
  }
  for (const vector of invalid) {
    const bytes = encodedBytes(vector);
    if (vector.kind === "block") assert.throws(() => decodeBlock(bytes), S2Refusal, vector.name);
    else {
      const { pieces, refusal } = decodeStream(bytes);
      assert.equal(refusal, vector.category, vector.name);
      assertDigest(Buffer.concat(pieces), vector.delivered!, vector.name);
    }
  }
});

test("with the default limit of 1 MiB, only vectors with larger chunks are refused, for being too large", () => {
  let refused = 0;
  for (const vector of valid.filter(({ kind }) => kind === "stream")) {
    const reader = new S2Reader(codec);
    try {
      reader.read(encodedBytes(vector), () => undefined);
    } catch (error) {
      assert.ok(error instanceof ProtocolError && error.code === "S2_TOO_LARGE", vector.name);
      assert.ok(vector.len > 1_048_576, vector.name);
      refused += 1;
    }
  }
  assert.ok(refused > 0);
});
