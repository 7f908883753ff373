import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { ensureDirectory, readWhole, systemDisk } from "#base/disk.ts";
import { diskFault, diskWords } from "#base/disk-words.ts";
import { explain } from "#base/errors.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function faultOf(action: () => Promise<unknown>): Promise<unknown> {
  return await action().then(
    () => assert.fail("no fault"),
    (error: unknown) => error,
  );
}

test("a fault in words says what could not be done, what stands there, what to do, and last what the system said", async () => {
  await using folder = await tempFolder();
  const error = await faultOf(() => readWhole(systemDisk(), folder.path, 10));
  const fault = diskFault("SOME_CODE", "cannot read the list", error);
  assert.deepEqual([fault.code, fault.remedy], ["SOME_CODE", "never"]);
  const words = `cannot read the list: ${folder.path} is a folder where a file is wanted; move it away`;
  assert.equal(fault.message, words);
  assert.ok(explain(fault).startsWith(`${words}: EISDIR`));
});

test("a path that was just named is not named again; one that stands in its way is", () => {
  const error = Object.assign(new Error("EACCES"), { code: "EACCES", path: "/data" });
  assert.match(diskFault("CODE", "cannot open /data", error).message, /^cannot open \/data: is not for the user/);
  assert.match(diskFault("CODE", "cannot open /data/a", error).message, /^cannot open \/data\/a: \/data is not for the user/);
});

test("what the disk says and nobody foresaw still gets a sentence, and what is no fault of a disk gets none", () => {
  const error = Object.assign(new Error("EXDEV: cross-device link"), { code: "EXDEV" });
  assert.match(explain(diskFault("CODE", "cannot move it", error)), /^cannot move it: the disk refuses it; look into.*: EXDEV/);
  assert.equal(diskWords(new TypeError("a bug")), undefined);
  assert.equal(diskWords("thrown words"), undefined);
});

test("the system's faults name the file, also once it is open", async () => {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "a");
  await fs.writeFile(file, "a");
  await using open = await systemDisk().open(file, "read");
  for (const action of [() => open.write(Buffer.from("b"), 0), () => open.truncate(0)]) {
    const error = await faultOf(action);
    assert.ok(error instanceof Error && error.message.endsWith(`'${file}'`), String(error));
  }
});

test("a file where a folder is to be made is the one that is named, however deep the folder", async () => {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "a");
  await fs.writeFile(file, "");
  for (const place of [file, path.join(file, "b"), path.join(file, "b", "c")]) {
    const error = await faultOf(() => ensureDirectory(systemDisk(), place));
    assert.match(diskFault("CODE", "cannot make it", error).message, new RegExp(`: ${file} is a file where a folder is wanted`));
  }
});

test("a folder with its parents outlives a power cut, also one that somebody made and did not sync", async () => {
  const disk = new FakeDisk({ seed: 3 });
  await ensureDirectory(disk, "/a/b/c");
  await disk.makeDirectory("/a/b/d");
  await ensureDirectory(disk, "/a/b/d");
  disk.powerCut();
  assert.deepEqual(await disk.list("/a/b"), ["c", "d"]);
});
