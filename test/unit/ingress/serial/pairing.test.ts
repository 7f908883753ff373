import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPairing } from "#ingress/serial/pairing.ts";

function faults(
  framing: Parameters<typeof checkPairing>[0]["framing"],
  decode: Parameters<typeof checkPairing>[0]["decode"],
): string[] {
  const found: string[] = [];
  checkPairing({ framing, decode }, { fault: (at, fault) => found.push(`${at.join(".")}: ${fault.found}`) });
  return found;
}

test("registers are read out of Modbus frames, and of nothing else", () => {
  assert.deepEqual(faults({ type: "line" }, { type: "modbus" }), ['decode.type: framing type "line"']);
  assert.deepEqual(faults({ type: "modbus_rtu" }, { type: "modbus" }), []);
  assert.deepEqual(faults({ type: "modbus_rtu" }, { type: "raw" }), []);
  assert.deepEqual(faults(undefined, { type: "modbus" }), [], "another fault says enough");
});
