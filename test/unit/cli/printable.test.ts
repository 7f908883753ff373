import assert from "node:assert/strict";
import { test } from "node:test";
import { preview, printable } from "#cli/printable.ts";

test("what a terminal would obey is shown, not obeyed", () => {
  assert.equal(
    printable("a\u001b[31mb\r\n\tc\u0000\u009b\u202e\u2066\u200f\\"),
    "a\\x1b[31mb\\r\\n\\tc\\x00\\x9b\\u202e\\u2066\\u200f\\\\",
  );
  assert.equal(printable("Grüße, 世界 🌡"), "Grüße, 世界 🌡");
});

test("a payload is shown as text if all of it is, else as hexadecimal digits, and cut where it is long", () => {
  assert.equal(preview(Buffer.alloc(0), 20), "(empty)");
  assert.equal(preview(Buffer.from("21.5 °C"), 20), "21.5 °C");
  assert.equal(preview(Buffer.from([0xff, 0, 1]), 20), "hex ff0001");
  assert.equal(preview(Buffer.alloc(100, 0xff), 10), "hex ffffffffff…");
  assert.equal(preview(Buffer.from("x".repeat(21)), 20), `${"x".repeat(20)}…`);
  assert.equal(preview(Buffer.from("\u0007".repeat(20)), 8), "\\x07\\x07…");
});
