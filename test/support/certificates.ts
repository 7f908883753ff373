// Certificates for TLS tests, made by openssl: one authority, and servers and clients good and bad.
//
// Within one run of scripts/test all files share one set (TEST_RUN_FOLDER names the run's folder); a file run by itself
// makes its own. Keys are P-256: quick to make, and what a device would use.

import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { promisify } from "node:util";
import { tempFolder } from "./temp-folder.ts";

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Paths of PEM files. */
export interface Certificates extends AsyncDisposable {
  readonly ca: string;
  /** For localhost, 127.0.0.1 and ::1. */
  readonly server: KeyPair;
  /** Signed by the authority, for elsewhere.example only. */
  readonly wrongName: KeyPair;
  /** Right names, ended in 2021. */
  readonly expired: KeyPair;
  /** Right names, begins in 2099: what a device with an empty clock battery sees of a good one. */
  readonly notYet: KeyPair;
  /** Right names, signed by nobody the authority knows. */
  readonly stranger: KeyPair;
  /** A client's, for mutual TLS; its name is `petiole-test`. */
  readonly client: KeyPair;
  /** A client's that ended in 2021. */
  readonly expiredClient: KeyPair;
  /** A client's, signed by nobody the authority knows. */
  readonly strangerClient: KeyPair;
  /** Right names, signed by itself. */
  readonly selfSigned: KeyPair;
  /** As `server`, with another key: what a hub shows after it got a new one. */
  readonly renewed: KeyPair;
}

const HERE = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1";
const ELSEWHERE = "subjectAltName=DNS:elsewhere.example";
const PAST = ["200101000000Z", "210101000000Z"] as const;
const FUTURE = ["20990101000000Z", "20991231000000Z"] as const;
const NOW = ["200101000000Z", "20991231000000Z"] as const;

const NAMES = [
  "server",
  "wrongName",
  "expired",
  "notYet",
  "stranger",
  "client",
  "expiredClient",
  "strangerClient",
  "selfSigned",
  "renewed",
] as const;

export async function certificates(): Promise<Certificates> {
  const run = process.env["TEST_RUN_FOLDER"];
  if (run === undefined) {
    const folder = await tempFolder("petiole-certificates");
    await make(folder.path);
    return describe(folder.path, () => folder[Symbol.asyncDispose]());
  }
  const shared = path.join(run, "certificates");
  if (!(await exists(shared))) {
    const fresh = await fs.mkdtemp(path.join(run, "certificates-"));
    await make(fresh);
    await fs.rename(fresh, shared).catch(async (error: unknown) => {
      if (!(await exists(shared))) throw error; // else another file of this run was quicker
      await fs.rm(fresh, { recursive: true });
    });
  }
  return describe(shared, () => Promise.resolve()); // the run removes its folder
}

function describe(folder: string, dispose: () => PromiseLike<void>): Certificates {
  const file = (name: string) => path.join(folder, name);
  const pairs = NAMES.map((name) => [name, { cert: file(`${name}.pem`), key: file(`${name}.key`) }] as const);
  return {
    ca: file("ca.pem"),
    ...(Object.fromEntries(pairs) as Record<(typeof NAMES)[number], KeyPair>),
    [Symbol.asyncDispose]: dispose,
  };
}

async function make(folder: string): Promise<void> {
  await Promise.all([authority(folder, "ca"), authority(folder, "stranger-ca")]);
  await issue(folder, "server", { names: HERE });
  await issue(folder, "wrongName", { names: ELSEWHERE });
  await issue(folder, "expired", { names: HERE, between: PAST });
  await issue(folder, "notYet", { names: HERE, between: FUTURE });
  await issue(folder, "stranger", { names: HERE, by: "stranger-ca" });
  await issue(folder, "renewed", { names: HERE });
  const client = { names: "subjectAltName=DNS:petiole-test", commonName: "petiole-test" };
  await issue(folder, "client", client);
  await issue(folder, "expiredClient", { ...client, between: PAST });
  await issue(folder, "strangerClient", { ...client, by: "stranger-ca" });
  const itself = ["-x509", "-days", "3650", "-subj", "/CN=localhost", "-addext", HERE];
  await openssl(folder, ["req", ...NEW_KEY, ...itself, "-keyout", "selfSigned.key", "-out", "selfSigned.pem"]);
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

async function authority(folder: string, name: string): Promise<void> {
  await openssl(folder, [
    "req",
    "-x509",
    ...NEW_KEY,
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.pem`,
    "-days",
    "3650",
    "-subj",
    `/CN=${name}`,
  ]);
  await fs.mkdir(path.join(folder, `${name}.d`));
  await fs.writeFile(path.join(folder, `${name}.d/index.txt`), "");
  await fs.writeFile(path.join(folder, `${name}.cnf`), settings(name));
}

/** `openssl ca` is the one command that has taken chosen dates in every version of openssl. */
function settings(name: string): string {
  return `[ca]
default_ca = it
[it]
database = ${name}.d/index.txt
new_certs_dir = ${name}.d
certificate = ${name}.pem
private_key = ${name}.key
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
copy_extensions = copy
[any]
commonName = supplied
`;
}

interface Order {
  readonly names: string;
  readonly commonName?: string;
  readonly by?: string;
  readonly between?: readonly [start: string, end: string];
}

async function issue(
  folder: string,
  name: string,
  { names, commonName = "localhost", by = "ca", between = NOW }: Order,
): Promise<void> {
  const request = ["-subj", `/CN=${commonName}`, "-addext", names, "-addext", "extendedKeyUsage=serverAuth,clientAuth"];
  await openssl(folder, ["req", ...NEW_KEY, "-keyout", `${name}.key`, "-out", `${name}.csr`, ...request]);
  const dates = ["-startdate", between[0], "-enddate", between[1]];
  await openssl(folder, [
    "ca",
    "-batch",
    "-notext",
    "-config",
    `${by}.cnf`,
    ...dates,
    "-in",
    `${name}.csr`,
    "-out",
    `${name}.pem`,
  ]);
}

const run = promisify(execFile);

async function openssl(cwd: string, args: readonly string[]): Promise<void> {
  await run("openssl", args, { cwd });
}

async function exists(file: string): Promise<boolean> {
  return await fs.access(file).then(
    () => true,
    () => false,
  );
}
