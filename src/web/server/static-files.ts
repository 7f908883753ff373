// The page's own files, in memory, each in the forms a browser may take. A request is looked up among them, never on the disk: there is
// no path to climb out of.

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import { type Disk, readWhole } from "#base/disk.ts";
import { systemCode } from "#base/errors.ts";
import type { Answer } from "./answer.ts";
import { PLACEHOLDER_FILES } from "./placeholder.ts";

const FILES_MAX = 300;
const FILE_BYTES_MAX = 2 * 1024 * 1024;
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json; charset=utf-8",
  webmanifest: "application/manifest+json; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  woff2: "font/woff2",
  txt: "text/plain; charset=utf-8",
};
/** Worth compressing. */
const TEXTS = /^(?:html|css|js|json|webmanifest|svg|txt)$/;
/** The name holds a hash of the content, so it never changes. */
const HASHED = /[-.][A-Za-z0-9_]{8,}\.[a-z0-9]+$/;

interface Forms {
  readonly type: string;
  readonly etag: string;
  readonly isHashed: boolean;
  readonly plain: Buffer;
  readonly br: Buffer | undefined;
  readonly gzip: Buffer | undefined;
}

export class StaticFiles {
  readonly #files: ReadonlyMap<string, Forms>;

  /** `folder` null or absent: the placeholder. `x.br` and `x.gz` beside `x` are its compressed forms. */
  static async open(disk: Disk, folder: string | null): Promise<StaticFiles> {
    const contents = (folder === null ? undefined : await readFolder(disk, folder)) ?? PLACEHOLDER_FILES;
    const files = new Map<string, Forms>();
    for (const [path, bytes] of contents) {
      if (path.endsWith(".br") || path.endsWith(".gz")) continue;
      files.set(path, await formsOf(path, bytes, contents));
    }
    return new StaticFiles(files);
  }

  private constructor(files: ReadonlyMap<string, Forms>) {
    this.#files = files;
  }

  /** undefined: there is no such file. */
  answer(path: string, { headers }: IncomingMessage): Answer | undefined {
    const forms = this.#files.get(path === "/" ? "/index.html" : path);
    if (forms === undefined) return undefined;
    const accepted = String(headers["accept-encoding"] ?? "");
    const [encoding, body] =
      forms.br !== undefined && accepts(accepted, "br")
        ? ["br", forms.br]
        : forms.gzip !== undefined && accepts(accepted, "gzip")
          ? ["gzip", forms.gzip]
          : ["", forms.plain];
    const etag = `"${forms.etag}${encoding === "" ? "" : `-${encoding}`}"`;
    const head = {
      ETag: etag,
      Vary: "Accept-Encoding",
      "Cache-Control": forms.isHashed ? "public, max-age=31536000, immutable" : "no-cache",
    };
    const known = String(headers["if-none-match"] ?? "");
    if (known.split(",").some((each) => each.trim().replace(/^W\//, "") === etag))
      return { status: 304, headers: head, body: "" };
    const coding = encoding === "" ? {} : { "Content-Encoding": encoding };
    return { status: 200, headers: { ...head, "Content-Type": forms.type, ...coding }, body };
  }
}

function accepts(header: string, encoding: string): boolean {
  return header.split(",").some((each) => {
    const [name, ...rest] = each.split(";").map((part) => part.trim().toLowerCase());
    return name === encoding && !rest.some((part) => /^q=0(?:\.0*)?$/.test(part));
  });
}

async function formsOf(path: string, plain: Buffer, contents: ReadonlyMap<string, Buffer>): Promise<Forms> {
  const extension = path.slice(path.lastIndexOf(".") + 1);
  const isText = TEXTS.test(extension);
  return {
    type: TYPES[extension] ?? "application/octet-stream",
    etag: createHash("sha256").update(plain).digest("base64url").slice(0, 22),
    isHashed: HASHED.test(path) && !path.endsWith(".html"),
    plain,
    br: contents.get(`${path}.br`) ?? (isText ? await promisify(brotliCompress)(plain) : undefined),
    gzip: contents.get(`${path}.gz`) ?? (isText ? await promisify(gzip)(plain) : undefined),
  };
}

/** The folder and those in it, two deep. undefined: there is none, or none with a page in it. */
async function readFolder(disk: Disk, folder: string): Promise<ReadonlyMap<string, Buffer> | undefined> {
  const contents = new Map<string, Buffer>();
  const names = await listed(disk, folder);
  for (const name of names ?? []) {
    const within = await listed(disk, `${folder}/${name}`);
    for (const path of within === undefined ? [name] : within.map((each) => `${name}/${each}`)) {
      if (contents.size >= FILES_MAX || !/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(path)) continue;
      const bytes = await readWhole(disk, `${folder}/${path}`, FILE_BYTES_MAX);
      if (bytes !== undefined) contents.set(`/${path}`, bytes);
    }
  }
  return contents.has("/index.html") ? contents : undefined;
}

async function listed(disk: Disk, path: string): Promise<readonly string[] | undefined> {
  try {
    return await disk.list(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined; // a file, or not there
  }
}
