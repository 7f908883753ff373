// What is inside: a CycloneDX 1.6 bill of materials, and the licences of all of it in one text. Both lie beside the archive; the bill of
// materials inside, too, for the page to show: without the image's own digest, which nothing inside can name.
//
//   Debian packages with a file left   usr/share/petiole/packages.tsv, written by image/rootfs.sh
//   Node                               package-lock.json
//   npm packages inside the bundle     the headings of dist/LICENSES.txt, written by scripts/build.ts
//
// The same tree gives the same bytes: the serial number comes from the content, the time is the image's.

import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { ROOT } from "../suites.ts";
import type { Architecture } from "./architecture.ts";

export interface Component {
  readonly type: "library" | "application" | "operating-system" | "platform";
  readonly name: string;
  readonly version: string;
  /** Package URL: what vulnerability databases look things up by. */
  readonly purl: string;
  readonly licenses?: readonly { readonly license: { readonly id?: string; readonly name?: string } }[];
  readonly hashes?: readonly { readonly alg: "SHA-512"; readonly content: string }[];
}

export interface Contents {
  readonly components: readonly Component[];
  readonly licenses: string;
}

const RULE = `\n${"=".repeat(80)}\n\n`;

/** Reads a finished root file system. `nodeBinary`: the one that went in, in its package, whose licence names all that is compiled in. */
export async function contentsOf(root: string, nodeBinary: string, architecture: Architecture): Promise<Contents> {
  const debian = await debianPackages(root);
  const bundle = await fs.readFile(path.join(root, "opt/petiole/LICENSES.txt"), "utf8");
  const lock = JSON.parse(await fs.readFile(path.join(ROOT, "package-lock.json"), "utf8")) as Lockfile;
  const node = lock.packages[`node_modules/node-linux-${architecture.nodeName}`]!;
  const copyrights = await Promise.all(
    debian.map(async ({ name, version }) => {
      const text = await fs.readFile(path.join(root, "usr/share/doc", name, "copyright"), "utf8");
      return `Debian package ${name} ${version}\n\n${text.trim()}\n`;
    }),
  );
  const nodeLicense = await fs.readFile(path.join(nodeBinary, "../../LICENSE"), "utf8");
  const own = await fs.readFile(path.join(ROOT, "LICENSE"), "utf8");
  const components = [...debian, nodeComponent(node), ...npmPackages(bundle, lock)];
  return {
    components: [...new Map(components.map((component) => [component.purl, component])).values()], // npm may hold the same thing twice
    licenses: [
      `Petiole\n\n${own.trim()}\n`,
      `Node.js ${node.version}\n\n${nodeLicense.trim()}\n`,
      `npm packages inside the bundle\n\n${bundle.trim()}\n`,
      ...copyrights,
    ].join(RULE),
  };
}

/** The document, as text. `epoch` in seconds; `digest`: of the image it describes; null: it is about to be part of it. */
export function bomOf(contents: Contents, version: string, license: string, digest: string | null, epoch: number): string {
  const { components } = contents;
  const hash = createHash("sha256")
    .update((digest ?? "") + JSON.stringify(components))
    .digest("hex");
  const serial = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-5${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
  const petiole = {
    type: "firmware",
    "bom-ref": "petiole",
    name: "petiole",
    version,
    ...(digest !== null && { hashes: [{ alg: "SHA-256", content: digest.replace("sha256:", "") }] }),
    licenses: [{ license: { id: license } }],
  };
  return `${JSON.stringify(
    {
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      serialNumber: `urn:uuid:${serial}`,
      version: 1,
      metadata: { timestamp: new Date(epoch * 1000).toISOString(), component: petiole },
      components: components.map((component) => ({ "bom-ref": component.purl, ...component })),
      dependencies: [{ ref: "petiole", dependsOn: components.map(({ purl }) => purl) }],
    },
    undefined,
    digest === null ? 0 : 2,
  )}\n`;
}

/** One line each: package, version, architecture, source, source's version. */
async function debianPackages(root: string): Promise<Component[]> {
  const text = await fs.readFile(path.join(root, "usr/share/petiole/packages.tsv"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [name, version, architecture, source, sourceVersion] = line.split("\t");
      const upstream = encodeURIComponent(`${source}@${sourceVersion}`);
      const purl = `pkg:deb/debian/${purlName(name!)}@${encodeURIComponent(version!)}?arch=${architecture}&distro=debian-13&upstream=${upstream}`;
      return { type: "library", name: name!, version: version!, purl } as const;
    });
}

function purlName(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

function nodeComponent({ version, integrity }: Locked): Component {
  const content = Buffer.from(integrity!.replace("sha512-", ""), "base64").toString("hex");
  return {
    type: "platform",
    name: "node",
    version,
    purl: `pkg:generic/node@${version}`,
    licenses: [{ license: { id: "MIT" } }],
    hashes: [{ alg: "SHA-512", content }],
  };
}

/** The bundle's list of licences has a chapter for each package, which begins with its name and version. */
function npmPackages(licenses: string, lock: Lockfile): Component[] {
  return licenses.split(`\n${"-".repeat(80)}\n\n`).flatMap((chapter) => {
    const [, name, version] = /^(\S+) (\d\S*)\n/.exec(chapter) ?? [];
    if (name === undefined || version === undefined) return [];
    const locked = Object.entries(lock.packages).find(
      ([place, each]) => place.endsWith(`node_modules/${name}`) && each.version === version,
    );
    const license = locked?.[1].license;
    const purl = `pkg:npm/${purlName(name)}@${version}`;
    return [
      { type: "library", name, version, purl, ...(license === undefined ? {} : { licenses: [licenseOf(license)] }) } as const,
    ];
  });
}

function licenseOf(expression: string): { readonly license: { readonly id?: string; readonly name?: string } } {
  return { license: /^[\w.+-]+$/.test(expression) ? { id: expression } : { name: expression } };
}

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
}

interface Lockfile {
  readonly packages: Readonly<Record<string, Locked>>;
}
