// The module's bytes in the tree are what its source compiles to, and both sides agree on where things lie.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import * as layout from "#s2/memory-layout.ts";
import { compileS2Module, s2ModuleSource } from "../../../scripts/lib/s2-module.ts";

const SRC = path.resolve(import.meta.dirname, "../../../src/s2");

test("src/s2/module-bytes.ts is what src/s2/assembly/ compiles to (else: scripts/build)", async () => {
  const committed = await fs.readFile(path.join(SRC, "module-bytes.ts"), "utf8");
  const compiled = await s2ModuleSource(await compileS2Module());
  assert.ok(committed === compiled, `${committed.length} bytes in the tree, ${compiled.length} compiled, or others`);
});

test("JavaScript and the module have the same addresses", async () => {
  const text = await fs.readFile(path.join(SRC, "assembly/layout.ts"), "utf8");
  const there = new Map([...text.matchAll(/export const (\w+): u32 = (\d+);/g)].map(([, name, value]) => [name, Number(value)]));
  const shared = Object.entries(layout).filter(([name]) => !name.endsWith("_PAGES"));
  assert.equal(shared.length, 6);
  for (const [name, value] of shared) assert.equal(there.get(name), value, name);
});

test("nothing lies over anything else, and the memories are as small as promised", async () => {
  const text = await fs.readFile(path.join(SRC, "assembly/layout.ts"), "utf8");
  const at = Object.fromEntries(
    [...text.matchAll(/export const (\w+): u32 = (\d+);/g)].map(([, name, value]) => [name!, Number(value)]),
  );
  const ends: [string, number, number][] = [
    ["SWIZZLES", 256, at["CRC_TABLES"]!],
    ["CRC_TABLES", 16 * 1024, at["CRC_SCRATCH"]!],
    ["CRC_SCRATCH", (209 + 512 + 209 + 55) * 16, at["SHORT_TABLE"]!],
    ["SHORT_TABLE", 2 << 14, at["LONG_TABLE"]!],
    ["LONG_TABLE", 2 << 15, at["CHAIN"]!],
    ["CHAIN", 2 << 16, at["ENCODER_INPUT"]! - 64],
    ["ENCODER_INPUT", layout.ENCODER_INPUT_MAX + 128, layout.ENCODER_OUTPUT - 64],
    ["ENCODER_OUTPUT", layout.ENCODER_INPUT_MAX + 11 + 128, layout.ENCODER_PAGES * 65_536],
    ["DECODER_INPUT", layout.DECODER_OUTPUT_MAX + 12 + 128, layout.DECODER_OUTPUT],
    ["DECODER_OUTPUT", layout.DECODER_OUTPUT_MAX + 64, layout.DECODER_PAGES * 65_536],
  ];
  for (const [name, bytes, limit] of ends)
    assert.ok(at[name]! + bytes <= limit, `${name} ends at ${at[name]! + bytes}, limit ${limit}`);
  assert.ok(layout.ENCODER_PAGES * 65_536 <= 1_048_576);
  assert.ok(layout.DECODER_PAGES * 65_536 <= 2 * layout.DECODER_OUTPUT_MAX + 1_048_576);
});
