// Files in <data>/secrets as the page sees them: put there whole or not at all (0600), listed without their contents, removed when no
// setting names them.

import { X509Certificate } from "node:crypto";
import * as path from "node:path";
import { timestamp } from "#base/clock.ts";
import { type Disk, ensureDirectory, listIfThere, readWhole, removeIfThere, replaceWhole } from "#base/disk.ts";
import { systemCode } from "#base/errors.ts";
import type { SecretsDesk, SecretView } from "#web/server/desks.ts";
import { WEB_CONFLICT, WEB_NOT_FOUND, WEB_ROLE, WEB_SECRET_NAME, WebRefusal } from "#web/server/errors.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** Ours: overwritten, the device could not be logged in to, or its outbox not be read. */
const RESERVED = ["claim-code", "outbox.key", "web-cert.pem", "web-key.pem", "web-users.json"];
/** Longer ones are listed, and not looked into. */
const LOOK_BYTES_MAX = 64 * 1024;
const FILES_MAX = 256;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

export interface SecretDeskDeps {
  readonly disk: Disk;
  readonly dataDir: string;
  /** The settings as they lie on flash, with what variables decide. */
  settings(): unknown;
  /** The same, as they come back when nobody confirms those; empty: nothing waits for that. */
  previous(): unknown;
}

export function createSecretsDesk({ disk, dataDir, settings, previous }: SecretDeskDeps): SecretsDesk {
  const directory = `${dataDir}/secrets`;
  const names = (some: unknown, name: string) =>
    mentions(some, (text) => path.resolve(dataDir, text) === path.resolve(directory, name));
  const isNamed = (name: string) => names([settings(), previous()], name);
  const isOfPage = (name: string) =>
    [settings(), previous()].some((each) => names((each as Readonly<Record<string, unknown>>)["web"], name));
  const view = (name: string, bytes: Buffer): SecretView => ({
    name,
    path: `secrets/${name}`,
    ...kindOf(name, bytes),
    bytes: bytes.length,
    in_use: isNamed(name),
  });
  return {
    reserved: RESERVED,
    async list() {
      const views: SecretView[] = [];
      for (const name of await listIfThere(disk, directory)) {
        if (!NAME.test(name) || isOurs(name) || views.length >= FILES_MAX) continue;
        const bytes = await tryRead(disk, `${directory}/${name}`);
        if (bytes === undefined) continue;
        views.push(view(name, bytes));
        bytes.fill(0);
      }
      return views;
    },
    async write(name, content, mayRisk) {
      if (!NAME.test(name)) {
        const words = "a file's name wants 1 to 64 of a-z, 0-9, dot, hyphen and underscore, the first a letter or a digit";
        throw new WebRefusal(400, WEB_SECRET_NAME, words);
      }
      if (isOurs(name)) throw new WebRefusal(409, WEB_CONFLICT, `the name ${name} is the device's own; take another`);
      if (isOfPage(name) && !mayRisk)
        throw new WebRefusal(403, WEB_ROLE, `web.tls names secrets/${name}, so only an owner can change it`);
      const there = await listIfThere(disk, directory);
      if (there.length >= FILES_MAX && !there.includes(name))
        throw new WebRefusal(409, WEB_CONFLICT, `${FILES_MAX} files lie there already; remove one that no setting names`);
      await ensureDirectory(disk, directory);
      await replaceWhole(disk, directory, name, content);
      return view(name, content);
    },
    async remove(name) {
      const isThere = NAME.test(name) && !isOurs(name) && (await listIfThere(disk, directory)).includes(name);
      if (!isThere) throw new WebRefusal(404, WEB_NOT_FOUND, "there is no such file");
      if (isNamed(name)) throw new WebRefusal(409, WEB_CONFLICT, `the settings name secrets/${name}; take it out of them first`);
      await removeIfThere(disk, `${directory}/${name}`);
      await disk.syncDirectory(directory);
    },
  };
}

/** What is being replaced has `.new` behind its name. */
function isOurs(name: string): boolean {
  return RESERVED.includes(name.replace(/(\.new)+$/, "")) || name.endsWith(".new");
}

function kindOf(name: string, bytes: Buffer): Pick<SecretView, "kind" | "not_after"> {
  const text = bytes.toString("latin1");
  if (/-----BEGIN (NATS USER JWT|USER NKEY SEED)-----/.test(text)) return { kind: "creds", not_after: null };
  // A file with both is a key to whoever gets it.
  const isKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text) || /^S[A-Z2-7]{57}\s*$/.test(text);
  const ends = [...text.matchAll(CERTIFICATE)].flatMap(([pem]) => endOf(pem) ?? []);
  const not_after = ends.length === 0 ? null : timestamp(Math.min(...ends));
  if (isKey) return { kind: "key", not_after };
  if (ends.length > 0) return { kind: "certificate", not_after };
  return { kind: name.endsWith(".creds") ? "creds" : "other", not_after };
}

function endOf(pem: string): number | undefined {
  try {
    return new X509Certificate(pem).validToDate.getTime();
  } catch {
    return undefined; // looks like one and is none
  }
}

function mentions(settings: unknown, isIt: (text: string) => boolean): boolean {
  if (typeof settings === "string") return isIt(settings);
  if (typeof settings !== "object" || settings === null) return false;
  return Object.values(settings).some((value) => mentions(value, isIt));
}

async function tryRead(disk: Disk, file: string): Promise<Buffer | undefined> {
  try {
    return await readWhole(disk, file, LOOK_BYTES_MAX);
  } catch (error) {
    if (systemCode(error) === "EISDIR" || systemCode(error) === "EACCES") return undefined;
    throw error;
  }
}
