// The image under test: built once by scripts/build-image, taken from build/image/ as long as nothing has changed that it is made of.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { BuiltImage } from "../../../scripts/build-image.ts";
import { runCommand } from "../../../scripts/lib/command.ts";
import { ARCHITECTURES, type Architecture } from "../../../scripts/lib/image/architecture.ts";
import { ROOT } from "../../../scripts/lib/suites.ts";

export const cannotBuildImage = process.getuid?.() === 0 ? undefined : "making the image's root file system needs root";

/** Several test files ask at the same time: one builds, the others wait at the lock. */
export async function builtImage(architecture: Architecture): Promise<BuiltImage> {
  const folder = path.join(ROOT, "build/image");
  await fs.mkdir(folder, { recursive: true });
  const builder = path.join(ROOT, "scripts/build-image.ts");
  const args = [process.execPath, builder, "--arch", architecture.name, "--if-stale", "--json"];
  return JSON.parse(await runCommand("flock", [path.join(folder, `${architecture.name}.lock`), ...args])) as BuiltImage;
}

/** The architectures this run is about: both, unless scripts/test-image --arch names one. */
export function wantedArchitectures(): readonly Architecture[] {
  const only = process.env["PETIOLE_TEST_ARCH"] ?? "";
  return Object.values(ARCHITECTURES).filter(({ name }) => only === "" || only === name);
}
