// Puts together the folder that is pushed to balena: build/balena/. The bundle that was tested is the bundle that ships.
//
//   balena.yml            the contract                        app/          the bundle (dist/)
//   docker-compose.yml    the composition                     overlay/      the files of rootfs/
//   Dockerfile            the container build                 node.sha256   Node's binary for each architecture, in dpkg's words
//   rootfs.sh             the recipe, with packages.list      epoch         time of every file in the image, in seconds
//
// Files only: balena's archive drops empty folders and follows links. The same tree gives the same folder.

import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { build } from "./build.ts";
import { ARCHITECTURES } from "./lib/image/architecture.ts";
import { commitTime } from "./lib/image/commit-time.ts";
import { pinnedNode } from "./lib/image/pinned-node.ts";
import { ROOT } from "./lib/suites.ts";

/** Beside each other at the root, where the builder looks for them. */
const AT_ROOT = ["balena.yml", "image/docker-compose.yml", "image/Dockerfile", "image/rootfs.sh", "image/packages.list"];

/** Hands back the folder, which is made anew. */
export async function stage(say: (line: string) => void, folder = path.join(ROOT, "build/balena")): Promise<string> {
  await build();
  await fs.rm(folder, { recursive: true, force: true });
  await fs.mkdir(folder, { recursive: true });
  for (const file of AT_ROOT) await fs.copyFile(path.join(ROOT, file), path.join(folder, path.basename(file)));
  const isWanted = (file: string) => !file.endsWith(".map");
  await fs.cp(path.join(ROOT, "dist"), path.join(folder, "app"), { recursive: true, filter: isWanted });
  await fs.cp(path.join(ROOT, "rootfs"), path.join(folder, "overlay"), { recursive: true });
  const sums: string[] = [];
  for (const architecture of Object.values(ARCHITECTURES)) {
    const bytes = await fs.readFile(await pinnedNode(architecture, say));
    sums.push(`${createHash("sha256").update(bytes).digest("hex")}  node-${architecture.name}\n`);
  }
  await fs.writeFile(path.join(folder, "node.sha256"), sums.join(""));
  await fs.writeFile(path.join(folder, "epoch"), `${await commitTime()}\n`);
  return folder;
}

if (import.meta.main) {
  try {
    const folder = path.relative(ROOT, await stage((line) => console.error(`petiole: ${line}`)));
    console.log(`${folder} is ready: balena push FLEET --source ${folder}`);
  } catch (error) {
    console.error(`petiole: nothing was staged: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
