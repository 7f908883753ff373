// The S2 vectors of test/fixtures/s2-vectors/, read. README.md there says what they are.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";
import type { Part } from "./s2-inputs.ts";

const FOLDER = path.resolve(import.meta.dirname, "../fixtures/s2-vectors");

export interface Digest {
  readonly len: number;
  readonly sha256: string;
}

interface Encoded {
  readonly name: string;
  readonly kind: "stream" | "block";
  readonly encoded_len: number;
  readonly encoded_sha256: string;
  readonly hex?: string;
  readonly file?: string;
}

export interface ValidVector extends Encoded, Digest {
  readonly input?: string;
}

export type Category = "header" | "truncated" | "corrupt" | "limit" | "unsupported" | "crc";

export interface InvalidVector extends Encoded {
  readonly reason: string;
  readonly category: Category;
  readonly delivered?: Digest;
}

export interface Manifest {
  readonly inputs: Readonly<Record<string, Digest & { readonly recipe: readonly Part[] }>>;
  readonly valid: readonly ValidVector[];
  readonly invalid: readonly InvalidVector[];
}

export function readManifest(): Manifest {
  return JSON.parse(fs.readFileSync(path.join(FOLDER, "manifest.json"), "utf8")) as Manifest;
}

/** The vector itself, checked against its digest. */
export function encodedBytes(vector: Encoded): Buffer {
  const bytes = vector.hex === undefined ? readData(vector.file!) : Buffer.from(vector.hex, "hex");
  if (bytes.length !== vector.encoded_len || sha256(bytes) !== vector.encoded_sha256)
    throw new Error(`vector ${vector.name} is not what its manifest says`);
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function readData(file: string): Buffer {
  const bytes = fs.readFileSync(path.join(FOLDER, file));
  return file.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}
