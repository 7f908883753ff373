import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { test } from "node:test";
import { readJsonBody } from "#web/server/body.ts";

function request(text: string): IncomingMessage {
  const stream = Readable.from([Buffer.from(text)]);
  return Object.assign(stream, { headers: { "content-type": "application/json; charset=utf-8" } }) as unknown as IncomingMessage;
}

test("nesting is counted outside of strings only, however they are escaped", async () => {
  const deep = "[".repeat(200);
  for (const value of [deep, `"${deep}`, `\\${deep}`, `\\"${deep}\\\\`]) {
    assert.deepEqual(await readJsonBody(request(JSON.stringify({ value })), 10_000), { value });
  }
  assert.deepEqual(
    await readJsonBody(request("[".repeat(64) + "]".repeat(64)), 10_000),
    JSON.parse("[".repeat(64) + "]".repeat(64)),
  );
  await assert.rejects(readJsonBody(request("[".repeat(65) + "]".repeat(65)), 10_000), { code: "WEB_BODY" });
  await assert.rejects(readJsonBody(request(`{"a":"\\\\",${'"b":['.repeat(100)}`), 10_000), { code: "WEB_BODY" });
});

test("a text of megabytes is read without a deep stack", async () => {
  const value = '\\"'.repeat(2_000_000);
  assert.deepEqual(await readJsonBody(request(JSON.stringify(value)), 20_000_000), value);
  await assert.rejects(readJsonBody(request('"'.repeat(4_000_001)), 20_000_000), { code: "WEB_BODY" });
});
