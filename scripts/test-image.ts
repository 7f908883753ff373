// The suite "image" for both architectures or one. scripts/test runs the same for both.

import { spawn } from "node:child_process";
import { once } from "node:events";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { ARCHITECTURES, ownArchitecture } from "./lib/image/architecture.ts";
import { ROOT } from "./lib/suites.ts";

const HELP = `usage: scripts/test-image [--arch amd64|arm64] [--boot]

Builds the image if anything has changed and tests it: its files, its bill of materials, the recipe, the packaging for balena; the
machine's own architecture under runc with the container's rights, the other one emulated; arm64 booted on a whole emulated machine,
with USB adapters that come and go, a power cut and a wrong clock. Without --arch: both.
  --boot   only the last of these, about a minute

example: scripts/test-image --arch arm64
`;

/** Run under runc natively, or emulated. */
const OWN = "test/image/run.test.ts";
const OTHER = "test/image/emulated.test.ts";
/** On a machine of its own. */
const BOOT = "test/image/boot.test.ts";
const EITHER = ["files", "recipe", "packaging"].map((name) => `test/image/${name}.test.ts`);

function filesFor(arch: string | undefined): readonly string[] {
  return [
    ...EITHER,
    ...(arch !== undefined && arch !== ownArchitecture().name ? [] : [OWN]),
    ...(arch === ownArchitecture().name ? [] : [OTHER]),
    ...(arch === "amd64" ? [] : [BOOT]),
  ];
}

async function run(arch: string | undefined, isBootOnly: boolean): Promise<number> {
  if (arch !== undefined && !(arch in ARCHITECTURES)) throw new Error(`--arch wants amd64 or arm64, found "${arch}"`);
  if (isBootOnly && arch === "amd64") throw new Error("--boot boots arm64, found --arch amd64");
  const files = isBootOnly ? [BOOT] : filesFor(arch);
  const child = spawn(process.execPath, [path.join(ROOT, "scripts/test.ts"), ...files], {
    stdio: "inherit",
    cwd: ROOT,
    env: { ...process.env, PETIOLE_TEST_ARCH: arch },
  });
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

try {
  const { values } = parseArgs({
    options: { arch: { type: "string" }, boot: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) process.stdout.write(HELP);
  else process.exitCode = await run(values.arch, values.boot === true);
} catch (error) {
  console.error(`petiole: ${(error as Error).message}`);
  process.exitCode = 2;
}
