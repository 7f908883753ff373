import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { build } from "../../scripts/build.ts";
import { runCommand } from "../../scripts/lib/command.ts";
import { compiledFolder } from "../../src/compiled.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { tempFolder } from "../support/temp-folder.ts";

const ENTRY = "test/tools/fixtures/main-stub.ts";

async function hashes(folder: string): Promise<string[]> {
  const files = (await Array.fromAsync(fs.glob("**/*.*", { cwd: folder }))).sort();
  return await Promise.all(
    files.map(
      async (file) =>
        `${file} ${createHash("sha256")
          .update(await fs.readFile(path.join(folder, file)))
          .digest("hex")}`,
    ),
  );
}

test("the bundle runs where only dist/ is, native binding included, and knows its version and commit", async () => {
  await using folder = await tempFolder();
  await build({ entry: ENTRY, outFolder: folder.path });
  const said = JSON.parse(await runCommand(path.join(folder.path, "petiole.js"), ["status", "--json"], { cwd: "/" }));
  const { version } = JSON.parse(await fs.readFile("package.json", "utf8"));
  assert.equal(said.version, version);
  assert.match(said.commit, /^([0-9a-f]{12}(-changed)?|unknown)$/);
  assert.match(said.answer, /No such file or directory, cannot open \/nowhere\/tty/); // the words are the binding's own
  assert.deepEqual(said.args, ["status", "--json"]);
});

test("the same tree builds to the same bytes, for both processors, with every guest's licence and no path of ours", async () => {
  await using one = await tempFolder();
  await using two = await tempFolder();
  await build({ entry: ENTRY, outFolder: one.path });
  await build({ entry: ENTRY, outFolder: two.path });
  const files = await hashes(one.path);
  assert.deepEqual(files, await hashes(two.path));
  assert.deepEqual(
    files.map((line) => line.split(" ")[0]).filter((name) => !/^page\/.*-[A-Z0-9]{8}\.(js|css)(\.br|\.gz)?$/.test(name!)),
    [
      "LICENSES.txt",
      "native/serialport-arm64.node",
      "native/serialport-x64.node",
      "package.json",
      "page/icon-192.png",
      "page/icon-512.png",
      "page/icon.svg",
      "page/icon.svg.br",
      "page/icon.svg.gz",
      "page/index.html",
      "page/index.html.br",
      "page/index.html.gz",
      "page/manifest.webmanifest",
      "page/manifest.webmanifest.br",
      "page/manifest.webmanifest.gz",
      "petiole.js",
      "program.js",
      "program.js.map",
    ],
  );
  assert.match(
    await fs.readFile(path.join(one.path, "LICENSES.txt"), "utf8"),
    /@serialport\/bindings-cpp 13[\s\S]*MIT[\s\S]*\npreact 11/,
  );
  for (const name of ["petiole.js", "program.js"])
    assert.ok(!(await fs.readFile(path.join(one.path, name), "utf8")).includes(process.cwd()));
});

test("a build that fails leaves the last one alone and says where it failed", async () => {
  await using folder = await tempFolder();
  const entry = path.join(folder.path, "broken.ts");
  await fs.writeFile(entry, 'import "./not-there.ts";\n');
  await fs.writeFile(path.join(folder.path, "petiole.js"), "the last one");
  await assert.rejects(build({ entry, outFolder: folder.path }), /broken\.ts:1:7: ERROR: Could not resolve "\.\/not-there\.ts"/);
  assert.equal(await fs.readFile(path.join(folder.path, "petiole.js"), "utf8"), "the last one");
});

test("what was compiled is kept beside the data, by the daemon alone and only where a data directory is", async () => {
  await using data = await tempFolder();
  const kept = path.join(data.path, "compiled");
  for (const argv of [
    ["status", "--data", data.path],
    ["--help"],
    [],
    ["run", "--data", `${data.path}/not-there`],
    ["run", "--data"],
  ])
    assert.equal(compiledFolder(argv), undefined, argv.join(" "));
  assert.deepEqual(await fs.readdir(data.path), []);
  await fs.writeFile(kept, "not a folder");
  assert.equal(compiledFolder(["run", "--data", `${data.path}/compiled`]), undefined, "a file is no data directory");
  await fs.rm(kept);
  for (const argv of [
    ["run", "--data", data.path],
    ["run", "--settings", "x.json", `--data=${data.path}`],
  ])
    assert.equal(compiledFolder(argv), kept, argv.join(" "));
  assert.equal((await fs.stat(kept)).mode & 0o777, 0o700);
});

test("a start takes what the one before it compiled, and neither rot there nor another release's stops it", async () => {
  await using program = await tempFolder();
  await using data = await tempFolder();
  await build({ outFolder: program.path });
  const off = { listen: null, mqtt: null, web: null, monitor: null, host: null, firewall: { enabled: false } };
  await fs.writeFile(path.join(data.path, "settings.json"), JSON.stringify(off));
  const kept = path.join(data.path, "compiled");
  const start = async () => {
    const args = ["run", "--data", data.path];
    await using daemon = await SpawnedProcess.start(path.join(program.path, "petiole.js"), args);
    await daemon.says(/ running /);
    assert.equal((await daemon.stop()).code, 0);
    const files = await Array.fromAsync(fs.glob("*/*", { cwd: kept }));
    return await Promise.all(files.map(async (name) => ({ name, bytes: await fs.readFile(path.join(kept, name)) })));
  };
  const written = await start();
  const largest = written.reduce((one, two) => (one.bytes.length > two.bytes.length ? one : two));
  assert.ok(largest.bytes.length > 500_000, `${largest.bytes.length} bytes of what was compiled`);
  assert.deepEqual(await start(), written, "it was taken as it is: nothing is written again");
  const names = written.map(({ name }) => name);
  const file = path.join(kept, largest.name);
  await fs.mkdir(path.join(kept, "of-another-node"));
  await fs.writeFile(`${file}.a1b2c3`, "half");
  for (const rotten of [
    Buffer.alloc(0),
    largest.bytes.subarray(0, 70_000),
    Buffer.alloc(largest.bytes.length),
    Buffer.from(largest.bytes).fill(0xa5, 300_000, 304_096),
  ]) {
    await fs.writeFile(file, rotten);
    const mended = (await start()).find(({ name }) => name === largest.name)?.bytes;
    assert.ok(mended !== undefined && mended.length > 500_000 && !mended.equals(rotten), `${rotten.length} bytes of rot`);
  }
  assert.deepEqual((await fs.readdir(kept, { recursive: true })).sort(), [path.dirname(largest.name), ...names].sort());
});
