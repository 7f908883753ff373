// Captured sessions of real servers, fed to the parser as one chunk, byte by byte, and played to a link.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { FakeHub } from "../support/fake-hub.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";
import { hearCut } from "../support/recording-leaf.ts";

const FOLDER = path.resolve(import.meta.dirname, "../fixtures/transcripts");
const FILES = fs.readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));

/** The hub's bytes of each connection in a transcript. */
function hubBytes(text: string): Buffer[] {
  const connections: string[] = [];
  let bytes = "";
  const end = () => {
    if (bytes !== "") connections.push(bytes);
    bytes = "";
  };
  for (const line of text.split("\n")) {
    if (/^# (=====|--- connection closed)/.test(line)) end();
    // A new INFO without `connect_info` and with a nonce is the first byte of another connection.
    if (/^S: INFO .*"nonce"/.test(line)) end();
    if (!line.startsWith("S: ")) continue;
    bytes += line.endsWith("<no-CRLF>") ? line.slice(3, -"<no-CRLF>".length) : `${line.slice(3)}\r\n`;
  }
  end();
  return connections.map((each) => Buffer.from(each, "utf8"));
}

test("there are transcripts of every server line", () => {
  for (const version of ["2.9.10", "2.10.27", "2.15.1"])
    assert.ok(
      FILES.some((name) => name.includes(version)),
      version,
    );
});

for (const name of FILES) {
  test(`${name}: every line the hub said is understood`, () => {
    const connections = hubBytes(fs.readFileSync(path.join(FOLDER, name), "utf8"));
    assert.ok(connections.length > 0);
    for (const bytes of connections) {
      const heard = hearCut(bytes, []);
      const said = bytes.toString("latin1").split("\r\n");
      const count = (list: readonly string[], pattern: RegExp) => list.filter((line) => pattern.test(line)).length;
      for (const [onWire, event] of [
        [/^INFO /, /^info /],
        [/^LS\+ /, /^ls\+ /],
        [/^LS- /, /^ls- /],
        [/^PING$/, /^ping/],
        [/^PONG$/, /^pong/],
        [/^-ERR /, /^err /],
        [/^[LH]MSG /, /^(via \S+ )?msg /],
      ] as const) {
        assert.equal(count(heard, event), count(said, onWire), `${event} in ${bytes.toString("latin1")}`);
      }
      assert.deepEqual(
        hearCut(
          bytes,
          Array.from({ length: bytes.length - 1 }, (_, i) => i + 1),
        ),
        heard,
      );
    }
  });
}

for (const name of FILES.filter((each) => /^0[123]-/.test(each))) {
  test(`${name}: a link becomes ready on it and hears all its interest`, async () => {
    const [bytes] = hubBytes(fs.readFileSync(path.join(FOLDER, name), "utf8"));
    const lines = bytes!.toString("utf8").split("\r\n");
    const answer = lines.findIndex((line) => line.includes('"connect_info":true'));
    const interest = lines
      .slice(answer + 1)
      .filter((line, i, all) => line.startsWith("LS+ ") && all.slice(0, i).every((each) => each.startsWith("LS+ ")));
    await using hub = await FakeHub.listen();
    await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
    spoke.link.start();
    await hub.plays(`
      > ${lines[0]}
      < CONNECT …
      > ${lines[answer]}
      ${interest.map((line) => `> ${line}`).join("\n")}
      < LS+ $LDS.…
      < PING
      > PONG`);
    await spoke.hears(/^ready$/);
    const wanted = interest.filter((line) => !line.includes("$LDS.")).map((line) => line.split(" ")[1]);
    assert.deepEqual(
      spoke.heard.filter((line) => line.startsWith("ls+ ")).map((line) => line.split(" ")[1]),
      wanted,
    );
    assert.ok(wanted.length > 3);
  });
}
