import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { createServer } from "node:http";
import * as path from "node:path";
import { test } from "node:test";
import { createLog, type LogLine } from "#base/log.ts";
import { DATA_DIRECTORY_IN_USE, lockDataDirectory } from "../../src/data-lock.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { tempFolder } from "../support/temp-folder.ts";

const inUse = { code: DATA_DIRECTORY_IN_USE, message: /another petiole daemon works in .*stop it first/ };

/** A directory to lock, and what was said of it. */
async function ground() {
  const folder = await tempFolder("petiole-lock");
  const lines: LogLine[] = [];
  const log = createLog(new FakeClock(), "info", (line) => lines.push(line));
  const place = { dataDir: folder.path, controlSocket: path.join(folder.path, "control.sock") };
  return {
    file: path.join(folder.path, "lock"),
    place,
    warnings: () => lines.map(({ message }) => message).join("\n"),
    lock: () => lockDataDirectory(place, log),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test("one at a time: the second is refused, and served once the first has let go; letting go twice is once", async () => {
  await using here = await ground();
  const first = await here.lock();
  await assert.rejects(here.lock(), inUse);
  await assert.rejects(here.lock(), inUse, "a refusal frees nothing");
  await first[Symbol.asyncDispose]();
  await using _second = await here.lock();
  await first[Symbol.asyncDispose]();
  await assert.rejects(here.lock(), inUse);
  assert.equal(here.warnings(), "");
});

test("it leaves an empty file that is for nobody else's eyes, and writes nothing into it", async () => {
  await using here = await ground();
  await (await here.lock())[Symbol.asyncDispose]();
  const { size, mode } = await fs.stat(here.file);
  assert.deepEqual([size, mode & 0o777], [0, 0o600]);
  assert.deepEqual(await fs.readdir(here.place.dataDir), ["lock"]);
});

test("one that was killed holds nothing", async () => {
  await using here = await ground();
  const program = `
    import { lockDataDirectory } from ${JSON.stringify(path.resolve(import.meta.dirname, "../../src/data-lock.ts"))};
    globalThis.held = await lockDataDirectory(${JSON.stringify(here.place)}, { warn() {} });
    console.log("locked");
    setInterval(() => undefined, 1000);`;
  await using other = await SpawnedProcess.start(process.execPath, ["--input-type=module", "--eval", program]);
  await other.says(/locked/);
  await assert.rejects(here.lock(), inUse);
  await other.kill();
  await using _lock = await here.lock();
  assert.equal(here.warnings(), "");
});

for (const [name, bytes] of Object.entries({
  "a few words": Buffer.from("somebody wrote this"),
  noise: Buffer.from(Array.from({ length: 8192 }, (_, at) => (at * 31 + 7) & 255)),
})) {
  test(`${name} in the lock's file keep nobody from starting, and the lock holds`, async () => {
    await using here = await ground();
    await fs.writeFile(here.file, bytes);
    await using _first = await here.lock();
    await assert.rejects(here.lock(), inUse);
    assert.equal(here.warnings(), "");
  });
}

test("a folder where the lock's file should be: told, the start goes on, and a second is refused all the same", async () => {
  await using here = await ground();
  await fs.mkdir(here.file);
  await using first = await here.lock();
  assert.match(here.warnings(), /\/lock is a folder where a file is wanted; the start goes on.*To mend: move it away/);
  await assert.rejects(here.lock(), inUse);
  await first[Symbol.asyncDispose]();
  await using _second = await here.lock();
});

test("somebody removed the file under a running daemon: its control socket answers, and a second is refused", async () => {
  await using here = await ground();
  await using _first = await here.lock();
  await using server = createServer().listen(here.place.controlSocket);
  await new Promise((resolve) => server.once("listening", resolve));
  await fs.unlink(here.file);
  await assert.rejects(here.lock(), inUse);
});

test("what is left of a control socket, or stands in its place, is no daemon", async () => {
  for (const leave of [(at: string) => fs.writeFile(at, ""), (at: string) => fs.mkdir(at)]) {
    await using here = await ground();
    await leave(here.place.controlSocket);
    await using _lock = await here.lock();
  }
});
