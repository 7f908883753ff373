import assert from "node:assert/strict";
import { test } from "node:test";
import { format2, GROUP_BYTES_MAX, GROUP_HEADER_BYTES, type GroupFields, readGroupHeader } from "#journal/group.ts";
import { GroupReader } from "#journal/group-reader.ts";
import { GroupWriter } from "#journal/group-writer.ts";
import type { Packer } from "#journal/packer.ts";
import { isWhole, packRecords, unpackRecords } from "#journal/packing.ts";
import { recordBytes, recordSeq } from "#journal/record.ts";
import { SegmentSeal } from "#journal/sealing.ts";
import type { SegmentHeader } from "#journal/segment-header.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { BOOT, COMPRESSED, isExhaustive, layOut, type NewRecord, numbered } from "./harness.ts";

const SALT = 0x1234_5678;

function fieldsOf(records: readonly NewRecord[], laidOutBytes: number): GroupFields {
  const times = records.map(({ seq, time = 1000 + seq }) => time);
  return {
    ...{ storedBytes: 0, packedBytes: 0, beginsAppend: true, isCompressed: false, isSealed: false },
    ...{ laidOutBytes, count: records.length, firstSeq: records[0]!.seq, lastSeq: records.at(-1)!.seq },
    newestTime: times.reduce((newest, time) => (time > newest ? time : newest), Number.NEGATIVE_INFINITY),
    hasExactTimes: !times.every(isWhole),
  };
}

function packed(records: readonly NewRecord[]) {
  const { slab, end } = layOut(records);
  const fields = fieldsOf(records, end);
  const target = Buffer.alloc(end);
  const bytes = target.subarray(0, packRecords(slab, 0, end, fields, target, 0));
  return { slab, bytes, fields };
}

const CASES: Readonly<Record<string, readonly NewRecord[]>> = {
  "numbers without gaps": numbered(1, 50),
  "an empty body": [{ seq: 1, body: "" }],
  "gaps up to 2^32": [1, 3, 200, 70_000, 2 ** 32].map((seq) => ({ seq, body: "x", time: 5 })),
  "the largest numbers": [2 ** 53 - 3, 2 ** 53 - 1].map((seq) => ({ seq, body: "x" })),
  "times that go back, and negative ones": [5, -3, 1.7e12, 0, 1e12].map((time, index) => ({ seq: index + 1, body: "b", time })),
  "times with fractions": [0.25, 1e12 + 0.5, -0.125].map((time, index) => ({ seq: index + 1, body: "b", time })),
  "times beyond all reason": [Number.MAX_VALUE, -1e300, 2 ** 60, Number.NEGATIVE_INFINITY, -0].map((time, index) => ({
    ...{ seq: index + 1, body: "b" },
    time,
  })),
};

for (const [name, records] of Object.entries(CASES)) {
  test(`${name}: what is packed comes out as it was, and no larger`, () => {
    const { slab, bytes, fields } = packed(records);
    assert.ok(bytes.length <= slab.length);
    const target = Buffer.alloc(slab.length + 3);
    assert.ok(unpackRecords(bytes, 0, bytes.length, fields, target, 3));
    assert.deepEqual(target.subarray(3), slab);
  });
}

test("a record of 120 bytes that follows the one before takes two bytes more than its body", () => {
  const { bytes } = packed(numbered(1, 50, 120));
  assert.equal(bytes.length, 50 * 122);
});

test("packed bytes that are cut short, too long or altered are refused or stay within what was claimed", () => {
  const { bytes, fields } = packed(CASES["gaps up to 2^32"]!);
  const target = Buffer.alloc(fields.laidOutBytes + 64, 0xaa);
  const guard = Buffer.alloc(64, 0xaa);
  for (let end = 0; end < bytes.length; end++) assert.ok(!unpackRecords(bytes, 0, end, fields, target, 0));
  assert.ok(!unpackRecords(Buffer.concat([bytes, Buffer.alloc(1)]), 0, bytes.length + 1, fields, target, 0));
  const random = seededRandom(5);
  for (let round = 0; round < 5000; round++) {
    const altered = Buffer.from(bytes);
    for (let flips = 1 + Math.floor(random() * 6); flips > 0; flips--)
      altered[Math.floor(random() * altered.length)] = random() * 256;
    unpackRecords(altered, 0, altered.length, fields, target, 0);
    assert.deepEqual(target.subarray(fields.laidOutBytes), guard);
  }
  assert.ok(!unpackRecords(Buffer.alloc(40, 0xff), 0, 40, fields, target, 0), "a number without an end");
});

function written(records: readonly NewRecord[], packer: Packer | null = COMPRESSED.packer!, seal?: SegmentSeal) {
  const { slab, end } = layOut(records);
  return {
    slab,
    groups: Buffer.from(new GroupWriter(packer ?? undefined).encode(slab, 0, end, { salt: SALT, offset: 224, seal })),
  };
}

function runOf(groups: Buffer, laidOutBytes: number) {
  return {
    ...{ is: "records" as const, format: format2, slab: groups, start: 0, end: groups.length, count: 0, firstSeq: 0, lastSeq: 0 },
    ...{ newestTime: 0, laidOutBytes, lastAppendAt: 0, endOffset: 224 + groups.length },
  };
}

