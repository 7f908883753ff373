// Takes one package out of another suite of the distribution's own archive, without installing it and without touching the
// machine's apt: a private list of sources, private package lists, the machine's mirror and the machine's keyring.
// Needs apt, not root. Nothing unsigned is ever accepted: the index must be signed, and apt checks the package against it.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { type AptSource, archivesIn, signedBy, stanza } from "./apt-sources.ts";
import { runCommand, tryCommand } from "./command.ts";
import { compareVersions, isOfLine, parseVersion, type Version } from "./version.ts";

export interface Wanted {
  readonly packageName: string;
  /** A line ("2.10") or a whole version. */
  readonly line: string;
  /** Suites to look in, likeliest first; only the machine's own archive is asked. */
  readonly suites: readonly string[];
}

export type MirrorAnswer =
  | { readonly found: true; readonly version: Version; readonly folder: string }
  | { readonly found: false /** One sentence per place looked at. */; readonly looked: readonly string[] };

/** Unpacks the newest package of the line into a folder inside `scratch`, which is the caller's to remove. */
export async function fetchFromMirror(wanted: Wanted, scratch: string, say: (line: string) => void): Promise<MirrorAnswer> {
  await fs.chmod(scratch, 0o755); // apt reads its lists as a user of its own
  let own: AptSource;
  try {
    own = await ownArchive(scratch);
  } catch (error) {
    return { found: false, looked: [`the distribution's mirror: ${(error as Error).message}`] };
  }
  const looked: string[] = [];
  for (const suite of wanted.suites) {
    say(`${wanted.packageName} ${wanted.line}: reading the package list of ${suite} from the distribution's mirror …`);
    const answer = await fetchFromSuite({ ...own, suite }, wanted, path.join(scratch, suite), say);
    if (answer.found) return answer;
    looked.push(...answer.looked);
  }
  return { found: false, looked };
}

async function fetchFromSuite(
  source: AptSource,
  wanted: Wanted,
  folder: string,
  say: (line: string) => void,
): Promise<MirrorAnswer> {
  const miss = (why: string): MirrorAnswer => ({
    found: false,
    looked: [`${source.suite} of the distribution's mirror: ${why}`],
  });
  let apt = await privateApt(folder, source);
  let update = await tryCommand("apt-get", [...apt, "update"], ENGLISH);
  if (update.code !== 0 && UNSIGNED.test(update.output) && source.ownSuite !== source.suite) {
    say(`the machine's keyring does not know who signs ${source.suite}: reading a newer one out of ${source.ownSuite} …`);
    const keyring = await newerKeyring(source, path.join(folder, "keyring"));
    if (keyring !== undefined) {
      apt = await privateApt(path.join(folder, "renewed"), { ...source, signedBy: keyring });
      update = await tryCommand("apt-get", [...apt, "update"], ENGLISH);
    }
  }
  if (update.code !== 0) {
    const remedy = UNSIGNED.test(update.output) ? " (bring the distribution's keyring package up to date and try again)" : "";
    return miss(complaints(update.output) + remedy);
  }
  const listed = await runCommand("apt-cache", [...apt, "madison", wanted.packageName], ENGLISH);
  const offers = offersIn(listed);
  const best = offers.filter(({ version }) => isOfLine(version, wanted.line)).at(-1);
  if (best === undefined) {
    return miss(offers.length === 0 ? `no ${wanted.packageName}` : `has ${offers.map(({ version }) => version).join(", ")}`);
  }
  const unpacked = await unpack(apt, `${wanted.packageName}=${best.debianVersion}`, path.join(folder, "deb"));
  return { found: true, version: best.version, folder: unpacked };
}

const ENGLISH = { env: { LC_ALL: "C.UTF-8" } };
const UNSIGNED = /NO_PUBKEY|is not signed|Missing key|signatures? (couldn't|can't) be verified/i;

/** Of all that apt said, the lines that complain, on one line. */
function complaints(output: string): string {
  const lines = output.split("\n").filter((line) => /^(E|W|Err):/.test(line));
  return (lines.length > 0 ? lines : [output.trim()]).join(" ").trim();
}

