// What lies in the image, file by file: nothing that could be used against it, nothing of the machine that built it, and not too much.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { runCommand } from "../../scripts/lib/command.ts";
import { builtImage, cannotBuildImage, wantedArchitectures } from "./support/built-image.ts";

/** All layers, compressed: what a board on a metered link fetches for its first start. */
const COMPRESSED_BYTES_MAX = 48_000_000;

const PROGRAMS = ["busybox", "flock", "nft", "node", "setpriv", "tini"];
/** The magic numbers of programs: 62 is x86-64, 183 aarch64. */
const MACHINES = { amd64: 62, arm64: 183 } as const;

interface Entry {
  readonly name: string;
  readonly kind: string;
  readonly mode: number;
  readonly owner: string;
  readonly target: string;
}

async function entriesOf(root: string): Promise<Entry[]> {
  const listed = await runCommand("find", [root, "-mindepth", "1", "-printf", "%P\\t%y\\t%m\\t%U:%G\\t%l\\n"]);
  return listed
    .trim()
    .split("\n")
    .map((line) => {
      const [name, kind, mode, owner, target] = line.split("\t") as [string, string, string, string, string];
      return { name, kind, mode: Number.parseInt(mode, 8), owner, target };
    });
}

for (const architecture of wantedArchitectures()) {
  test(`${architecture.name}: the files of the image`, { skip: cannotBuildImage ?? false }, async (t) => {
    const image = await builtImage(architecture);
    const entries = await entriesOf(image.root);
    const files = entries.filter(({ kind }) => kind === "f");
    const read = (name: string) => fs.readFile(path.join(image.root, name));

    await t.test("everything belongs to root, nothing changes its user, only root writes, and there is no device file", () => {
      for (const { name, kind, mode, owner } of entries) {
        assert.equal(owner, "0:0", name);
        assert.match(kind, /^[fdl]$/, `${name} is a file of kind ${kind}`);
        if (kind === "l") continue;
        const isScratch = name === "tmp" || name === "var/tmp";
        assert.equal(mode & 0o7000, isScratch ? 0o1000 : 0, `${name} has mode ${mode.toString(8)}`);
        assert.equal(mode & 0o022, isScratch ? 0o022 : 0, `${name} has mode ${mode.toString(8)}`);
      }
    });

    await t.test(
      "there are six programs and the entry script: no compiler, no package manager, no second interpreter",
      async () => {
        const programs: string[] = [];
        for (const { name, mode } of files.filter((file) => (file.mode & 0o111) !== 0)) {
          const head = (await read(name)).subarray(0, 20);
          if (/\.(so[.\d]*|node)$/.test(name)) continue;
          programs.push(path.basename(name));
          if (head.subarray(1, 4).toString() === "ELF") {
            assert.equal(head.readUInt16LE(18), MACHINES[architecture.name], `${name} is for another processor`);
          }
          assert.equal(mode, 0o755, name);
        }
        assert.deepEqual(programs.sort(), [...PROGRAMS, "entry", "petiole.js"].sort());
        const linked = entries.filter(({ kind, name }) => kind === "l" && /^usr\/s?bin\//.test(name));
        for (const { name, target } of linked) assert.equal(target, "busybox", name);
      },
    );

    await t.test("nobody can log in, and there is no secret: no password, no key, no token, no credentials", async () => {
      assert.ok(
        !entries.some(({ name }) => /(^|\/)(shadow-?|gshadow-?|\.npmrc|\.netrc|id_\w+|authorized_keys|\.git.*)$/.test(name)),
      );
      for (const line of (await read("etc/passwd")).toString().trim().split("\n")) {
        assert.equal(line.split(":")[1], "x", `${line}: its password would stand in a shadow file, and there is none`);
      }
      assert.deepEqual(Object.keys(JSON.parse((await read("usr/share/petiole/settings.json")).toString()) as object), [
        "firewall",
        "web",
      ]);
      for (const { name } of files.filter(({ name }) => !/^usr\/(bin|lib|sbin)\//.test(name))) {
        const text = (await read(name)).toString("latin1");
        assert.ok(!/-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[A-Za-z0-9+/=]{32}/.test(text), `${name} holds a private key`);
        assert.ok(!/-----BEGIN NATS USER JWT-----\r?\ney/.test(text), `${name} holds NATS credentials`);
        assert.ok(!/_authToken=\S|password\s*=\s*"?\$scrypt/.test(text), `${name} holds a secret`);
      }
    });

    await t.test("nothing of the building machine is in it, and no place is left for a package manager", async () => {
      for (const name of ["etc/hostname", "etc/hosts", "etc/resolv.conf"]) assert.equal((await read(name)).length, 0, name);
      for (const name of ["etc/apt", "var/lib/dpkg", "usr/share/man", "usr/share/locale", "boot", "home", "root"]) {
        assert.ok(!entries.some((entry) => entry.name === name), name);
      }
      const here = path.resolve(import.meta.dirname, "../..");
      for (const name of ["petiole.js", "program.js"])
        assert.ok(!(await read(`opt/petiole/${name}`)).includes(here), `${name} names the folder it was built in`);
    });

    await t.test("every library that a program names is there", async () => {
      const names = new Set(entries.map(({ name }) => path.basename(name)));
      for (const { name } of files.filter((file) => /^usr\/(s?bin|lib)\/|\.node$/.test(file.name))) {
        const { stdout } = await readelf(path.join(image.root, name));
        for (const [, wanted] of stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g))
          assert.ok(names.has(wanted!), `${name} wants ${wanted}`);
      }
    });

    await t.test(`compressed it is at most ${COMPRESSED_BYTES_MAX / 1_000_000} MB`, () => {
      assert.ok(image.layerBytes <= COMPRESSED_BYTES_MAX, `${image.layerBytes} bytes`);
    });

    await t.test("the archive holds what its index says, blob by blob", async () => {
      const member = async (name: string) => Buffer.from(await runCommand("tar", ["-xOf", image.file, name]));
      const index = JSON.parse((await member("index.json")).toString()) as { manifests: { digest: string; platform: object }[] };
      assert.equal(index.manifests[0]!.digest, image.digest);
      assert.deepEqual(index.manifests[0]!.platform, { architecture: architecture.name, os: "linux" });
      const blob = (digest: string) => member(`blobs/${digest.replace(":", "/")}`);
      const manifestBytes = await blob(image.digest);
      assert.equal(`sha256:${createHash("sha256").update(manifestBytes).digest("hex")}`, image.digest);
      const manifest = JSON.parse(manifestBytes.toString()) as { config: { digest: string }; layers: { digest: string }[] };
      const config = JSON.parse((await blob(manifest.config.digest)).toString()) as { config: { Entrypoint: string[] } };
      assert.deepEqual(config.config.Entrypoint, ["/usr/local/bin/entry"]);
      const [forDocker] = JSON.parse((await member("manifest.json")).toString()) as { Layers: string[] }[];
      assert.deepEqual(
        forDocker!.Layers,
        manifest.layers.map(({ digest }) => `blobs/${digest.replace(":", "/")}`),
      );
    });

    await t.test(
      "the bill of materials names every library's package, Node and every package of the bundle, and each has its licence",
      async () => {
        const bom = JSON.parse(await fs.readFile(image.bom, "utf8")) as { components: { name: string; purl: string }[] };
        const names = bom.components.map(({ name }) => name);
        for (const wanted of [
          "libc6",
          "libstdc++6",
          "nftables",
          "busybox-static",
          "tini",
          "util-linux",
          "ca-certificates",
          "node",
        ]) {
          assert.ok(names.includes(wanted), wanted);
        }
        for (const wanted of ["serialport", "mqtt-packet", "lowdb", "systeminformation"])
          assert.ok(names.includes(wanted), wanted);
        assert.equal(new Set(bom.components.map(({ purl }) => purl)).size, bom.components.length, "each stands there once");
        const licenses = await fs.readFile(image.licenses, "utf8");
        for (const { name } of bom.components.filter(({ purl }) => purl.startsWith("pkg:deb/"))) {
          assert.ok(licenses.includes(`Debian package ${name} `), name);
        }
        for (const [, text] of licenses.matchAll(
          /\/usr\/share\/common-licenses\/((?:L?GPL|Apache|Artistic)(?:-\d(?:\.\d)?)?)\b/g,
        )) {
          assert.ok(
            entries.some(({ name }) => name === `usr/share/common-licenses/${text}`),
            `${text} is named and not there`,
          );
        }
      },
    );
  });
}

/** Empty for what is no program and no library. */
async function readelf(file: string): Promise<{ readonly stdout: string }> {
  const handle = await fs.open(file);
  await using _ = { [Symbol.asyncDispose]: () => handle.close() };
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
  if (buffer.subarray(1, 4).toString() !== "ELF") return { stdout: "" };
  return { stdout: await runCommand("readelf", ["--dynamic", "--wide", file]) };
}
