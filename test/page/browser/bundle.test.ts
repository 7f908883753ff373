// What the page weighs, and that it needs nobody but the device.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { bundlePage } from "../../../scripts/lib/page-bundle.ts";
import { ROOT } from "../../../scripts/lib/suites.ts";

const LANGUAGES = ["en", "de", "fr", "es", "pt", "zh"];

const ALL_BYTES_MAX = 150_000;
const FIRST_BYTES_MAX = 8_000;
const SHELL_BYTES_MAX = 50_000;

test("the whole page is less than 150 kB compressed, what is loaded before anything shows 8 kB, before the login 50 kB", async () => {
  const { files, first, shell } = await bundlePage();
  const sent = (name: string) => (files.get(`${name}.br`) ?? files.get(name)!).length;
  const names = [...files.keys()].filter((name) => !/\.(?:br|gz)$/.test(name));
  const sum = (these: readonly string[]) => these.reduce((total, name) => total + sent(name), 0);
  console.log(`all ${sum(names)} bytes, before the login ${sum(shell)}, before anything shows ${sum(first)}`);
  assert.ok(sum(names) < ALL_BYTES_MAX, `${sum(names)} bytes, wanted less than ${ALL_BYTES_MAX}`);
  assert.ok(sum(shell) < SHELL_BYTES_MAX, `${sum(shell)} bytes, wanted less than ${SHELL_BYTES_MAX}`);
  assert.ok(sum(first) < FIRST_BYTES_MAX, `${sum(first)} bytes, wanted less than ${FIRST_BYTES_MAX}`);
});

test("no file of the page names another host, sets markup from text, or has script or style inline", async () => {
  const { files } = await bundlePage({ isCompressed: false });
  for (const [name, bytes] of files) {
    if (name.endsWith(".png")) continue;
    const text = bytes.toString("utf8");
    const hosts = [...text.matchAll(/\b(?:https?|wss?):\/\/([a-z0-9.-]+)/gi)].map(([, host]) => host!);
    // Names of XML dialects are no addresses; what stands in words and placeholders is an example.
    const foreign = hosts.filter((host) => !/^www\.w3\.org$|(?:^|\.)example\.(?:com|org)$|^host$/.test(host));
    assert.deepEqual(foreign, [], name);
    if (name.endsWith(".html")) assert.doesNotMatch(text, /<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=/i, name);
  }
});

test("the manifest and the icons are there, and the manifest is what makes a page installable", async () => {
  const { files } = await bundlePage({ isCompressed: false });
  const manifest = JSON.parse(files.get("manifest.webmanifest")!.toString("utf8")) as {
    readonly display: string;
    readonly start_url: string;
    readonly icons: readonly { readonly src: string; readonly sizes: string }[];
  };
  assert.equal(manifest.display, "standalone");
  assert.equal(manifest.start_url, "/");
  assert.deepEqual(
    manifest.icons.map(({ sizes }) => sizes),
    ["any", "192x192", "512x512"],
  );
  for (const { src } of manifest.icons) assert.ok(files.has(src.slice(1)), src);
});

test("every sentence is there in all six languages, with the same values in it", async () => {
  const files = await Array.fromAsync(fs.glob("src/web/page/**/*words.ts", { cwd: ROOT }));
  assert.ok(files.length > 10, files.join(", "));
  let sentences = 0;
  for (const file of files) {
    const exported = Object.values((await import(path.join(ROOT, file))) as Record<string, unknown>);
    for (const words of exported.filter(isCatalogue)) {
      for (const [key, languages] of Object.entries(words)) {
        assert.deepEqual(Object.keys(languages), [...LANGUAGES], `${file}: ${key}`);
        for (const [language, text] of Object.entries(languages)) {
          const place = `${file}: ${key}, ${language}`;
          assert.notEqual(text.trim(), "", place);
          assert.deepEqual(valuesIn(text), valuesIn(languages["en"]!), place);
          sentences += 1;
        }
      }
    }
  }
  assert.ok(sentences > 1000, `${sentences}`);
});

type Catalogue = Readonly<Record<string, Readonly<Record<string, string>>>>;

function isCatalogue(value: unknown): value is Catalogue {
  if (typeof value !== "object" || value === null) return false;
  const entries = Object.values(value);
  return entries.length > 0 && entries.every((each) => typeof each === "object" && each !== null && "en" in each);
}

function valuesIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(/\{(\w+)/g)].map(([, name]) => name!))].sort();
}
