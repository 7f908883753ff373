// Error codes are for programs: each stands in one folder's errors.ts (or beside the one part that throws it), and means one thing.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { SERIAL_CODES } from "#ingress/serial/errors.ts";
import { JOURNAL_CODES } from "#journal/errors.ts";

const SRC = path.resolve(import.meta.dirname, "../../../src");

/** Every `export const SOME_CODE = "SOME_CODE"`, and every key of a folder's REMEDY table, with its file. */
function catalogue(): { readonly name: string; readonly value: string; readonly file: string }[] {
  const files = fs.readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return files.flatMap((file) => {
    const text = fs.readFileSync(path.join(SRC, file), "utf8");
    const constants = [...text.matchAll(/export const ([A-Z][A-Z0-9_]+) = "([A-Z][A-Z0-9_]+)";/g)];
    const table = /const REMEDY = {([^}]*)} as const/.exec(text)?.[1] ?? "";
    const keys = [...table.matchAll(/^ {2}(([A-Z][A-Z0-9_]+)): "/gm)];
    return [...constants, ...keys].map(([, name, value]) => ({ name: name!, value: value!, file }));
  });
}

test("every error code is named like itself and stands in one place only", () => {
  const codes = catalogue();
  assert.ok(codes.length >= 20, `${codes.length} codes found`);
  const found = new Set(codes.map(({ value }) => value));
  for (const code of [...JOURNAL_CODES, ...SERIAL_CODES]) assert.ok(found.has(code), code);
  for (const { name, value, file } of codes) assert.equal(value, name, file);
  const places = Map.groupBy(codes, ({ value }) => value);
  for (const [code, all] of places) assert.deepEqual(all.map(({ file }) => file).slice(1), [], code);
});

test("no error is thrown under a code written out by hand where the catalogue has it", () => {
  const known = new Set(catalogue().map(({ value }) => value));
  const files = fs
    .readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith("errors.ts"));
  for (const file of files) {
    const text = fs.readFileSync(path.join(SRC, file), "utf8");
    for (const [, code] of text.matchAll(/new (?:Petiole|Protocol)Error\(\s*"([A-Z0-9_]+)"/g))
      assert.ok(!known.has(code!), `${file}: ${code}`);
  }
});
