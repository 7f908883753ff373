// The recipe of the root file system, run as scripts/build-image runs it and in the very words of the Dockerfile, in two environments that
// differ in all they may: the same bytes. With a small program in Node's place, which would cost half a minute of packing.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { runCommand, tryCommand } from "../../scripts/lib/command.ts";
import { ownArchitecture } from "../../scripts/lib/image/architecture.ts";
import { writeOciArchive } from "../../scripts/lib/image/oci-archive.ts";
import { ROOT } from "../../scripts/lib/suites.ts";
import { stage } from "../../scripts/stage.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { cannotBuildImage } from "./support/built-image.ts";

const EPOCH = 1_700_000_000;
const architecture = ownArchitecture();

/** The command of the Dockerfile that runs the recipe, with its two folders elsewhere. */
async function dockerfileCommand(input: string, output: string): Promise<string> {
  const text = await fs.readFile(path.join(ROOT, "image/Dockerfile"), "utf8");
  const command = text
    .replaceAll("\\\n", " ")
    .split("\n")
    .find((line) => line.startsWith("RUN") && line.includes("rootfs.sh"))!;
  return command.replace(/^RUN /, "").replaceAll("/in/", `${input}/`).replaceAll(" /out ", ` ${output} `);
}

async function pack(root: string) {
  const config = { name: "petiole:0", entrypoint: ["/entry"], env: [], volumes: [], labels: {}, stopSignal: "SIGTERM" };
  return await writeOciArchive(root, `${root}.tar`, architecture, config, EPOCH);
}

test("the container build and ours make the same image, whoever's settings and whatever hour", {
  skip: cannotBuildImage ?? false,
}, async () => {
  await using folder = await tempFolder("petiole-recipe");
  const staged = path.join(folder.path, "in");
  await stage(() => undefined, staged);
  const node = path.join(staged, "node");
  await fs.copyFile("/usr/bin/true", node);
  const sum = createHash("sha256")
    .update(await fs.readFile(node))
    .digest("hex");
  await fs.writeFile(path.join(staged, "node.sha256"), `${"0".repeat(64)}  node-other\n${sum}  node-${architecture.name}\n`);
  await fs.writeFile(path.join(staged, "epoch"), `${EPOCH}\n`);
  const [first, second] = ["first", "second"].map((name) => path.join(folder.path, name)) as [string, string];
  const recipe = ["image/rootfs.sh", architecture.name, first, node, path.join(staged, "app"), "rootfs"];
  await Promise.all([
    runCommand("sh", ["-c", 'umask 022; exec "$@"', "sh", ...recipe], {
      cwd: ROOT,
      env: { SOURCE_DATE_EPOCH: String(EPOCH), STRIP: "strip", LC_ALL: "C.UTF-8", TZ: "UTC" },
    }),
    runCommand("sh", ["-c", `umask 077; ${await dockerfileCommand(staged, second)}`], {
      cwd: folder.path,
      env: { LC_ALL: "C", TZ: "Pacific/Auckland" },
    }),
  ]);
  const images = await Promise.all([pack(first), pack(second)]);
  assert.equal(images[0].digest, images[1].digest);
  assert.deepEqual(await fs.readFile(images[0].file), await fs.readFile(images[1].file));
});

test("the container build ends where it finds another Node than the one that is pinned", async () => {
  await using folder = await tempFolder("petiole-recipe");
  await fs.writeFile(path.join(folder.path, "node"), "another Node");
  for (const sums of [`${"0".repeat(64)}  node-${architecture.name}\n`, `${"0".repeat(64)}  node-riscv64\n`]) {
    await fs.writeFile(path.join(folder.path, "node.sha256"), sums);
    await fs.writeFile(path.join(folder.path, "rootfs.sh"), "echo the recipe was run\n");
    await fs.writeFile(path.join(folder.path, "epoch"), "0\n");
    const { code, output } = await tryCommand("sh", ["-c", await dockerfileCommand(folder.path, `${folder.path}/out`)]);
    assert.notEqual(code, 0, sums);
    assert.doesNotMatch(output, /the recipe was run/);
  }
});
