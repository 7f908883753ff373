import assert from "node:assert/strict";
import { test } from "node:test";
import { offersIn } from "../../scripts/lib/apt-mirror.ts";
import { archivesIn, signedBy, stanza } from "../../scripts/lib/apt-sources.ts";

const BASE = "http://mirror.example/debian";

test("archives and suites are read from the addresses apt would fetch", () => {
  const printed = `'${BASE}/dists/bookworm/InRelease' mirror_InRelease 0 
'mirror+file:/etc/apt/mirrors/list/dists/bookworm/updates/InRelease' x 0
'${BASE}/dists/bookworm/main/binary-amd64/Packages.xz' y 0
W: something else`;
  assert.deepEqual(archivesIn(printed), [
    { base: BASE, suite: "bookworm" },
    { base: "mirror+file:/etc/apt/mirrors/list", suite: "bookworm/updates" },
  ]);
  assert.deepEqual(archivesIn(""), []);
});

test("the keyring is taken from the paragraph that names the archive", () => {
  const other = "Types: deb\nURIs: http://elsewhere.example/debian\nSuites: x\nSigned-By: /wrong.gpg";
  const own = `# Signed-By: /remark.gpg\nTypes: deb\nURIs: http://second.example/debian ${BASE}/\nSuites: bookworm\nSigned-By: /right.gpg`;
  assert.equal(signedBy(["", `${other}\n\n${own}\n`], BASE), "/right.gpg");
});

test("a key written into the sources is taken whole", () => {
  const own = `URIs: ${BASE}\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\nSuites: bookworm\n`;
  assert.equal(signedBy([own], BASE), "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc");
});

test("the one-line format is read, with its option or without", () => {
  const line = (option: string) => `# deb ${BASE} old main\ndeb ${option}${BASE}/ bookworm main contrib\n`;
  assert.equal(signedBy([line("[arch=amd64 signed-by=/right.gpg] ")], BASE), "/right.gpg");
  assert.equal(signedBy([line("[arch=amd64] ")], BASE), undefined);
  assert.equal(signedBy([line("")], BASE), undefined);
  assert.equal(signedBy([`deb [signed-by=/wrong.gpg] ${BASE}-security bookworm main\n`], BASE), undefined);
});

test("our own source says no more than it must", () => {
  const source = { base: BASE, suite: "sid", ownSuite: "bookworm", components: "main", architecture: "arm64" };
  const text = `Types: deb\nURIs: ${BASE}\nSuites: sid\nComponents: main\nArchitectures: arm64\nTargets: Packages\n`;
  assert.equal(stanza({ ...source, signedBy: undefined }), text);
  assert.equal(stanza({ ...source, signedBy: "/k.gpg" }), `${text}Signed-By: /k.gpg\n`);
});

test("a mirror's offers are sorted by version, previews left out", () => {
  const rows = ["2.15.1-1", "2.9.0-1", "2.16.0~rc1-1"].map(
    (version) => `nats-server | ${version} | ${BASE} sid/main amd64 Packages`,
  );
  assert.deepEqual(
    offersIn(`${rows.join("\n")}\n`).map(({ version }) => version),
    ["2.9.0", "2.15.1"],
  );
  assert.deepEqual(offersIn(""), []);
});
