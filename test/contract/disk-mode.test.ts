// Who may read a file, asked of the system's disk and of the fake one alike. Everything else a disk promises: disk.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Disk, systemDisk } from "#base/disk.ts";
import { systemCode } from "#base/errors.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { tempFolder } from "../support/temp-folder.ts";

async function system() {
  const folder = await tempFolder("petiole-disk-mode");
  return { disk: systemDisk(), folder: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function fake() {
  const disk: Disk = new FakeDisk();
  await disk.makeDirectory("/work");
  return { disk, folder: "/work", [Symbol.asyncDispose]: async () => undefined };
}

for (const [name, open] of [
  ["the system's disk", system],
  ["the fake disk", fake],
] as const) {
  test(`${name}: a new file is its owner's alone, and its mode is what it was set to`, async () => {
    await using ground = await open();
    const path = `${ground.folder}/a`;
    await (await ground.disk.open(path, "create"))[Symbol.asyncDispose]();
    assert.equal(await ground.disk.mode(path), 0o600);
    await ground.disk.setMode(path, 0o640);
    assert.equal(await ground.disk.mode(path), 0o640);
  });

  test(`${name}: a file that is not there has no mode`, async () => {
    await using ground = await open();
    const missing = (error: unknown) => systemCode(error) === "ENOENT";
    await assert.rejects(ground.disk.mode(`${ground.folder}/none`), missing);
    await assert.rejects(ground.disk.setMode(`${ground.folder}/none`, 0o600), missing);
  });
}
