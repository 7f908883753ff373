// Finds or fetches a nats-server of a given line, without installing it:
//
//   PATH  →  our cache folder  →  the distribution's mirror  →  the project's release download
//
// What was fetched is published into the cache by one rename, so that any number of runs may fetch at the same time.

import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { fetchFromMirror } from "./apt-mirror.ts";
import { tryCommand } from "./command.ts";
import { fetchRelease } from "./nats-release.ts";
import { compareVersions, isOfLine, newestOfLine, parseVersion, type Version } from "./version.ts";

/** The lines our tests run against. */
export const TESTED_LINES = ["2.10", "2.15"] as const;

/** Which suites of Debian may have a line, likeliest first: each costs a package list of about 10 MB. */
const DEBIAN_SUITES: Readonly<Record<string, readonly string[]>> = { "2.10": ["trixie"] };
const DEBIAN_SUITES_OTHERWISE = ["sid", "testing", "stable"];

export interface FoundServer {
  readonly path: string;
  readonly version: Version;
}

export interface FetchEnv {
  /** Progress, one line at a time. */
  readonly say: (line: string) => void;
  /** Where fetched servers are kept; default: `petiole` in the user's cache folder. */
  readonly cacheFolder?: string;
  /** Folders to look in before fetching; default: PATH and where the distribution's package would put it. */
  readonly searchFolders?: readonly string[];
  /** The places to fetch from, in order; default: mirror, then releases. */
  readonly places?: readonly Place[];
}

/** Unpacks a server of the line somewhere under `scratch`, or says where it looked in vain. */
export type Place = (line: string, scratch: string, say: (line: string) => void) => Promise<PlaceAnswer>;
export type PlaceAnswer =
  | { readonly found: true; readonly version: Version; readonly folder: string }
  | { readonly found: false; readonly looked: readonly string[] };

export function defaultCacheFolder(): string {
  return path.join(process.env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache"), "petiole");
}

/** The newest nats-server of the line ("2.10") or of that very version ("2.10.27"). */
export async function findNatsServer(line: string, env: FetchEnv): Promise<FoundServer> {
  if (!/^\d+\.\d+(\.\d+)?$/.test(line)) throw new Error(`wanted a version of nats-server such as 2.10 or 2.10.27, got "${line}"`);
  const store = path.join(env.cacheFolder ?? defaultCacheFolder(), "nats-server");
  const near = (await inFolders(line, env.searchFolders ?? searchPath())) ?? (await inStore(line, store));
  return near ?? (await fetchInto(store, line, env));
}

function searchPath(): string[] {
  return [...new Set([...(process.env["PATH"] ?? "").split(path.delimiter), "/usr/sbin", "/usr/local/bin"])].filter(Boolean);
}

async function inFolders(line: string, folders: readonly string[]): Promise<FoundServer | undefined> {
  for (const folder of folders) {
    const file = path.join(folder, "nats-server");
    const version = await tryVersionOf(file);
    if (version !== undefined && isOfLine(version, line)) return { path: file, version };
  }
  return undefined;
}

/** Folders are named after version and processor, so that a home shared by two machines does no harm: `2.10.27-x64`. */
async function inStore(line: string, store: string): Promise<FoundServer | undefined> {
  const names = await fs.readdir(store).catch(() => []); // nothing fetched yet
  const suffix = `-${process.arch}`;
  const versions = names.flatMap((name) => (name.endsWith(suffix) ? (parseVersion(name.slice(0, -suffix.length)) ?? []) : []));
  const version = newestOfLine(versions, line);
  if (version === undefined) return undefined;
  const file = path.join(store, `${version}${suffix}`, "nats-server");
  return (await tryVersionOf(file)) === version ? { path: file, version } : undefined;
}

/** What the binary itself says it is; undefined if there is none or it cannot run here. */
async function tryVersionOf(file: string): Promise<Version | undefined> {
  const runs = await fs.access(file, fs.constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!runs) return undefined;
  const answer = await tryCommand(file, ["--version"]).catch(() => undefined); // not a program for this machine
  return answer?.code === 0 ? parseVersion(answer.stdout.replace(/^nats-server:\s*/, "")) : undefined;
}

async function fetchInto(store: string, line: string, env: FetchEnv): Promise<FoundServer> {
  try {
    await fs.mkdir(store, { recursive: true });
  } catch (cause) {
    throw new Error(
      `cannot keep a nats-server in ${store}: ${(cause as Error).message}. Set XDG_CACHE_HOME to a folder one may write to`,
      {
        cause,
      },
    );
  }
  const looked: string[] = [];
  for (const place of env.places ?? [fromMirror, fromReleases]) {
    const scratch = await fs.mkdtemp(path.join(os.tmpdir(), "petiole-fetch-"));
    try {
      const answer = await place(line, scratch, env.say);
      if (answer.found) return await publish(store, line, answer, env.say);
      looked.push(...answer.looked);
    } catch (error) {
      looked.push((error as Error).message);
    } finally {
      await fs.rm(scratch, { recursive: true, force: true });
    }
  }
  throw new Error(
    `no nats-server of line ${line} could be found:\n${looked.map((sentence) => `  - ${sentence}`).join("\n")}\n` +
      `Put a nats-server ${line} on the PATH, or its binary at ${path.join(store, `${line}.N-${process.arch}`, "nats-server")} with N as --version says`,
  );
}

const fromMirror: Place = async (line, scratch, say) => {
  const release = await fs.readFile("/etc/os-release", "utf8").catch(() => "");
  const isUbuntu = /^ID=ubuntu$/m.test(release);
  const codename = /^VERSION_CODENAME="?([^"\n]+)/m.exec(release)?.[1];
  const suites = isUbuntu && codename !== undefined ? [codename, "devel"] : (DEBIAN_SUITES[line] ?? DEBIAN_SUITES_OTHERWISE);
  return await fetchFromMirror({ packageName: "nats-server", line, suites }, scratch, say);
};

const fromReleases: Place = (line, scratch, say) => fetchRelease(line, scratch, say);

/** Moves the binary found under `folder` into the store in one rename, after it has said its version. */
async function publish(
  store: string,
  line: string,
  answer: PlaceAnswer & { found: true },
  say: (line: string) => void,
): Promise<FoundServer> {
  const entries = await fs.readdir(answer.folder, { recursive: true, withFileTypes: true });
  const binary = entries.find((entry) => entry.isFile() && entry.name === "nats-server");
  if (binary === undefined) throw new Error(`what was fetched as nats-server ${answer.version} holds no such program`);
  const fresh = await fs.mkdtemp(path.join(store, ".new-"));
  try {
    const file = path.join(fresh, "nats-server");
    await fs.copyFile(path.join(binary.parentPath, binary.name), file);
    await fs.chmod(file, 0o755);
    const version = await tryVersionOf(file);
    if (version === undefined) throw new Error(`the nats-server fetched as ${answer.version} does not run on this machine`);
    if (compareVersions(version, answer.version) !== 0 || !isOfLine(version, line)) {
      throw new Error(`the nats-server fetched as ${answer.version} says it is ${version}; wanted line ${line}`);
    }
    const folder = path.join(store, `${version}-${process.arch}`);
    await fs.chmod(fresh, 0o755);
    await fs.rename(fresh, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
      const there = path.join(folder, "nats-server"); // another run was quicker, or an older fetch was damaged: ours is verified
      await fs.rename(file, there);
    });
    say(`nats-server ${version} is in ${folder}`);
    return { path: path.join(folder, "nats-server"), version };
  } finally {
    await fs.rm(fresh, { recursive: true, force: true });
  }
}
