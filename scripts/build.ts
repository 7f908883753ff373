// Bundles the daemon: dist/petiole.js, and beside it what cannot be bundled. `dist/` is all that an image needs besides Node.
//
//   dist/petiole.js                       executable: lets Node keep what it compiles (src/compiled.ts), and goes on to the next
//   dist/program.js                       the whole program, one ES module, names its version and commit
//   dist/program.js.map                   from its lines to the source's
//   dist/native/serialport-<cpu>.node     serialport's prebuilt binding for glibc, for each processor we support
//   dist/package.json                     says that the program is a module, which spares Node a guess at every start
//   dist/LICENSES.txt                     of every package inside the bundle and the page
//   dist/page/                            the page's files, each in the forms a browser takes (lib/page-bundle.ts)
//
// Before that, the S2 codec's module is compiled anew if its source has changed (src/s2/module-bytes.ts).
//
// The same tree gives the same bytes: no time, no machine's path goes in. Comments and blanks stay out: V8 keeps the text for as long as it
// runs, in twice the bytes if one letter of it is not Latin. Names stay, since a crash is told by them.

import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import { createRequire } from "node:module";
import * as path from "node:path";
import * as esbuild from "esbuild";
import { tryCommand } from "./lib/command.ts";
import { daemonCommand } from "./lib/node-flags.ts";
import { bundlePage } from "./lib/page-bundle.ts";
import { buildS2Module } from "./lib/s2-module.ts";
import { ROOT } from "./lib/suites.ts";

export interface BuildOptions {
  readonly entry?: string;
  readonly outFolder?: string;
}

/** Processors as Node calls them → serialport's folder and file. */
const BINDINGS: Readonly<Record<string, string>> = {
  x64: "linux-x64/@serialport+bindings-cpp.glibc.node",
  arm64: "linux-arm64/@serialport+bindings-cpp.armv8.glibc.node",
};

// What CommonJS packages inside an ES module still reach for: `require` for Node's own modules and the binding.
const REQUIRE = `import { createRequire as petioleCreateRequire } from "node:module";
const require = petioleCreateRequire(import.meta.url);
const __dirname = import.meta.dirname;`;

/** A line of the bundle: a place in it, as a stack trace names it, says something, and an editor can show it. */
const LINE_CHARS = 200;

const FIRST_LINE = `#!/usr/bin/env -S ${daemonCommand("node").join(" ")}`;

/** serialport finds its binding through node-gyp-build, by its place in node_modules; in the bundle it lies beside us. Loaded at its first use. */
const bindingBesideBundle: esbuild.Plugin = {
  name: "binding-beside-bundle",
  setup(build) {
    build.onResolve({ filter: /^node-gyp-build$/ }, () => ({ path: "native", namespace: "petiole" }));
    build.onLoad({ filter: /.*/, namespace: "petiole" }, () => ({ contents: LATE_BINDING, loader: "js" }));
  },
};

const LATE_BINDING = `
const file = ["./native/serialport-", process.arch, ".node"].join("");
let binding;
const late = (name) => function (...args) {
  binding ??= require(file);
  return new.target ? new binding[name](...args) : binding[name](...args);
};
module.exports = () => new Proxy({}, { get: (_, name) => late(name) });
`;

/**
 * Parts of Node that are loaded when something of them is used, not by the import. An import statement of HTTP asks for each of its names,
 * and one of them, WebSocket, loads a whole HTTP client: 28 ms of the processor, 3 MiB. zlib a start has no need of.
 */
const lateBuiltins: esbuild.Plugin = {
  name: "late-builtins",
  setup(build) {
    build.onResolve({ filter: /^node:(?:https?|zlib)$/ }, ({ kind, path }) =>
      kind === "require-call" ? undefined : { path, namespace: "late" },
    );
    build.onLoad({ filter: /.*/, namespace: "late" }, ({ path }) => {
      const names = Object.keys(createRequire(import.meta.url)(path) as object).sort();
      const getters = names.map((name) => `get ${name}() { return (part ??= require("${path}")).${name}; },`);
      return { contents: `let part;\nmodule.exports = {\n${getters.join("\n")}\n};\n`, loader: "js" };
    });
  },
};

/** Builds into temporary names and puts each file in place by a rename, so that a daemon started meanwhile finds whole files. */
export async function build({ entry = "src/main.ts", outFolder = path.join(ROOT, "dist") }: BuildOptions = {}): Promise<void> {
  const { version } = JSON.parse(await fs.readFile(path.join(ROOT, "package.json"), "utf8")) as { version: string };
  await buildS2Module();
  const start = await bundle({
    entryPoints: ["src/start.ts"],
    outfile: path.join(outFolder, "petiole.js"),
    banner: { js: FIRST_LINE },
  });
  const program = await bundle({
    entryPoints: [entry],
    outfile: path.join(outFolder, "program.js"),
    banner: { js: REQUIRE },
    define: { PETIOLE_VERSION: JSON.stringify(version), PETIOLE_COMMIT: JSON.stringify(await commit()) },
    plugins: [bindingBesideBundle, lateBuiltins],
    alias: { "readable-stream": "node:stream" }, // the same, of another version, for browsers
    sourcemap: "linked",
    sourcesContent: false,
  });
  const page = await bundlePage();
  await placePage(path.join(outFolder, "page"), page.files);
  await fs.mkdir(path.join(outFolder, "native"), { recursive: true });
  for (const [processor, file] of Object.entries(BINDINGS)) {
    const bytes = await fs.readFile(path.join(ROOT, "node_modules/@serialport/bindings-cpp/prebuilds", file));
    await place(path.join(outFolder, "native", `serialport-${processor}.node`), bytes, 0o755);
  }
  await place(path.join(outFolder, "package.json"), Buffer.from('{"type":"module"}\n'), 0o644);
  await place(
    path.join(outFolder, "LICENSES.txt"),
    Buffer.from(await licenses([...Object.keys(program.metafile.inputs), ...page.inputs])),
    0o644,
  );
  for (const { path: file, contents } of program.outputFiles) await place(file, contents, 0o644);
  for (const { path: file, contents } of start.outputFiles) await place(file, contents, 0o755); // last: it needs the others
}