test("an append is cut into groups of 64 KiB, of which the first is marked; a large record has one to itself", () => {
  const records = [...numbered(1, 1000, 120), { seq: 1001, body: "x".repeat(200_000) }, ...numbered(1002, 1010)];
  const { slab, groups } = written(records, null);
  const found = [];
  for (let at = 0; at < groups.length; at += format2.unitBytes(groups, at)) {
    assert.ok(format2.headerHolds(groups, at, SALT) && format2.bodyHolds(groups, at, SALT));
    found.push(readGroupHeader(groups, at));
  }
  assert.deepEqual(
    found.map(({ beginsAppend }) => beginsAppend),
    [true, false, false, false, false],
  );
  assert.deepEqual(
    found.map(({ count }) => count),
    [442, 442, 116, 1, 9],
  );
  assert.ok(found.every(({ laidOutBytes, count }) => laidOutBytes <= GROUP_BYTES_MAX || count === 1));
  const { slab: again, start, end, count, bad } = new GroupReader(undefined, undefined).layOut(runOf(groups, slab.length));
  assert.deepEqual([count, bad], [1010, []]);
  assert.deepEqual(again.subarray(start, end), slab);
});

test("numbers too far apart for one group go into two", () => {
  const { groups } = written([1, 2 ** 32 + 1, 2 ** 32 + 2].map((seq) => ({ seq, body: "far" })));
  const second = format2.unitBytes(groups, 0);
  assert.deepEqual(
    [format2.count(groups, 0), format2.firstSeq(groups, second), format2.count(groups, second)],
    [1, 2 ** 32 + 1, 2],
  );
});

test("every flip of a bit in a group breaks its header or its body", () => {
  const { groups } = written(numbered(1, 5));
  for (let bit = 0; bit < groups.length * 8; bit++) {
    const slab = Buffer.from(groups);
    slab[bit >> 3]! ^= 1 << (bit & 7);
    if (bit >> 3 < GROUP_HEADER_BYTES) assert.ok(!format2.headerHolds(slab, 0, SALT), `bit ${bit}`);
    else assert.ok(format2.headerHolds(slab, 0, SALT) && !format2.bodyHolds(slab, 0, SALT), `bit ${bit}`);
  }
  assert.ok(!format2.headerHolds(groups, 0, SALT + 1), "another segment's salt");
});

const headerOf = (seed: number): SegmentHeader => ({
  ...{ version: 2, number: 7, epoch: 3, salt: SALT, firstSeq: 1, born: 1.5, uptime: 12.25, generation: 0, boot: BOOT },
  seed: Buffer.alloc(16, seed),
  staleBytes: 0,
});

test("a sealed group shows neither subject nor payload, and opens with its key at its place only", () => {
  const seal = new SegmentSeal(Buffer.alloc(32, 1), headerOf(2));
  const records = numbered(1, 12, 100);
  const { slab, groups } = written(records, COMPRESSED.packer!, seal);
  assert.ok(!groups.includes("body 1"));
  const run = runOf(groups, slab.length);
  const open = (by: SegmentSeal | undefined, where = run) => new GroupReader(COMPRESSED.packer, by).layOut(where);
  assert.deepEqual(open(seal).slab, slab);
  const seqs = { first: 1, last: 12 };
  const bad = [{ is: "bad", from: 224, to: 224 + groups.length, seqs }];
  assert.deepEqual(open(undefined).bad, bad);
  assert.deepEqual(open(new SegmentSeal(Buffer.alloc(32, 9), headerOf(2))).bad, bad);
  assert.deepEqual(open(new SegmentSeal(Buffer.alloc(32, 1), headerOf(3))).bad, bad);
  assert.equal(open(seal, { ...run, endOffset: run.endOffset + 1 }).bad.length, 1, "moved");
  for (const other of [{ number: 8 }, { epoch: 4 }, { boot: null }, { generation: 1 }, { firstSeq: 2 }, { uptime: 0 }]) {
    const elsewhere = new SegmentSeal(Buffer.alloc(32, 1), { ...headerOf(2), ...other });
    assert.equal(open(elsewhere).bad.length, 1, `under a header with another ${Object.keys(other)[0]}`);
  }
  const renumbered = Buffer.from(groups);
  renumbered.writeUInt32LE(77, 24);
  assert.equal(open(seal, { ...run, slab: renumbered }).bad.length, 1, "renumbered");
});

test("a forged group whose checksums hold costs itself, not the memory", () => {
  const { groups } = written(numbered(1, 400, 100));
  const random = seededRandom(9);
  assert.ok(readGroupHeader(groups, 0).isCompressed);
  for (let round = 0; round < (isExhaustive ? 2000 : 400); round++) {
    const forged = Buffer.from(groups);
    for (let flips = 1 + Math.floor(random() * 4); flips > 0; flips--) {
      forged[GROUP_HEADER_BYTES + Math.floor(random() * (forged.length - GROUP_HEADER_BYTES))] = random() * 256;
    }
    const { slab, start, end, count, bad } = new GroupReader(COMPRESSED.packer, undefined).layOut(runOf(forged, 400 * 128));
    let walked = 0;
    for (let at = start; at < end; at += recordBytes(slab, at)) if (recordSeq(slab, at) > 0) walked += 1;
    assert.equal(walked, count);
    assert.ok(count === 400 || bad.length === 1);
  }
});
