import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { build } from "../../scripts/build.ts";
import { runCommand } from "../../scripts/lib/command.ts";
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
      "petiole.js.map",
    ],
  );
  assert.match(
    await fs.readFile(path.join(one.path, "LICENSES.txt"), "utf8"),
    /@serialport\/bindings-cpp 13[\s\S]*MIT[\s\S]*\npreact 11/,
  );
  assert.ok(!(await fs.readFile(path.join(one.path, "petiole.js"), "utf8")).includes(process.cwd()));
});

test("a build that fails leaves the last one alone and says where it failed", async () => {
  await using folder = await tempFolder();
  const entry = path.join(folder.path, "broken.ts");
  await fs.writeFile(entry, 'import "./not-there.ts";\n');
  await fs.writeFile(path.join(folder.path, "petiole.js"), "the last one");
  await assert.rejects(build({ entry, outFolder: folder.path }), /broken\.ts:1:7: ERROR: Could not resolve "\.\/not-there\.ts"/);
  assert.equal(await fs.readFile(path.join(folder.path, "petiole.js"), "utf8"), "the last one");
});