interface Bundle {
  readonly outputFiles: esbuild.OutputFile[];
  readonly metafile: esbuild.Metafile;
}

async function bundle(options: esbuild.BuildOptions): Promise<Bundle> {
  const result = await esbuild.build({
    absWorkingDir: ROOT,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node26",
    minifyWhitespace: true,
    lineLimit: LINE_CHARS,
    legalComments: "none", // LICENSES.txt has them whole
    metafile: true,
    write: false,
    logLevel: "silent", // its errors come in the throw, its warnings below
    ...options,
  });
  if (result.warnings.length > 0) {
    throw new Error((await esbuild.formatMessages(result.warnings, { kind: "warning" })).join("\n"));
  }
  return result as Bundle;
}

/** index.html last: it names the others. What an earlier build left there goes. */
async function placePage(folder: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  const inOrder = [...files].sort(([a], [b]) => Number(a.startsWith("index.html")) - Number(b.startsWith("index.html")));
  for (const [name, bytes] of inOrder) await place(path.join(folder, name), bytes, 0o644);
  for (const name of await fs.readdir(folder)) {
    if (!files.has(name) && !isBeingPlaced(name)) await fs.rm(path.join(folder, name), { recursive: true, force: true });
  }
}

/** By another build into the same folder, which is under way. */
function isBeingPlaced(name: string): boolean {
  const builder = /\.new-(\d+)$/.exec(name)?.[1];
  return builder !== undefined && existsSync(`/proc/${builder}`);
}

async function place(file: string, bytes: Uint8Array, mode: number): Promise<void> {
  const fresh = `${file}.new-${process.pid}`;
  await fs.writeFile(fresh, bytes, { mode });
  await fs.chmod(fresh, mode);
  await fs.rename(fresh, file);
}

/** The commit we stand on, marked when the tree differs from it. A build without git may say it by PETIOLE_COMMIT. */
async function commit(): Promise<string> {
  const given = process.env["PETIOLE_COMMIT"];
  if (given) return given;
  const head = await tryCommand("git", ["-C", ROOT, "rev-parse", "--short=12", "HEAD"]).catch(() => undefined); // no git here
  if (head?.code !== 0) return "unknown";
  const changes = await tryCommand("git", [
    "-C",
    ROOT,
    "status",
    "--porcelain",
    "--",
    "src",
    "package-lock.json",
    "scripts/build.ts",
    "scripts/lib/page-bundle.ts",
  ]);
  return `${head.stdout.trim()}${changes.stdout.trim() ? "-changed" : ""}`;
}

/** The licence of each package that has a file in the bundle, in the order of their names. */
async function licenses(inputs: readonly string[]): Promise<string> {
  const packages = new Set(inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []));
  const chapters: string[] = [];
  for (const folder of [...packages].sort()) {
    const described = JSON.parse(await fs.readFile(path.join(ROOT, folder, "package.json"), "utf8")) as Record<string, string>;
    const names = await fs.readdir(path.join(ROOT, folder));
    const file = names.find((name) => /^(licen[cs]e|copying)/i.test(name));
    const text =
      file === undefined ? `License: ${described["license"]}` : await fs.readFile(path.join(ROOT, folder, file), "utf8");
    chapters.push(`${described["name"]} ${described["version"]}\n\n${text.trim()}\n`);
  }
  return chapters.join(`\n${"-".repeat(80)}\n\n`);
}

/** Whether dist/ is missing or anything it is made of is newer. */
async function isStale(): Promise<boolean> {
  const built = await fs.stat(path.join(ROOT, "dist/petiole.js")).catch(() => undefined); // not built yet
  if (built === undefined) return true;
  const sources = await Array.fromAsync(
    fs.glob(["src/**", "package.json", "package-lock.json", "scripts/build.ts", "scripts/lib/{page-bundle,node-flags}.ts"], {
      cwd: ROOT,
    }),
  );
  const times = await Promise.all(sources.map(async (file) => (await fs.stat(path.join(ROOT, file))).mtimeMs)); // folders too: a file gone
  return Math.max(...times) > built.mtimeMs;
}

if (import.meta.main) {
  try {
    if (!process.argv.includes("--if-stale") || (await isStale())) {
      await build();
      console.log("built dist/petiole.js");
    }
  } catch (error) {
    console.error(`petiole: the build failed: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
