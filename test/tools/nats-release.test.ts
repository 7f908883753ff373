import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import { fetchRelease } from "../../scripts/lib/nats-release.ts";
import { tempFolder } from "../support/temp-folder.ts";

const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";
const NAME = `nats-server-v2.10.27-linux-${ARCHITECTURE}.tar.gz`;

/** A release page on loopback with 2.10.9, 2.10.27, and previews; `sums` is its checksum file, if it has one. */
async function releasePage(sums: (hash: string) => string | undefined) {
  const folder = await tempFolder();
  const inner = path.join(folder.path, "in", NAME.replace(".tar.gz", ""));
  await fs.mkdir(inner, { recursive: true });
  await fs.writeFile(path.join(inner, "nats-server"), "program", { mode: 0o755 });
  const archive = execFileSync("tar", ["-cz", "-C", path.join(folder.path, "in"), "."]);
  const listed = sums(createHash("sha256").update(archive).digest("hex"));
  const server = http.createServer((request, response) => {
    response.setHeader("connection", "close");
    if (request.url === "/list") response.end(JSON.stringify(releases()));
    else if (request.url === `/${NAME}`) response.end(archive);
    else if (request.url === "/SHA256SUMS" && listed !== undefined) response.end(listed);
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const releases = () => {
    const assets = [NAME, ...(listed === undefined ? [] : ["SHA256SUMS"])].map((name) => ({
      name,
      browser_download_url: `${url}/${name}`,
    }));
    const release = (tag_name: string, more = {}) => ({ tag_name, draft: false, prerelease: false, assets: [], ...more });
    return [release("v2.15.1"), release("v2.10.99", { prerelease: true }), release("v2.10.9"), release("v2.10.27", { assets })];
  };
  const scratch = path.join(folder.path, "out");
  await fs.mkdir(scratch);
  const dispose = async () => {
    await new Promise((resolve) => server.close(resolve));
    await folder[Symbol.asyncDispose]();
  };
  return { list: `${url}/list`, scratch, [Symbol.asyncDispose]: dispose };
}

const mute = () => undefined;

test("the newest release of the line is downloaded, checked and unpacked", async () => {
  await using page = await releasePage((hash) => `${"0".repeat(64)}  other.zip\n${hash}  ${NAME}\n`);
  const answer = await fetchRelease("2.10", page.scratch, mute, page.list);
  assert.deepEqual(answer, { found: true, version: "2.10.27", folder: page.scratch });
  assert.equal(await fs.readFile(path.join(page.scratch, NAME.replace(".tar.gz", ""), "nats-server"), "utf8"), "program");
});

test("a download with a wrong or missing checksum is refused", async () => {
  for (const [sums, complaint] of [
    [`${"0".repeat(64)}  ${NAME}\n`, /download refused/],
    ["", /does not list/],
  ] as const) {
    await using page = await releasePage(() => sums);
    const answer = await fetchRelease("2.10", page.scratch, mute, page.list);
    assert.ok(!answer.found && complaint.test(answer.looked[0]!), JSON.stringify(answer));
  }
});

test("a release without a checksum file is taken, and said to be unchecked", async () => {
  await using page = await releasePage(() => undefined);
  const said: string[] = [];
  assert.equal((await fetchRelease("2.10", page.scratch, (line) => said.push(line), page.list)).found, true);
  assert.match(said.join("\n"), /not checked/);
});

test("a line without a release, one without our archive, and a dead page are each told apart", async () => {
  await using page = await releasePage(() => undefined);
  const tell = async (line: string, url: string) => {
    const answer = await fetchRelease(line, page.scratch, mute, url);
    return answer.found ? "found" : answer.looked.join();
  };
  assert.match(await tell("2.11", page.list), /none of line 2\.11 among the newest 4/);
  assert.match(await tell("2.15", page.list), /release 2\.15\.1 has no nats-server-v2\.15\.1-linux-/);
  assert.match(await tell("2.10", page.list.replace("list", "nothing")), /answered 404 Not Found for \/nothing/);
  assert.match(await tell("2.10", "http://127.0.0.1:1/list"), /could not be reached/);
});
