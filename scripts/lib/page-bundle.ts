// Bundles the page: `<folder>/`, flat, what src/web/server serves.
//
//   index.html                 names the script and the style by their hashes
//   app-HASH.js, app-HASH.css  the shell, and every style sheet of the page
//   views-HASH.js              the views, loaded after the shell; chunk-HASH.js: what both need
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
const TARGET = ["chrome111", "firefox115", "safari16.4"];

export interface PageBundle {
  /** File name → bytes, compressed forms among them. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Sources that are in it, as paths from the root. */
  readonly inputs: readonly string[];
  /** What the browser loads before anything can be seen: names. */
  readonly first: readonly string[];
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
  const [script, style] = await Promise.all([
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
    esbuild.build({
      ...shared,
      stdin: { contents: await styleSheets(), resolveDir: ROOT, loader: "css" },
      entryNames: "app-[hash]",
    }),
  ]);
  const warnings = [...script.warnings, ...style.warnings];
  if (warnings.length > 0) throw new Error((await esbuild.formatMessages(warnings, { kind: "warning" })).join("\n"));
  const files = new Map<string, Buffer>();
  for (const output of [...script.outputFiles, ...style.outputFiles]) files.set(nameOf(output), Buffer.from(output.contents));
  const names = [...files.keys()];
  const js = names.find((name) => /^app-.*\.js$/.test(name))!;
  const css = names.find((name) => name.endsWith(".css"))!;
  const html = await fs.readFile(path.join(ROOT, PAGE, "index.html"), "utf8");
  files.set("index.html", Buffer.from(html.replace("/APP.css", `/${css}`).replace("/APP.js", `/${js}`)));
  for (const name of ["manifest.webmanifest", "icon.svg", "icon-192.png", "icon-512.png"])
    files.set(name, await fs.readFile(path.join(ROOT, PAGE, name)));
  if (isCompressed) await Promise.all([...files].map(([name, bytes]) => addCompressed(files, name, bytes)));
  const imports = script.metafile.outputs[`page/${js}`]!.imports.filter(({ kind }) => kind === "import-statement");
  return {
    files: new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1))),
    inputs: [...Object.keys(script.metafile.inputs), ...Object.keys(style.metafile.inputs)].filter((file) => file !== "<stdin>"),
    first: ["index.html", css, js, ...imports.map((each) => path.basename(each.path))],
  };
}

/** The theme first, then every other style sheet of the page by its path. */
async function styleSheets(): Promise<string> {
  const found = (await Array.fromAsync(fs.glob(`${PAGE}/**/*.css`, { cwd: ROOT }))).sort();
  const theme = `${PAGE}/shell/theme.css`;
  return [theme, ...found.filter((file) => file !== theme)].map((file) => `@import "./${file}";`).join("\n");
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
