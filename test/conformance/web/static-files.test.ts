import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { replaceWhole } from "#base/disk.ts";
import { StaticFiles } from "#web/server/static-files.ts";
import { fakeDisk } from "../../support/fake-disk.ts";

const asked = (headers: Record<string, string> = {}) => ({ headers }) as unknown as IncomingMessage;

async function page(files: Readonly<Record<string, string>>): Promise<StaticFiles> {
  const disk = fakeDisk();
  for (const folder of ["/page", "/page/assets", "/secrets"]) await disk.makeDirectory(folder);
  for (const [path, text] of Object.entries(files)) {
    const at = path.lastIndexOf("/");
    await replaceWhole(disk, path.slice(0, at), path.slice(at + 1), Buffer.from(text));
  }
  return await StaticFiles.open(disk, "/page");
}

test("a built page is served with its compressed forms, hashed names for ever and others anew", async () => {
  const files = await page({
    "/page/index.html": "<p>hello</p>",
    "/page/assets/app-3fA9x_Q1.js": "let a;",
    "/page/assets/app-3fA9x_Q1.js.br": "made at build time",
    "/page/icon.png": "png",
    "/secrets/claim-code": "no",
  });
  const index = files.answer("/", asked())!;
  assert.deepEqual([String(index.body), index.headers["Cache-Control"]], ["<p>hello</p>", "no-cache"]);
  const script = files.answer("/assets/app-3fA9x_Q1.js", asked({ "accept-encoding": "br" }))!;
  assert.deepEqual([String(script.body), script.headers["Content-Encoding"]], ["made at build time", "br"]);
  assert.match(String(script.headers["Cache-Control"]), /immutable/);
  assert.equal(script.headers["Content-Type"], "text/javascript; charset=utf-8");
  const zipped = files.answer("/assets/app-3fA9x_Q1.js", asked({ "accept-encoding": "gzip" }))!;
  assert.equal(String(gunzipSync(zipped.body as Buffer)), "let a;", "compressed here, since the build did not");
  assert.equal(files.answer("/icon.png", asked({ "accept-encoding": "br, gzip" }))!.headers["Content-Encoding"], undefined);
  for (const path of [
    "/assets/app-3fA9x_Q1.js.br",
    "/assets",
    "/assets/",
    "/nothing",
    "/../secrets/claim-code",
    "",
    "/constructor",
  ])
    assert.equal(files.answer(path, asked()), undefined, path);
});

test("a folder that is not there, or holds no page, means the placeholder", async () => {
  for (const files of [await StaticFiles.open(fakeDisk(), "/nowhere"), await page({ "/page/readme.txt": "x" })])
    assert.match(String(files.answer("/", asked())!.body), /not part of this build yet/);
});
