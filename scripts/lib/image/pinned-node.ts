// The Node that the image gets: the binary of the package that package-lock.json pins, for whichever architecture.
//
// npm installs only the one that fits the machine; the other is packed by npm and held against the lockfile's sum before it is opened.

import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { runCommand } from "../command.ts";
import { ROOT } from "../suites.ts";
import type { Architecture } from "./architecture.ts";

interface Locked {
  readonly version: string;
  readonly integrity: string;
}

/** Path of the binary; fetched once into the cache folder. */
export async function pinnedNode({ nodeName }: Architecture, say: (line: string) => void): Promise<string> {
  const name = `node-linux-${nodeName}`;
  const installed = path.join(ROOT, "node_modules", name, "bin/node");
  if (await isThere(installed)) return installed;
  const { version, integrity } = await lockedPackage(name);
  const folder = path.join(ROOT, ".cache", `${name}-${version}`);
  const binary = path.join(folder, "package/bin/node");
  if (await isThere(binary)) return binary;
  say(`fetching ${name} ${version} …`);
  await fs.mkdir(path.dirname(folder), { recursive: true });
  const scratch = await fs.mkdtemp(`${folder}-`);
  try {
    // By the machine's own Node, as the first npm ci was: it knows the certificate authorities that this machine trusts.
    const own = (process.env["PATH"] ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
    const packing = ["pack", `${name}@${version}`, "--silent", "--pack-destination", scratch];
    const packed = await runCommand("npm", packing, { env: { PATH: own.join(":") } });
    const file = path.join(scratch, packed.trim());
    const found = `sha512-${createHash("sha512")
      .update(await fs.readFile(file))
      .digest("base64")}`;
    if (found !== integrity) {
      throw new Error(
        `${name} ${version} is not what package-lock.json pins: found ${found}, wanted ${integrity}. Do not use it.`,
      );
    }
    await runCommand("tar", ["-xzf", file, "-C", scratch, "package/bin/node", "package/LICENSE"]).catch(() =>
      runCommand("tar", ["-xzf", file, "-C", scratch, "package/bin/node"]),
    );
    await fs.rename(scratch, folder);
  } finally {
    await fs.rm(scratch, { recursive: true, force: true });
  }
  return binary;
}

async function lockedPackage(name: string): Promise<Locked> {
  const lock = JSON.parse(await fs.readFile(path.join(ROOT, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const locked = lock.packages[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`package-lock.json does not pin ${name}; run npm install`);
  return locked;
}

async function isThere(file: string): Promise<boolean> {
  return (await fs.stat(file).catch(() => undefined)) !== undefined;
}
