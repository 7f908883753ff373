// Journals that released versions wrote. Every later version must read them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FakeDisk } from "../../support/fake-disk.ts";
import { append, COMPRESSED, DIRECTORY, openAs, readAll, type Stored } from "./harness.ts";

interface Expected {
  /** In hex; absent or null: nothing is encrypted. */
  readonly key?: string | null;
  /** Of the records of each start, in order; absent: none is told. */
  readonly boots?: readonly (string | null)[];
  readonly epoch: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly records: readonly Stored[];
}

const FIXTURES = join(import.meta.dirname, "../../fixtures");
const names = ["journal-v1", "journal-v2/plain", "journal-v2/compressed", "journal-v2/encrypted"];

test("there is a fixture of every format so far", () => {
  const folders = readdirSync(FIXTURES).filter((name) => name.startsWith("journal-v"));
  assert.deepEqual(folders, [...new Set(names.map((name) => name.replace(/\/.*/, "")))]);
});

for (const name of names) {
  test(`${name} is read, record for record, and goes on`, async () => {
    const expected: Expected = JSON.parse(readFileSync(join(FIXTURES, name, "expected.json"), "utf8"));
    const disk = new FakeDisk();
    for (const file of readdirSync(join(FIXTURES, name, "lane"))) {
      disk.plant(`${DIRECTORY}/${file}`, readFileSync(join(FIXTURES, name, "lane", file)));
    }
    const key = expected.key == null ? null : Buffer.from(expected.key, "hex");
    const flavor = { ...COMPRESSED, key };
    await using journal = await openAs(flavor, disk);
    const { damaged, foreign, newer, quarantined, unreadable, damagedCursors, tornBytes } = journal.recovery;
    assert.deepEqual(
      { damaged, foreign, newer, quarantined, unreadable, damagedCursors, tornBytes },
      {
        damaged: [],
        foreign: [],
        newer: [],
        quarantined: [],
        unreadable: [],
        damagedCursors: [],
        tornBytes: 0,
      },
    );
    assert.equal(journal.epoch, expected.epoch + 1);
    assert.deepEqual([journal.firstSeq, journal.lastSeq], [expected.firstSeq, expected.lastSeq]);
    assert.deepEqual(await readAll(journal), expected.records);
    assert.equal(journal.records, expected.records.length);
    const reader = journal.read(1);
    for (let batch = await reader.next(1); batch !== undefined; batch = await reader.next(1)) {
      assert.equal(batch.boot, expected.boots?.[batch.epoch - 1] ?? null);
    }
    await append(journal, [{ seq: Number.MAX_SAFE_INTEGER, body: "the last" }]);
    assert.equal((await readAll(journal)).at(-1)?.seq, Number.MAX_SAFE_INTEGER);
  });
}
