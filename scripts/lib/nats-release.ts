// nats-server from the project's own release downloads, where the distribution has none of the line wanted.

import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { runCommand } from "./command.ts";
import { newestOfLine, parseVersion, type Version } from "./version.ts";

/** Where the releases are listed; tests put their own there. */
export const RELEASES_URL = "https://api.github.com/repos/nats-io/nats-server/releases?per_page=100";

/** Longest silence we bear from the download, in milliseconds. */
const FETCH_TIMEOUT_MS = 120_000;

export type ReleaseAnswer =
  | { readonly found: true; readonly version: Version; readonly folder: string }
  | { readonly found: false; readonly looked: readonly string[] };

interface Release {
  readonly tag_name: string;
  readonly draft: boolean;
  readonly prerelease: boolean;
  readonly assets: readonly { readonly name: string; readonly browser_download_url: string }[];
}

/** Unpacks the newest release of the line into `scratch`, which is the caller's to remove. */
export async function fetchRelease(
  line: string,
  scratch: string,
  say: (line: string) => void,
  listUrl = RELEASES_URL,
): Promise<ReleaseAnswer> {
  const miss = (why: string): ReleaseAnswer => ({ found: false, looked: [`the project's release download: ${why}`] });
  const architecture = { x64: "amd64", arm64: "arm64" }[process.arch as string];
  if (architecture === undefined) return miss(`nothing known for a processor of kind ${process.arch}`);
  try {
    say(`nats-server ${line}: asking the project's release list …`);
    const releases = JSON.parse((await download(listUrl)).toString("utf8")) as readonly Release[];
    const published = releases.filter(({ draft, prerelease }) => !draft && !prerelease);
    const version = newestOfLine(
      published.flatMap(({ tag_name }) => parseVersion(tag_name) ?? []),
      line,
    );
    const release = published.find(({ tag_name }) => version !== undefined && parseVersion(tag_name) === version);
    if (version === undefined || release === undefined) return miss(`none of line ${line} among the newest ${releases.length}`);
    const name = `nats-server-v${version}-linux-${architecture}.tar.gz`;
    const url = release.assets.find((asset) => asset.name === name)?.browser_download_url;
    if (url === undefined) return miss(`release ${version} has no ${name}`);
    say(`nats-server ${version}: downloading ${name} …`);
    const archive = await download(url);
    const sumsUrl = release.assets.find((asset) => asset.name === "SHA256SUMS")?.browser_download_url;
    if (sumsUrl === undefined) say(`nats-server ${version}: the release publishes no checksums, so the download is not checked`);
    else checkSum((await download(sumsUrl)).toString("utf8"), name, archive);
    const file = path.join(scratch, name);
    await fs.writeFile(file, archive);
    await runCommand("tar", ["--extract", "--gzip", "--file", file, "--directory", scratch]);
    return { found: true, version, folder: scratch };
  } catch (error) {
    return miss((error as Error).message);
  }
}

async function download(url: string): Promise<Buffer> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : (cause as Error);
    throw new Error(`${new URL(url).host} could not be reached: ${reason.message || (reason as NodeJS.ErrnoException).code}`, {
      cause,
    });
  }
  if (!response.ok)
    throw new Error(`${new URL(url).host} answered ${response.status} ${response.statusText} for ${new URL(url).pathname}`);
  return Buffer.from(await response.arrayBuffer());
}

/** `sums` is what sha256sum prints: one `<hex>  <name>` a line. */
function checkSum(sums: string, name: string, archive: Buffer): void {
  const wanted = sums
    .split("\n")
    .map((line) => line.trim().split(/\s+\*?/))
    .find(([, listed]) => listed === name)?.[0];
  const found = createHash("sha256").update(archive).digest("hex");
  if (wanted === undefined) throw new Error(`SHA256SUMS does not list ${name}`);
  if (wanted !== found) throw new Error(`${name} has SHA-256 ${found}, SHA256SUMS says ${wanted}; download refused`);
}