/** The archive that the running system itself is installed from. Works before any `apt-get update`: apt only prints addresses. */
async function ownArchive(scratch: string): Promise<AptSource> {
  const lists = path.join(scratch, "no-lists");
  await fs.mkdir(path.join(lists, "partial"), { recursive: true });
  const release = await fs.readFile("/etc/os-release", "utf8");
  const codename = /^VERSION_CODENAME="?([^"\n]+)/m.exec(release)?.[1];
  const printed = await runCommand("apt-get", ["-o", `Dir::State::lists=${lists}`, "--print-uris", "update"], ENGLISH);
  const archives = archivesIn(printed);
  const own =
    archives.find(({ suite }) => suite === codename) ??
    archives.find(({ suite }) => ["stable", "testing", "unstable", "sid"].includes(suite));
  if (own === undefined) {
    throw new Error(`apt's sources name no archive for ${codename ?? "this system"}; they name ${archives.length} in all`);
  }
  const architecture = (await runCommand("dpkg", ["--print-architecture"])).trim();
  const isUbuntu = /^ID=ubuntu$/m.test(release);
  return {
    base: own.base,
    suite: own.suite,
    ownSuite: own.suite,
    components: isUbuntu ? "main universe" : "main",
    architecture,
    signedBy: signedBy(await sourceFiles(), own.base),
  };
}

/** The machine's own lists of sources, as text. */
async function sourceFiles(): Promise<string[]> {
  const parts = await fs.readdir("/etc/apt/sources.list.d").catch(() => []);
  const files = [
    "/etc/apt/sources.list",
    ...parts.filter((name) => /\.(list|sources)$/.test(name)).map((name) => `/etc/apt/sources.list.d/${name}`),
  ];
  return await Promise.all(files.map((file) => fs.readFile(file, "utf8").catch(() => ""))); // one that is missing names nothing
}

/** Arguments that make apt forget the machine's own sources and lists for this one call. */
async function privateApt(folder: string, source: AptSource): Promise<string[]> {
  const file = path.join(folder, "one.sources");
  for (const name of ["lists/partial", "cache/archives/partial"]) await fs.mkdir(path.join(folder, name), { recursive: true });
  await fs.writeFile(file, stanza(source));
  return [
    "--quiet",
    ...["-o", `Dir::Etc::sourcelist=${file}`, "-o", "Dir::Etc::sourceparts=/dev/null"],
    ...["-o", `Dir::State::lists=${path.join(folder, "lists")}`, "-o", `Dir::Cache=${path.join(folder, "cache")}`],
    ...["-o", "Acquire::AllowInsecureRepositories=false", "-o", "APT::Get::AllowUnauthenticated=false"],
    ...["-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30"],
  ];
}

async function unpack(apt: readonly string[], selection: string, folder: string): Promise<string> {
  await fs.mkdir(folder);
  // The folder is ours alone, so apt must not step down to its own user for this one.
  await runCommand("apt-get", [...apt, "-o", "APT::Sandbox::User=root", "download", selection], { ...ENGLISH, cwd: folder });
  const name = (await fs.readdir(folder)).find((entry) => entry.endsWith(".deb"));
  if (name === undefined) throw new Error(`apt-get download ${selection} ended well, yet left no package in ${folder}`);
  const unpacked = path.join(folder, "unpacked");
  await runCommand("dpkg-deb", ["--extract", path.join(folder, name), unpacked]);
  return unpacked;
}

/** The archive's keyring as the machine's own suite has it today, so reached and checked by keys the machine trusts already. */
async function newerKeyring(source: AptSource, folder: string): Promise<string | undefined> {
  const apt = await privateApt(folder, { ...source, suite: source.ownSuite });
  const name = source.components.includes("universe") ? "ubuntu-keyring" : "debian-archive-keyring";
  if ((await tryCommand("apt-get", [...apt, "update"], ENGLISH)).code !== 0) return undefined;
  const unpacked = await unpack(apt, name, path.join(folder, "deb"));
  const keyring = name.replace("ubuntu-keyring", "ubuntu-archive-keyring");
  const files = await Array.fromAsync(fs.glob(`usr/share/keyrings/${keyring}.{gpg,pgp}`, { cwd: unpacked }));
  return files[0] === undefined ? undefined : path.join(unpacked, files[0]);
}

interface Offer {
  readonly debianVersion: string;
  readonly version: Version;
}

/** `nats-server | 2.10.27-1+b2 | <mirror> trixie/main amd64 Packages` → ascending by version. */
export function offersIn(madison: string): Offer[] {
  return madison
    .split("\n")
    .flatMap((line) => {
      const debianVersion = line.split("|")[1]?.trim() ?? "";
      const version = parseVersion(debianVersion);
      return version === undefined ? [] : [{ debianVersion, version }];
    })
    .sort((a, b) => compareVersions(a.version, b.version));
}
