// Stores that released versions wrote. Every later version must read them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bytesOf, FOLDER, StoreRig } from "./store-rig.ts";

interface Expected {
  /** In hex; null: nothing is encrypted. */
  readonly key: string | null;
  readonly entries: readonly (readonly [key: string, value: string])[];
}

const FIXTURES = join(import.meta.dirname, "../../fixtures");
const names = ["store-v1/encrypted", "store-v1/plain"];

test("there is a fixture of every format so far", () => {
  const folders = readdirSync(FIXTURES).filter((name) => name.startsWith("store-v"));
  assert.deepEqual(folders, [...new Set(names.map((name) => name.replace(/\/.*/, "")))]);
});

for (const name of names) {
  test(`${name} is read, key for key, and goes on`, async () => {
    const expected: Expected = JSON.parse(readFileSync(join(FIXTURES, name, "expected.json"), "utf8"));
    const key = expected.key === null ? null : Buffer.from(expected.key, "hex");
    const rig = new StoreRig({ key, isEncrypting: key !== null });
    for (const file of readdirSync(join(FIXTURES, name, "store"))) {
      rig.disk.plant(`${FOLDER}/${file}`, readFileSync(join(FIXTURES, name, "store", file)));
    }
    const wanted = new Map(expected.entries);
    {
      await using store = await rig.open();
      assert.deepEqual(new Map(Array.from(store.entries(""), ([each, value]) => [each, value.toString("latin1")])), wanted);
      assert.equal(store.status().damaged, 0);
      store.put("life 4", bytesOf("after all"), "soon");
      store.delete("empty", "soon");
      await rig.commit();
      assert.equal(store.safe, 2);
    }
    rig.disk.powerCut();
    await using again = await rig.open();
    wanted.delete("empty");
    assert.deepEqual(new Set(Array.from(again.entries(""), ([each]) => each)), new Set([...wanted.keys(), "life 4"]));
  });
}
