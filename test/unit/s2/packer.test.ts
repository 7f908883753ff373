import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "#base/crc32c.ts";
import { openS2Codec } from "#s2/codec.ts";
import { S2Packer } from "#s2/packer.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const packer = new S2Packer(openS2Codec());
const random = seededRandom(3);
const noise = Buffer.from(Array.from({ length: 70_000 }, () => Math.floor(random() * 256)));

test("what repeats gets smaller and comes back; what does not is left as it is", () => {
  for (const size of [32, 100, 1728, 65_536]) {
    const plain = Buffer.from('plant.7.sensor.1 {"value":17} '.repeat(3000)).subarray(7, 7 + size);
    const block = packer.compress(Buffer.concat([noise.subarray(0, 5), plain]), 5, 5 + size);
    if (block === null) {
      assert.equal(size, 32);
      continue;
    }
    assert.ok(block.length < size);
    const copy = Buffer.concat([noise.subarray(0, 3), block]);
    const target = Buffer.alloc(size);
    assert.ok(packer.expand(copy, 3, copy.length, target));
    assert.deepEqual(target, plain);
    assert.ok(!packer.expand(copy, 3, copy.length, Buffer.alloc(size - 1)));
    assert.ok(!packer.expand(copy, 3, copy.length, Buffer.alloc(size + 1)));
    assert.ok(!packer.expand(copy, 3, copy.length - 1, target));
  }
  for (const size of [0, 1, 31, 500, 65_536]) assert.equal(packer.compress(noise, 0, size), null);
});

test("hostile blocks are refused, or give what fits: never a fault, never more than asked for", () => {
  const block = Buffer.from(packer.compress(Buffer.from("abcdefgh".repeat(500)), 0, 4000)!);
  const guarded = Buffer.alloc(4100, 0xaa);
  for (let round = 0; round < 20_000; round++) {
    const forged = round % 2 === 0 ? Buffer.from(block) : Buffer.from(noise.subarray(round, round + 1 + (round % 300)));
    forged[Math.floor(random() * forged.length)] = random() * 256;
    packer.expand(forged, 0, forged.length, guarded.subarray(0, 4000));
  }
  assert.ok(guarded.subarray(4000).every((byte) => byte === 0xaa));
  assert.ok(!packer.expand(noise, 0, 66_000, Buffer.alloc(10)));
  assert.ok(!packer.expand(block, 0, block.length, Buffer.alloc(65_537)));
});

test("its checksum is the plain one, at every length about the thresholds, and goes on from any other", () => {
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919) >> 3));
  for (const length of [0, 1, 1023, 1024, 1025, 1344, 5119, 5120, 5121, 65_535, 65_536, 65_537, 131_072, 150_001]) {
    for (const seed of [0, 1, 0x9f1c22ab, 0xffffffff]) {
      assert.equal(packer.checksum(bytes, 3, 3 + length, seed), crc32c(bytes, 3, 3 + length, seed), `${length} from ${seed}`);
    }
  }
});
