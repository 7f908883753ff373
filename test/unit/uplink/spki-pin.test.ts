import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSpkiPin } from "#uplink/spki-pin.ts";

const HEX = "0123456789abcdef".repeat(4);
const BASE64 = Buffer.from(HEX, "hex").toString("base64");

test("a pin is the same in hex, in capitals, in base64, and with the prefix of RFC 7469", () => {
  for (const text of [HEX, HEX.toUpperCase(), BASE64, BASE64.replace("=", ""), `sha256/${BASE64}`, `SHA256/${BASE64}`])
    assert.deepEqual(parseSpkiPin(text), { value: HEX }, text);
});

test("digests of other lengths and other texts are refused with the command that makes a pin", () => {
  for (const text of [
    "",
    HEX.slice(1),
    `${HEX}0`,
    `g${HEX.slice(1)}`,
    BASE64.slice(1),
    `sha1/${BASE64}`,
    `${BASE64}=`,
    "sha256/",
    `${HEX}\n`,
  ]) {
    const parsed = parseSpkiPin(text);
    assert.ok("fault" in parsed, JSON.stringify(text));
    assert.match(parsed.fault.remedy!, /openssl x509 .* dgst -sha256/);
  }
});
