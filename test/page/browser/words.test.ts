// Every catalogue of the page: six languages, nothing empty, and the same {values} in each.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { test } from "node:test";
import * as esbuild from "esbuild";

const LANGUAGES = ["de", "en", "es", "fr", "pt", "zh"];

type Catalogue = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The page's modules want a browser; these are texts, with one function around them that hands them through. */
const handThrough: esbuild.Plugin = {
  name: "hand-through",
  setup(build) {
    build.onLoad({ filter: /words\/catalogue\.ts$/ }, () => ({ contents: "export const catalogue = (words) => words;" }));
  },
};

async function catalogues(): Promise<readonly (readonly [file: string, Catalogue])[]> {
  const files = (await Array.fromAsync(fs.glob("src/web/page/**/*words.ts"))).sort();
  const found: [string, Catalogue][] = [];
  for (const file of files) {
    if (!/\bcatalogue\(/.test(await fs.readFile(file, "utf8"))) continue;
    const { outputFiles } = await esbuild.build({
      entryPoints: [file],
      bundle: true,
      write: false,
      format: "esm",
      plugins: [handThrough],
    });
    const module = (await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]!.text)}`)) as object;
    for (const [name, value] of Object.entries(module))
      if (typeof value === "object" && value !== null) found.push([`${file} ${name}`, value as Catalogue]);
  }
  return found;
}

const valuesIn = (text: string) => [...new Set([...text.matchAll(/\{(\w+)/g)].map(([, name]) => name!))].sort();

test("every text is there in six languages and names the same values in each", async () => {
  const all = await catalogues();
  assert.ok(all.length >= 10, `${all.length} catalogues found`);
  const wrong: string[] = [];
  for (const [where, words] of all)
    for (const [key, texts] of Object.entries(words)) {
      if (typeof texts !== "object") continue;
      const place = `${where}.${key}`;
      if (Object.keys(texts).sort().join() !== LANGUAGES.join()) wrong.push(`${place}: ${Object.keys(texts).join()}`);
      for (const [language, text] of Object.entries(texts)) {
        if (text.trim() === "") wrong.push(`${place} ${language}: empty`);
        const [wanted, named] = [valuesIn(texts["en"] ?? ""), valuesIn(text)];
        if (wanted.join() !== named.join()) wrong.push(`${place} ${language}: {${named}}, wanted {${wanted}}`);
      }
    }
  assert.deepEqual(wrong, []);
});
