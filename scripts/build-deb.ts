// A Debian package of the daemon: bundle, pinned Node, a systemd unit, the command `petiole`. For amd64 and arm64, on either.
//
//   /usr/lib/petiole/       the bundle and its Node: no other Node on the machine is touched or needed
//   /usr/bin/petiole        the command line
//   /var/lib/petiole        settings, outbox, secrets; removed by a purge only
//
// The same tree gives the same bytes: times are the last commit's, owners root.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.ts";
import { runCommand } from "./lib/command.ts";
import { needPackages } from "./lib/debian.ts";
import { ARCHITECTURES, type Architecture, ownArchitecture } from "./lib/image/architecture.ts";
import { commitTime } from "./lib/image/commit-time.ts";
import { pinnedNode } from "./lib/image/pinned-node.ts";
import { daemonCommand } from "./lib/node-flags.ts";
import { ROOT } from "./lib/suites.ts";

const OWN_NODE = "/usr/lib/petiole/node";

/** Path of the package. */
export async function buildDeb(architecture: Architecture, say: (line: string) => void): Promise<string> {
  await needPackages([architecture.stripPackage, "dpkg"], say);
  await build();
  const node = await pinnedNode(architecture, say);
  const described = JSON.parse(await fs.readFile(path.join(ROOT, "package.json"), "utf8")) as Record<string, string>;
  const version = described["version"]!;
  const folder = path.join(ROOT, "build/deb");
  const tree = path.join(folder, `petiole_${version}_${architecture.name}`);
  await fs.rm(tree, { recursive: true, force: true });
  const put = async (name: string, text: string, mode = 0o644) => {
    const file = path.join(tree, name);
    await fs.mkdir(path.dirname(file), { recursive: true });
    await fs.writeFile(file, text, { mode });
    await fs.chmod(file, mode);
  };
  const ours = (name: string) => fs.readFile(path.join(ROOT, name), "utf8");

  await fs.mkdir(path.join(tree, "usr/lib/petiole/native"), { recursive: true });
  await runCommand(architecture.strip, ["--strip-unneeded", "-o", path.join(tree, OWN_NODE), node]);
  await fs.chmod(path.join(tree, OWN_NODE), 0o755);
  const binding = `native/serialport-${architecture.nodeName}.node`;
  for (const name of ["petiole.js", "program.js", "package.json", binding]) {
    await fs.copyFile(path.join(ROOT, "dist", name), path.join(tree, "usr/lib/petiole", name));
  }
  await fs.cp(path.join(ROOT, "dist/page"), path.join(tree, "usr/lib/petiole/page"), { recursive: true });
  const command = `env ${daemonCommand(OWN_NODE).join(" ")}`;
  await put("usr/bin/petiole", `#!/bin/sh\nexec ${command} /usr/lib/petiole/petiole.js "$@"\n`, 0o755);
  await put(
    "usr/lib/systemd/system/petiole.service",
    (await ours("image/debian/petiole.service")).replace("@START@", `/usr/bin/${command}`),
  );
  await put("usr/lib/sysusers.d/petiole.conf", await ours("image/debian/petiole.sysusers"));
  await put("usr/share/doc/petiole/README.md", await ours("README.md"));
  await put("usr/share/doc/petiole/copyright", `${await ours("LICENSE")}\n${await ours("dist/LICENSES.txt")}`);
  for (const name of ["postinst", "prerm", "postrm"]) await put(`DEBIAN/${name}`, await ours(`image/debian/${name}`), 0o755);
  const kilobytes = Math.ceil(Number((await runCommand("du", ["-sk", tree])).split("\t")[0]));
  await put("DEBIAN/control", controlOf(described, architecture, kilobytes));

  const epoch = String(await commitTime());
  await runCommand("find", [tree, "-exec", "touch", "-h", "-d", `@${epoch}`, "{}", "+"]);
  const file = `${tree}.deb`;
  await runCommand("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", tree, file], { env: { SOURCE_DATE_EPOCH: epoch } });
  await fs.rm(tree, { recursive: true });
  return file;
}

function controlOf(described: Record<string, string>, { name }: Architecture, kilobytes: number): string {
  return `${[
    "Package: petiole",
    `Version: ${described["version"]}`,
    `Architecture: ${name}`,
    "Maintainer: The Petiole team <petiole@localhost>",
    `Installed-Size: ${kilobytes}`,
    "Depends: libc6 (>= 2.28), libstdc++6, libatomic1, ca-certificates",
    "Recommends: nftables",
    "Section: net",
    "Priority: optional",
    `Description: ${described["description"]?.split(":")[0]}`,
    ` ${described["description"]}`,
  ].join("\n")}\n`;
}

function parse(argv: readonly string[]): Architecture {
  const { values } = parseArgs({ args: [...argv], options: { arch: { type: "string" } } });
  if (values.arch === undefined) return ownArchitecture();
  const found = ARCHITECTURES[values.arch as "amd64"];
  if (found === undefined) throw new Error(`--arch wants amd64 or arm64, found "${values.arch}"`);
  return found;
}

if (import.meta.main) {
  try {
    const file = await buildDeb(parse(process.argv.slice(2)), (line) => console.error(`petiole: ${line}`));
    console.log(path.relative(ROOT, file));
  } catch (error) {
    console.error(`petiole: the package was not built: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
