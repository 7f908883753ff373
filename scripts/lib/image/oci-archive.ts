// A root file system as an OCI image archive (image-spec 1.1): one layer, one configuration, one manifest, one index, in a tar. Beside
// them the older manifest.json that `docker load` looks for, pointing at the same blobs.
// The same tree gives the same bytes: names sorted, owners 0, times one, gzip without a name or a time.

import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { runCommand } from "../command.ts";
import type { Architecture } from "./architecture.ts";

export interface ImageConfig {
  /** What it is called once loaded: "petiole:0.1.0". */
  readonly name: string;
  readonly entrypoint: readonly string[];
  readonly env: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string;
}

export interface OciImage {
  readonly file: string;
  /** Of the manifest: what a registry would call it by. */
  readonly digest: string;
  /** Of the compressed layer. */
  readonly layerBytes: number;
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

const TAR = [
  "--sort=name",
  "--owner=0",
  "--group=0",
  "--numeric-owner",
  "--format=posix",
  "--pax-option=delete=atime,delete=ctime",
];

/** Writes the archive beside a scratch folder of the same name, which is removed. `epoch`: seconds, of every time in it. */
export async function writeOciArchive(
  root: string,
  file: string,
  architecture: Architecture,
  config: ImageConfig,
  epoch: number,
): Promise<OciImage> {
  const scratch = `${file}.parts`;
  await fs.rm(scratch, { recursive: true, force: true });
  await fs.mkdir(path.join(scratch, "blobs/sha256"), { recursive: true });
  const layerTar = path.join(scratch, "layer.tar");
  await runCommand("tar", [...TAR, `--mtime=@${epoch}`, "-C", root, "-cf", layerTar, "."]);
  const diffId = await digestOf(layerTar);
  await runCommand("gzip", ["-9", "-n", layerTar]);
  const layer = await placeFile(scratch, `${layerTar}.gz`);
  const created = new Date(epoch * 1000).toISOString().replace(".000", "");
  const { entrypoint, env, volumes, labels, stopSignal } = config;
  const image = await placeJson(scratch, {
    created,
    architecture: architecture.name,
    os: "linux",
    config: {
      Entrypoint: entrypoint,
      Env: env,
      Volumes: Object.fromEntries(volumes.map((name) => [name, {}])),
      Labels: labels,
      StopSignal: stopSignal,
    },
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created, created_by: "image/rootfs.sh" }],
  });
  const manifest = await placeJson(scratch, {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...image },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", ...layer }],
  });
  const platform = { architecture: architecture.name, os: "linux" };
  const annotations = { "org.opencontainers.image.ref.name": config.name.split(":")[1]! };
  await fs.writeFile(
    path.join(scratch, "manifest.json"),
    JSON.stringify([{ Config: placeOf(image), RepoTags: [config.name], Layers: [placeOf(layer)] }]),
  );
  await fs.writeFile(
    path.join(scratch, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", ...manifest, platform, annotations }],
    }),
  );
  await fs.writeFile(path.join(scratch, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await runCommand("tar", [
    ...TAR,
    `--mtime=@${epoch}`,
    "--mode=u=rwX,go=rX",
    "-C",
    scratch,
    "-cf",
    file,
    "blobs",
    "index.json",
    "manifest.json",
    "oci-layout",
  ]);
  await fs.rm(scratch, { recursive: true });
  return { file, digest: manifest.digest, layerBytes: layer.size };
}

function placeOf({ digest }: Blob): string {
  return `blobs/${digest.replace(":", "/")}`;
}

async function placeFile(scratch: string, file: string): Promise<Blob> {
  const digest = await digestOf(file);
  const { size } = await fs.stat(file);
  await fs.rename(file, path.join(scratch, placeOf({ digest, size })));
  return { digest, size };
}

async function placeJson(scratch: string, value: unknown): Promise<Blob> {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const blob = { digest, size: bytes.length };
  await fs.writeFile(path.join(scratch, placeOf(blob)), bytes);
  return blob;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  const handle = await fs.open(file);
  for await (const chunk of handle.createReadStream()) hash.update(chunk as Buffer);
  return `sha256:${hash.digest("hex")}`;
}
