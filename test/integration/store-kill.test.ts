// kill -9 on a real disk, in the midst of writing: what was told to be safe is there, whole turns of it.

import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { systemDisk } from "#base/disk.ts";
import { verifyStore } from "#store/verify-store.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { lastTurn, openReal, WINDOW } from "../support/store-writer.ts";
import { tempFolder } from "../support/temp-folder.ts";

const KILLS = 12;
const WRITER = path.resolve(import.meta.dirname, "../support/store-writer.ts");

test(`${KILLS} times kill -9: the store holds all that was safe, and each turn as a whole`, async (t) => {
  await using folder = await tempFolder("petiole-store");
  let safe = 0;
  for (let life = 0; life < KILLS; life++) {
    {
      await using writer = await SpawnedProcess.start(process.execPath, [WRITER, folder.path]);
      const wanted = safe + 60 + ((life * 137) % 700);
      const told = () => Number(/(\d+)\n[^\n]*$/.exec(writer.stdout)?.[1] ?? 0);
      await writer.when(() => (told() >= wanted ? true : undefined), `to make turn ${wanted} safe`);
      await writer.kill();
      safe = told();
    }
    await using store = await openReal(folder.path);
    const last = lastTurn(store);
    assert.ok(last >= safe, `turn ${safe} was safe, found ${last}`);
    const turns = Array.from(store.entries("n "), ([key]) => Number(key.slice(2))).sort((a, b) => a - b);
    const first = Math.max(1, last - WINDOW + 1);
    assert.deepEqual(
      turns,
      Array.from({ length: last - first + 1 }, (_, i) => first + i),
    );
    for (const [key, value] of store.entries("n ")) {
      const turn = Number(key.slice(2));
      assert.ok(value.equals(Buffer.alloc(200 + (turn % 1000), `${turn}`)), key);
    }
    safe = last;
  }
  const verdict = await verifyStore(systemDisk(), folder.path);
  assert.ok(verdict.isFine);
  t.diagnostic(`${safe} turns, ${verdict.fileBytes} bytes in ${verdict.segments} files`);
});
