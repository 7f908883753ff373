// What Node compiled of the program, kept for the next start: `<data>/compiled`, 1 MB, of the daemon alone.
//
//   start.ts ── where it is ──▶ Node reads program.js, and the compiled form if its sums fit ──▶ daemon ── runs ──▶ written, once a version
//
// A start takes a quarter less of the processor, and 6 MiB less memory for as long as it runs (image/README.md, Memory).
//
// Node writes a new file and renames it, and at each start holds the sums of program and compiled form against those in the file, V8 its
// version and flags: one that a power cut left half, or that an older release wrote, is not used, and written anew. It is code: whoever may
// write into the data directory decides what the next start runs. That is the daemon itself, and root. NODE_DISABLE_COMPILE_CACHE=1: none.
// Not in the image: it holds for one kind of processor, and is never the same bytes twice.
// Tests: test/tools/build.test.ts

import * as fs from "node:fs";
import * as module from "node:module";
import * as path from "node:path";

const FOLDER = "compiled";

/** undefined: nothing is kept for this command line, because it is not the daemon's, or its data directory is not there yet. */
export function compiledFolder(argv: readonly string[]): string | undefined {
  if (argv[0] !== "run") return undefined;
  const dataDir = dataDirOf(argv);
  if (dataDir === "" || !fs.existsSync(dataDir)) return undefined;
  const folder = path.join(dataDir, FOLDER);
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") return undefined; // read-only, or not ours: the daemon says so
  }
  return folder;
}

/** As the command line says it; what is wrong with that, the program says. */
function dataDirOf(argv: readonly string[]): string {
  const at = argv.indexOf("--data");
  if (at >= 0) return argv[at + 1] ?? "";
  return argv.find((word) => word.startsWith("--data="))?.slice("--data=".length) ?? "/data";
}

/** Once the program has started, so that what it needed for that is kept. Takes some 20 ms when a release starts for the first time. */
export function keepCompiled(): void {
  const current = module.getCompileCacheDir();
  if (current === undefined) return;
  module.flushCompileCache();
  const all = path.dirname(current);
  if (path.basename(all) !== FOLDER) return; // NODE_COMPILE_CACHE names another place
  try {
    for (const name of fs.readdirSync(all)) {
      if (name !== path.basename(current)) fs.rmSync(path.join(all, name), { recursive: true, force: true }); // of another Node
    }
    for (const name of fs.readdirSync(current)) {
      if (name.includes(".")) fs.rmSync(path.join(current, name), { force: true }); // a power cut came between writing and renaming
    }
  } catch {
    // what is left there is not used
  }
}
