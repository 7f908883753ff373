// The update lock on a real file, seen by another program: the file is there, and flock on it fails, exactly while we hold it.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { systemLockFile } from "#supervisor/lock-file.ts";
import { tryCommand } from "../../scripts/lib/command.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Whether another program would get the lock on the file. */
async function canLock(file: string): Promise<boolean> {
  return (await tryCommand("flock", ["-n", "-x", file, "true"])).code === 0;
}

test("while it is held the file is there and no other program gets its flock; after that there is no file", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  const lockFile = (await systemLockFile(file, SEARCH))!;
  {
    await using held = await lockFile.take();
    assert.ok(held !== undefined);
    assert.equal(await canLock(file), false);
    assert.equal(await lockFile.take(), undefined, "a second time: somebody has it");
  }
  await assert.rejects(fs.stat(file), { code: "ENOENT" });
});

test("what an earlier life left is removed; what the supervisor holds is not", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  const lockFile = (await systemLockFile(file, SEARCH))!;
  assert.equal(await lockFile.clearStale(), false);
  await fs.writeFile(file, "");
  assert.equal(await lockFile.clearStale(), true);
  if (process.getuid?.() !== 0) return;
  await fs.writeFile(file, "");
  await fs.chown(file, 65_534, 65_534);
  assert.equal(await lockFile.clearStale(), false);
  assert.equal(await lockFile.take(), undefined);
});

test("an owner who overrides the lock takes the file away; letting go is then no fault", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  const held = await (await systemLockFile(file, SEARCH))!.take();
  await fs.unlink(file);
  await held![Symbol.asyncDispose]();
  assert.deepEqual(await fs.readdir(folder.path), []);
});

test("without the program flock the file alone is the lock; without the place there is none", async () => {
  await using folder = await tempFolder("petiole-lock");
  const file = path.join(folder.path, "updates.lock");
  await using held = await (await systemLockFile(file, "/nowhere"))!.take();
  assert.ok(held !== undefined);
  assert.ok((await fs.stat(file)).isFile());
  assert.equal(await systemLockFile("/nowhere/balena/updates.lock", SEARCH), undefined);
});
