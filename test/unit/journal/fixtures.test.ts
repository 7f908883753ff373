// Journals that released versions wrote. Every later version must read them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FakeDisk } from "../../support/fake-disk.ts";
import { append, DIRECTORY, open, readAll, type Stored } from "./harness.ts";

interface Expected {
  readonly epoch: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly records: readonly Stored[];
}

const FIXTURES = join(import.meta.dirname, "../../fixtures");
const names = readdirSync(FIXTURES).filter((name) => name.startsWith("journal-v"));

test("there is a fixture of every format so far", () => {
  assert.deepEqual(names, ["journal-v1"]);
});

for (const name of names) {
  test(`${name} is read, record for record, and goes on`, async () => {
    const expected: Expected = JSON.parse(readFileSync(join(FIXTURES, name, "expected.json"), "utf8"));
    const disk = new FakeDisk();
    for (const file of readdirSync(join(FIXTURES, name, "lane"))) {
      disk.plant(`${DIRECTORY}/${file}`, readFileSync(join(FIXTURES, name, "lane", file)));
    }
    await using journal = await open(disk);
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
    await append(journal, [{ seq: Number.MAX_SAFE_INTEGER, body: "the last" }]);
    assert.equal((await readAll(journal)).at(-1)?.seq, Number.MAX_SAFE_INTEGER);
  });
}
