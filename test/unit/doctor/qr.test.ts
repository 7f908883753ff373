import assert from "node:assert/strict";
import { test } from "node:test";
import { qrSvg, qrText } from "#doctor/qr.ts";

const SET = "\u001b[30;107m";
const RESET = "\u001b[0m";
const uncoloured = (line: string) => line.slice(SET.length, -RESET.length);

const LONGEST = "PTL1 ".padEnd(300, "reach@0.1=LEAF_DIAL_FAILED/ECONNREFUSED ");

test("on a terminal: rows of one width, their colours set and given back, the three corners where readers look for them", () => {
  const lines = qrText("PTL1 OK").trimEnd().split("\n");
  assert.ok(lines.every((line) => line.startsWith(SET) && line.endsWith(RESET)));
  const rows = lines.map(uncoloured);
  assert.ok(rows.every((row) => row.length === rows[0]!.length));
  assert.equal(rows.length, Math.ceil(rows[0]!.length / 2));
  assert.match(rows[1]!, /^ {2}█▀▀▀▀▀█.*█▀▀▀▀▀█ {2}$/);
});

test("the longest result fits a screen of eighty columns", () => {
  const rows = qrText(LONGEST).trimEnd().split("\n");
  assert.ok(uncoloured(rows[0]!).length <= 80, `${rows[0]!.length} columns`);
});

test("as SVG: square, quiet all around, and the same modules as on the terminal", () => {
  const svg = qrSvg("PTL1 OK", 4);
  const [, side] = /viewBox="0 0 (\d+) \1"/.exec(svg)!;
  assert.match(svg, new RegExp(`width="${Number(side) * 4}"`));
  const dark = new Set<string>();
  for (const [, x, y, run] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g))
    for (let i = 0; i < Number(run); i++) dark.add(`${Number(x) + i - 4},${Number(y) - 4}`);
  const rows = qrText("PTL1 OK").trimEnd().split("\n").map(uncoloured);
  const shown = new Set<string>();
  for (const [r, row] of rows.entries())
    for (const [c, char] of [...row].entries()) {
      if (char === "█" || char === "▀") shown.add(`${c - 2},${2 * r - 2}`);
      if (char === "█" || char === "▄") shown.add(`${c - 2},${2 * r - 1}`);
    }
  assert.deepEqual([...dark].sort(), [...shown].sort());
  assert.ok(dark.size > 100);
});
