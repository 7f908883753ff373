// The settings on flash: the file people edit, and copies that survive it.
//
//   settings.json          what people and the page edit
//   settings.json.last     what was last accepted: read, valid, in use
//   settings.json.1  .2    what was accepted before that
//   settings.json.sums     SHA-256 of each accepted content, one a line
//   settings.json.broken   a file that could not be used, set aside when something else had to be written in its place
//
// Checksums go by content, not by name: whatever rename a power cut comes between, a copy is whole if its sum is listed.
// settings.json itself needs none, or nobody could edit it; it counts if it parses and validates. A broken one is left where it
// is for its author to mend, and the newest good copy runs meanwhile.

import { createHash } from "node:crypto";
import * as path from "node:path";
import type { Adapter } from "lowdb";
import { isObject } from "#base/decode.ts";
import { type Disk, readWhole, replaceWhole } from "#base/disk.ts";
import { diskWords } from "#base/disk-words.ts";
import { explain, isFault } from "#base/errors.ts";
import { type JsonFault, readJson } from "./json-text.ts";
import type { Draft } from "./schema-path.ts";

/** A settings document, as JSON has it. */
export type SettingsDocument = { [key: string]: Draft };

export const SETTINGS_BYTES_MAX = 1024 * 1024;

/** One stored version. */
export type Version = {
  /** The file's name. */
  readonly name: string;
} & (
  | { readonly state: "absent" }
  | { readonly state: "broken"; readonly reason: string; readonly at: JsonFault | undefined; readonly remedy?: string }
  | { readonly state: "whole"; readonly document: SettingsDocument; readonly bytes: Buffer; readonly isListed: boolean }
);

export class SettingsFile implements Adapter<SettingsDocument> {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #name: string;
  /** What somebody wrote into settings.json and could not be used. */
  #rejected: Buffer | undefined;
  /** Writes run one after the other. */
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(disk: Disk, file: string) {
    this.#disk = disk;
    this.#directory = path.dirname(path.resolve(file));
    this.#name = path.basename(file);
  }

