import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { findNatsServer, type Place } from "../../scripts/lib/nats-server.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** A program that says it is nats-server of that version. */
async function putServer(folder: string, version: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  await fs.writeFile(path.join(folder, "nats-server"), `#!/bin/sh\necho "nats-server: v${version}"\n`, { mode: 0o755 });
}

function offering(version: string, claimed = version): Place {
  return async (_line, scratch) => {
    await putServer(path.join(scratch, "usr/sbin"), version);
    return { found: true, version: claimed, folder: scratch };
  };
}

const empty: Place = async () => ({ found: false, looked: ["the first place: has 2.16.0"] });
const broken: Place = async () => {
  throw new Error("the second place: on fire");
};

async function setUp(places: readonly Place[]) {
  const folder = await tempFolder();
  const env = {
    say: () => undefined,
    cacheFolder: path.join(folder.path, "cache"),
    searchFolders: [path.join(folder.path, "bin")],
    places,
  };
  return {
    env,
    bin: path.join(folder.path, "bin"),
    store: path.join(env.cacheFolder, "nats-server"),
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
}

test("a server on the PATH is taken when it is of the line", async () => {
  await using at = await setUp([offering("2.10.27")]);
  await putServer(at.bin, "2.10.5");
  assert.deepEqual(await findNatsServer("2.10", at.env), { path: path.join(at.bin, "nats-server"), version: "2.10.5" });
  assert.equal((await findNatsServer("2.10.27", at.env)).version, "2.10.27");
});

test("what was fetched once is kept, and found again without fetching", async () => {
  await using at = await setUp([empty, broken, offering("2.10.27")]);
  const first = await findNatsServer("2.10", at.env);
  assert.equal(first.path, path.join(at.store, `2.10.27-${process.arch}`, "nats-server"));
  assert.deepEqual(await findNatsServer("2.10", { ...at.env, places: [broken] }), first);
  assert.deepEqual(await fs.readdir(at.store), [`2.10.27-${process.arch}`]);
});

test("many runs may fetch at the same time", async () => {
  await using at = await setUp([offering("2.15.1")]);
  const found = await Promise.all(Array.from({ length: 8 }, () => findNatsServer("2.15", at.env)));
  assert.equal(new Set(found.map((server) => server.path)).size, 1);
  assert.deepEqual(await fs.readdir(at.store), [`2.15.1-${process.arch}`]);
});

test("a damaged copy in the cache is replaced", async () => {
  await using at = await setUp([offering("2.15.1")]);
  const { path: file } = await findNatsServer("2.15", at.env);
  await fs.writeFile(file, "torn");
  assert.equal((await findNatsServer("2.15", at.env)).version, "2.15.1");
  assert.match(await fs.readFile(file, "utf8"), /v2\.15\.1/);
});

test("a server that says another version than promised is refused", async () => {
  await using at = await setUp([offering("2.14.0", "2.15.1")]);
  await assert.rejects(findNatsServer("2.15", at.env), /fetched as 2\.15\.1 says it is 2\.14\.0; wanted line 2\.15/);
  assert.deepEqual(await fs.readdir(at.store), []);
});

test("when no place has it, each place says why, and what to do comes last", async () => {
  await using at = await setUp([empty, broken]);
  await assert.rejects(findNatsServer("2.15", at.env), (error: Error) => {
    assert.match(
      error.message,
      /^no nats-server of line 2\.15 .*\n {2}- the first place: has 2\.16\.0\n {2}- the second place: on fire\nPut a /,
    );
    return true;
  });
});

test("a version is asked for by numbers", async () => {
  await using at = await setUp([]);
  for (const line of ["", "latest", "2", "v2.10", "2.10.x", "../2.10"]) {
    await assert.rejects(findNatsServer(line, at.env), /wanted a version of nats-server such as/);
  }
});
