// What an image is made of, as one sum: the same sum, the same image, and nothing needs to be built.

import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { ROOT } from "../suites.ts";
import type { Architecture } from "./architecture.ts";

const MADE_OF = [
  "dist/petiole.js",
  "dist/program.js",
  "dist/LICENSES.txt",
  "dist/native/*.node",
  "dist/page/*",
  "image/rootfs.sh",
  "image/packages.list",
  "rootfs/**",
  "scripts/build-image.ts",
  "scripts/lib/image/*.ts",
  "package.json",
  "package-lock.json",
];

/** The bundle must have been built. Of Debian's packages only the names count: a cached image may be older than the mirror. */
export async function imageKey(architecture: Architecture): Promise<string> {
  const hash = createHash("sha256").update(architecture.name);
  const found = await Array.fromAsync(fs.glob(MADE_OF, { cwd: ROOT }));
  for (const file of found.sort()) {
    const stat = await fs.stat(path.join(ROOT, file));
    if (!stat.isFile()) continue;
    hash.update(`\0${file}\0${stat.mode.toString(8)}\0`).update(await fs.readFile(path.join(ROOT, file)));
  }
  return hash.digest("hex");
}