  get path(): string {
    return path.join(this.#directory, this.#name);
  }

  /** settings.json itself. */
  async current(): Promise<Version> {
    return this.#version(this.#name, await this.#sums());
  }

  /** The accepted copies that are whole, best first: listed ones before others, newer ones before older. */
  async copies(): Promise<Version[]> {
    const sums = await this.#sums();
    const versions: Version[] = [];
    for (const suffix of COPIES) versions.push(await this.#version(this.#name + suffix, sums));
    const whole = versions.filter((version) => version.state === "whole");
    return [...whole.filter((version) => version.isListed), ...whole.filter((version) => !version.isListed)];
  }

  /** Has anything ever been accepted here, whatever is left of it? */
  async hasHistory(): Promise<boolean> {
    const names = await this.#disk.list(this.#directory).catch((): string[] => []);
    return [...COPIES, SUMS].some((suffix) => names.includes(this.#name + suffix));
  }

  /** For lowdb: settings.json if it parses, else the best copy, else null. */
  async read(): Promise<SettingsDocument | null> {
    const current = await this.current();
    if (current.state === "whole") return current.document;
    const [best] = current.state === "absent" ? [] : await this.copies();
    return best?.state === "whole" ? best.document : null;
  }

  /** Puts `document` in place of settings.json and accepts it. A power cut leaves the old file or the new one, whole. */
  write(document: SettingsDocument): Promise<void> {
    return this.#inTurn(async () => {
      const bytes = Buffer.from(`${JSON.stringify(document, undefined, 2)}\n`);
      const current = await this.#bytes(this.#name);
      if (current === undefined || !current.equals(bytes)) {
        if (current !== undefined && (parse(current).state === "broken" || this.#rejected?.equals(current))) {
          await replaceWhole(this.#disk, this.#directory, `${this.#name}.broken`, current);
        }
        await this.#disk.makeDirectory(this.#directory);
        await replaceWhole(this.#disk, this.#directory, this.#name, bytes);
      }
      await this.#accept(bytes);
    });
  }

  /** This version of settings.json has faults: set it aside should something else be written in its place. */
  reject(version: Version): void {
    this.#rejected = version.state === "whole" ? version.bytes : undefined;
  }

  /** Keeps a copy of what was found good and is now in use. Writes nothing if it has one. */
  accept(bytes: Buffer): Promise<void> {
    return this.#inTurn(() => this.#accept(bytes));
  }

  async #accept(bytes: Buffer): Promise<void> {
    const sums = await this.#sums();
    const [last, older] = [await this.#bytes(this.#name + LAST), await this.#bytes(this.#name + OLDER)];
    if (last?.equals(bytes) && sums.has(sumOf(bytes))) return;
    const kept = [last, older].filter((each) => each !== undefined && sums.has(sumOf(each))).map((each) => sumOf(each!));
    const listed = [...new Set([sumOf(bytes), ...kept])];
    await replaceWhole(this.#disk, this.#directory, this.#name + SUMS, Buffer.from(listed.map((sum) => `${sum}\n`).join("")));
    if (last !== undefined && sums.has(sumOf(last)) && !last.equals(bytes)) {
      if (older !== undefined && sums.has(sumOf(older))) await this.#rename(OLDER, OLDEST);
      await this.#rename(LAST, OLDER);
    }
    await replaceWhole(this.#disk, this.#directory, this.#name + LAST, bytes);
  }

  #rename(from: string, to: string): Promise<void> {
    const base = path.join(this.#directory, this.#name);
    return this.#disk.rename(base + from, base + to);
  }

  async #version(name: string, sums: ReadonlySet<string>): Promise<Version> {
    try {
      const bytes = await this.#bytes(name);
      if (bytes === undefined) return { name, state: "absent" };
      const parsed = parse(bytes);
      return parsed.state === "broken" ? { name, ...parsed } : { name, ...parsed, bytes, isListed: sums.has(sumOf(bytes)) };
    } catch (error) {
      if (!isFault(error)) throw error;
      const words = diskWords(error);
      const reason = words === undefined ? `cannot be read: ${explain(error)}` : `${words.found} (${explain(error)})`;
      return { name, state: "broken", reason, at: undefined, ...(words === undefined ? {} : { remedy: words.remedy }) };
    }
  }

  #bytes(name: string): Promise<Buffer | undefined> {
    return readWhole(this.#disk, path.join(this.#directory, name), SETTINGS_BYTES_MAX + 1);
  }

  /** An unreadable list is an empty one: copies then count as unlisted, and still serve. */
  async #sums(): Promise<ReadonlySet<string>> {
    const bytes = await this.#bytes(this.#name + SUMS).catch(() => undefined);
    return new Set(bytes?.toString("latin1").match(/^[0-9a-f]{64}$/gm) ?? []);
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const turn = this.#lastWrite.then(action);
    this.#lastWrite = turn.catch(() => undefined); // the caller hears of it; the next write must not
    return turn;
  }
}

const LAST = ".last";
const OLDER = ".1";
const OLDEST = ".2";
const SUMS = ".sums";
const COPIES = [LAST, OLDER, OLDEST];

type Contents =
  | { readonly state: "broken"; readonly reason: string; readonly at: JsonFault | undefined }
  | { readonly state: "whole"; readonly document: SettingsDocument };

function parse(bytes: Buffer): Contents {
  if (bytes.length > SETTINGS_BYTES_MAX) return broken(`is longer than ${SETTINGS_BYTES_MAX} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes); // drops a byte order mark
  } catch {
    return broken("is not UTF-8 text");
  }
  if (text.trim() === "") return broken("is empty");
  const read = readJson(text);
  if ("fault" in read) {
    const { line, column, wanted, found } = read.fault;
    return { state: "broken", reason: `line ${line}, column ${column}: wants ${wanted}, found ${found}`, at: read.fault };
  }
  if (!isObject(read.value)) return broken("is JSON, but not an object { … }");
  return { state: "whole", document: read.value as SettingsDocument };
}

function broken(reason: string): Contents {
  return { state: "broken", reason, at: undefined };
}

function sumOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
