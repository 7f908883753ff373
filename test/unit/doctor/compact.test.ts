import assert from "node:assert/strict";
import { test } from "node:test";
import { COMPACT_BYTES_MAX, compactOf } from "#doctor/compact.ts";
import { broken, DEVICE, fine, skipped, warning } from "#doctor/finding.ts";
import type { Finding } from "#doctor/report.ts";

const FACTS = { version: "0.1.0", name: "gw-0042", wall: Date.UTC(2026, 10, 22, 12, 51, 9) };
const finding = (step: string, draft: Omit<Finding, "step" | "took_ms">): Finding => ({ step, ...draft, took_ms: 1 });
const words = { cause: "a secret-sounding cause", remedy: "do it" };

test("all well is two letters", () => {
  const findings = [finding("clock", fine(DEVICE, "good")), finding("serial", skipped(DEVICE, "none"))];
  assert.equal(compactOf(findings, FACTS), "PTL1 0.1.0 gw-0042 261122T1251Z OK");
});

test("what is broken comes first, then the warnings, each in the order of the steps, without any sentence", () => {
  const at = { target: "tls://hub:7422", ref: "0.1" };
  const findings = [
    finding("daemon", warning(DEVICE, { code: "DOCTOR_DAEMON_STOPPED", ...words })),
    finding("reach", broken(at, { code: "LEAF_DIAL_FAILED", detail: "ECONNREFUSED", ...words })),
    finding("disk", broken(DEVICE, { code: "DOCTOR_DISK_FULL", ...words })),
  ];
  assert.equal(
    compactOf(findings, FACTS),
    "PTL1 0.1.0 gw-0042 261122T1251Z B reach@0.1=LEAF_DIAL_FAILED/ECONNREFUSED disk=DOCTOR_DISK_FULL W daemon=DOCTOR_DAEMON_STOPPED",
  );
});

test("however much is broken and whatever names are made of: at most 300 bytes, printable, and the rest is counted", () => {
  const at = { target: "x", ref: "päth\n" };
  const findings = Array.from({ length: 50 }, () => finding("reach", broken(at, { code: "LEAF_DIAL_FAILED", ...words })));
  const line = compactOf(findings, { ...FACTS, name: "böse\u001b[2J".repeat(20) });
  assert.ok(Buffer.byteLength(line) <= COMPACT_BYTES_MAX, `${Buffer.byteLength(line)} bytes`);
  assert.match(line, /^[\x20-\x7e]+$/);
  const shown = line.match(/reach@/g)!.length;
  assert.ok(line.endsWith(` +${50 - shown}`), line);
});

test("a device without a name still says so much", () => {
  assert.match(compactOf([], { ...FACTS, name: "" }), /^PTL1 0\.1\.0 - /);
});
