// Bundles the page: `<folder>/`, flat, what src/web/server serves.
//
//   index.html                 names scripts and styles by their hashes, and has in it what shows before any of them has come
//   first-HASH.css             what that needs: theme and doorstep; app-HASH.css: every other style sheet of the page
//   app-HASH.js, chunk-HASH.js the shell, and what it shares with the views
//   views-HASH.js              the views; on their way from the beginning, but behind all that shows first
//   manifest.webmanifest, icon.svg, icon-192.png, icon-512.png
//   each text once more as .br and .gz
//
// No part of it is fetched from elsewhere, then or at build time. The same tree gives the same bytes.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import * as esbuild from "esbuild";
import { ROOT } from "./suites.ts";

const PAGE = "src/web/page";
const FIRST_SHEETS = [`${PAGE}/shell/theme.css`, `${PAGE}/shell/doorstep.css`];
const TARGET = ["chrome111", "firefox115", "safari16.4"];

export interface PageBundle {
  /** File name → bytes, compressed forms among them. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Sources that are in it, as paths from the root. */
  readonly inputs: readonly string[];
  /** What the browser loads before the first picture, and what before the login: names. */
  readonly first: readonly string[];
  readonly shell: readonly string[];
}

export async function bundlePage({ isCompressed = true }: { readonly isCompressed?: boolean } = {}): Promise<PageBundle> {
  const shared = {
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    charset: "utf8",
    metafile: true,
    write: false,
    outdir: "page",
    target: [...TARGET],
    logLevel: "silent",
    legalComments: "none", // LICENSES.txt has them whole
  } satisfies esbuild.BuildOptions;
  const sheet = async (name: string, files: readonly string[]) => {
    const contents = files.map((file) => `@import "./${file}";`).join("\n");
    return await esbuild.build({
      ...shared,
      stdin: { contents, resolveDir: ROOT, loader: "css" },
      entryNames: `${name}-[hash]`,
    });
  };
  const sheets = await styleSheets();
  const [script, ...styles] = await Promise.all([
    esbuild.build({
      ...shared,
      entryPoints: { app: `${PAGE}/main.tsx` },
      entryNames: "[name]-[hash]",
      chunkNames: "[name]-[hash]",
      format: "esm",
      splitting: true,
      jsx: "automatic",
      jsxImportSource: "preact",
    }),
    sheet("first", FIRST_SHEETS),
    sheet("app", sheets),
  ]);
  const builds = [script, ...styles];
  const warnings = builds.flatMap((each) => each.warnings);
  if (warnings.length > 0) throw new Error((await esbuild.formatMessages(warnings, { kind: "warning" })).join("\n"));
  const files = new Map<string, Buffer>();
  for (const output of builds.flatMap((each) => each.outputFiles)) files.set(nameOf(output), Buffer.from(output.contents));
  const names = [...files.keys()];
  const named = (wanted: string): string => {
    const [stem, extension] = wanted.toLowerCase().split(".");
    const found = names.filter((name) => name.startsWith(`${stem}-`) && name.endsWith(`.${extension}`));
    if (found.length !== 1)
      throw new Error(`index.html names ${wanted}, of which there are ${found.length}: ${names.join(", ")}`);
    return found[0]!;
  };
  const html = await fs.readFile(path.join(ROOT, PAGE, "index.html"), "utf8");
  files.set("index.html", Buffer.from(html.replace(/(?<="\/)[A-Z]+\.(?:js|css)(?=")/g, named)));
  for (const name of ["manifest.webmanifest", "icon.svg", "icon-192.png", "icon-512.png"])
    files.set(name, await fs.readFile(path.join(ROOT, PAGE, name)));
  if (isCompressed) await Promise.all([...files].map(([name, bytes]) => addCompressed(files, name, bytes)));
  return {
    files: new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1))),
    inputs: builds.flatMap((each) => Object.keys(each.metafile.inputs)).filter((file) => file !== "<stdin>"),
    first: ["index.html", named("FIRST.css")],
    shell: ["index.html", ...["FIRST.css", "APP.css", "APP.js", "CHUNK.js"].map(named)],
  };
}

/** Every style sheet of the page by its path, but the first ones. */
async function styleSheets(): Promise<readonly string[]> {
  const found = (await Array.fromAsync(fs.glob(`${PAGE}/**/*.css`, { cwd: ROOT }))).sort();
  return found.filter((file) => !FIRST_SHEETS.includes(file));
}

function nameOf(output: esbuild.OutputFile): string {
  return path.basename(output.path);
}

async function addCompressed(files: Map<string, Buffer>, name: string, bytes: Buffer): Promise<void> {
  if (name.endsWith(".png")) return;
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  files.set(`${name}.br`, await promisify(brotliCompress)(bytes, { params }));
  files.set(`${name}.gz`, await promisify(gzip)(bytes, { level: 9 }));
}
