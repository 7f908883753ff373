// Feeds streams and blocks to the codec and gathers what comes out, for tests and the fuzzer.

import type { S2Codec } from "#s2/codec.ts";
import {
  S2_BAD_CHECKSUM,
  S2_BAD_IDENTIFIER,
  S2_CORRUPT,
  S2_CUT_SHORT,
  S2_NO_IDENTIFIER,
  S2_TOO_LARGE,
  S2_UNKNOWN_CHUNK,
} from "#s2/errors.ts";
import { DECODER_INPUT, DECODER_OUTPUT } from "#s2/memory-layout.ts";
import { S2Reader } from "#s2/reader.ts";
import type { Category } from "./s2-vectors.ts";

export const CATEGORY_OF: Readonly<Record<string, Category>> = {
  [S2_NO_IDENTIFIER]: "header",
  [S2_BAD_IDENTIFIER]: "header",
  [S2_UNKNOWN_CHUNK]: "unsupported",
  [S2_TOO_LARGE]: "limit",
  [S2_CORRUPT]: "corrupt",
  [S2_BAD_CHECKSUM]: "crc",
  [S2_CUT_SHORT]: "truncated",
};

/** Ways to cut a stream. */
export const SCHEDULES: Readonly<Record<string, (bytes: Buffer) => Iterable<Buffer>>> = {
  whole: (bytes) => [bytes],
  "byte by byte": (bytes) => slices(bytes, () => 1),
  "in sevens": (bytes) => slices(bytes, () => 7_001),
  "as a socket might": (bytes) => slices(bytes, (i) => [65_536, 1448, 3, 20_000][i % 4]!),
};

export interface ReadResult {
  readonly plain: Buffer;
  readonly error: unknown;
}

/** All a reader delivers of the parts and the end behind them, and the error it ended with. */
export function readWhole(codec: S2Codec, parts: Iterable<Buffer>, chunkBytesMax: number): ReadResult {
  const reader = new S2Reader(codec, { chunkBytesMax });
  const pieces: Buffer[] = [];
  try {
    for (const part of parts) reader.read(part, (view) => pieces.push(Buffer.from(view)));
    reader.end();
    return { plain: Buffer.concat(pieces), error: undefined };
  } catch (error) {
    return { plain: Buffer.concat(pieces), error };
  }
}

/** A bare block through the module alone: its plaintext (a view), or undefined if it is refused. */
export function decodeBare(codec: S2Codec, block: Uint8Array, plainMax: number): Buffer | undefined {
  const prefix = readPrefix(block);
  if (prefix === undefined || prefix.size > plainMax) return undefined;
  codec.decoderBytes.set(block, DECODER_INPUT);
  const source = DECODER_INPUT + prefix.bytes;
  if (codec.decoder.decodeBlock(source, DECODER_INPUT + block.length, DECODER_OUTPUT, prefix.size) !== 0) return undefined;
  return codec.decoderBytes.subarray(DECODER_OUTPUT, DECODER_OUTPUT + prefix.size);
}

export function readPrefix(block: Uint8Array): { readonly size: number; readonly bytes: number } | undefined {
  let size = 0;
  for (let i = 0; i < 5; i++) {
    const group = block[i];
    if (group === undefined) return undefined;
    size += (group & 127) * 128 ** i;
    if (group < 128) return size > 0xffff_ffff ? undefined : { size, bytes: i + 1 };
  }
  return undefined;
}

function* slices(bytes: Buffer, next: (i: number) => number): Iterable<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) yield bytes.subarray(at, (at += next(i)));
}
