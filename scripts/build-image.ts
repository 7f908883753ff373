// Builds what a board runs: build/image/<arch>/rootfs, and beside it the same as an OCI archive, with a bill of materials (CycloneDX) and
// the licences of all that is inside.
//
//   bundle ─┐
//   Node   ─┼─▶ image/rootfs.sh ─▶ rootfs/ ─▶ petiole-<arch>.oci.tar, .cdx.json, .licenses.txt
//   rootfs/ ┘
//
//   --if-stale   does nothing when nothing has changed that it is made of
//   --json       the outcome for programs
//
// The same tree and the same state of Debian's archive give the same digest. Root is needed for files that root owns.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.ts";
import { runCommand } from "./lib/command.ts";
import { needPackages } from "./lib/debian.ts";
import { ARCHITECTURES, type Architecture, ownArchitecture } from "./lib/image/architecture.ts";
import { commitTime } from "./lib/image/commit-time.ts";
import { imageKey } from "./lib/image/image-key.ts";
import { type OciImage, writeOciArchive } from "./lib/image/oci-archive.ts";
import { pinnedNode } from "./lib/image/pinned-node.ts";
import { bomOf, contentsOf } from "./lib/image/sbom.ts";
import { ROOT } from "./lib/suites.ts";

export interface BuiltImage extends OciImage {
  readonly root: string;
  /** Bill of materials, and the licences. */
  readonly bom: string;
  readonly licenses: string;
}

export interface BuildImageOptions {
  readonly ifStale?: boolean | undefined;
}

/** What the container is told beside its files; the compose file says the rest. */
const CONFIG = {
  entrypoint: ["/usr/local/bin/entry"],
  env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
  volumes: ["/data"],
  stopSignal: "SIGTERM",
} as const;

export async function buildImage(
  architecture: Architecture,
  say: (line: string) => void,
  { ifStale = false }: BuildImageOptions = {},
): Promise<BuiltImage> {
  say("bundling …");
  await build();
  const folder = path.join(ROOT, "build/image", architecture.name);
  await fs.mkdir(folder, { recursive: true });
  const key = await imageKey(architecture);
  const record = path.join(folder, "image.json");
  const last = JSON.parse(await fs.readFile(record, "utf8").catch(() => "{}")) as Partial<Recorded>; // the first build
  if (ifStale && last.key === key && last.image !== undefined) return last.image;

  await needPackages(["mmdebstrap", "debian-archive-keyring", architecture.stripPackage], say);
  await fs.rm(record, { force: true }); // until it is whole again, there is none
  const node = await pinnedNode(architecture, say);
  const epoch = await commitTime();
  const root = path.join(folder, "rootfs");
  say(`making the root file system for ${architecture.name} …`);
  await runCommand(
    path.join(ROOT, "image/rootfs.sh"),
    [architecture.name, root, node, path.join(ROOT, "dist"), path.join(ROOT, "rootfs")],
    { env: { STRIP: architecture.strip, SOURCE_DATE_EPOCH: String(epoch) } },
  );
  say("packing …");
  const { version, license } = JSON.parse(await fs.readFile(path.join(ROOT, "package.json"), "utf8")) as Record<string, string>;
  const labels = {
    "org.opencontainers.image.title": "petiole",
    "org.opencontainers.image.version": version!,
    "org.opencontainers.image.licenses": license!,
  };
  const stem = path.join(folder, `petiole-${architecture.name}`);
  const config = { ...CONFIG, name: `petiole:${version}`, labels };
  const contents = await contentsOf(root, node, architecture);
  const inside = path.join(root, "opt/petiole/sbom.cdx.json"); // where `about` looks
  await fs.writeFile(inside, bomOf(contents, version!, license!, null, epoch), { mode: 0o644 });
  const archive = await writeOciArchive(root, `${stem}.oci.tar`, architecture, config, epoch);
  const image = { ...archive, root, bom: `${stem}.cdx.json`, licenses: `${stem}.licenses.txt` };
  await fs.writeFile(image.bom, bomOf(contents, version!, license!, image.digest, epoch));
  await fs.writeFile(image.licenses, contents.licenses);
  await fs.writeFile(record, JSON.stringify({ key, image } satisfies Recorded));
  return image;
}

interface Recorded {
  readonly key: string;
  readonly image: BuiltImage;
}

interface Arguments extends BuildImageOptions {
  readonly architecture: Architecture;
  readonly json: boolean;
}

function parse(argv: readonly string[]): Arguments {
  const options = { arch: { type: "string" }, "if-stale": { type: "boolean" }, json: { type: "boolean" } } as const;
  const { values } = parseArgs({ args: [...argv], options });
  const architecture = values.arch === undefined ? ownArchitecture() : ARCHITECTURES[values.arch as "amd64"];
  if (architecture === undefined) throw new Error(`--arch wants amd64 or arm64, found "${values.arch}"`);
  return { architecture, ifStale: values["if-stale"] === true, json: values.json === true };
}

if (import.meta.main) {
  try {
    const { architecture, ifStale, json } = parse(process.argv.slice(2));
    const image = await buildImage(architecture, (line) => console.error(`petiole: ${line}`), { ifStale });
    const megabytes = (image.layerBytes / 1_000_000).toFixed(1);
    const words = `${path.relative(ROOT, image.file)}  ${image.digest}  ${megabytes} MB compressed`;
    console.log(json ? JSON.stringify(image) : words);
  } catch (error) {
    console.error(`petiole: the image was not built: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
