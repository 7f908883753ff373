// Feeds damaged S2 to the codec and to the oracle: they must agree on the verdict, on its reason, and on every byte delivered.
//
//   small vectors ─┬─▶ mutate ─▶ bare block ─▶ module                 ┐
//   our encoder ───┘        ├──▶ block in a chunk, its checksum right ├─▶ the same as the oracle says?
//                           └──▶ whole stream, cut at random ─▶ reader ┘
//
// Blocks come without a checksum, or with the right one: otherwise the checksum would hide what the decoder does. Around a block's
// output stand marks that no write may reach.

import { openS2Codec, type S2Codec } from "#s2/codec.ts";
import { DECODER_INPUT, DECODER_OUTPUT } from "#s2/memory-layout.ts";
import { S2Writer } from "#s2/writer.ts";
import { leafTraffic, noise, prose } from "../../../test/support/s2-inputs.ts";
import { decodeBlock, decodeStream, maskedChecksum, S2Refusal } from "../../../test/support/s2-oracle.ts";
import { CATEGORY_OF, decodeBare, readPrefix, readWhole } from "../../../test/support/s2-reading.ts";
import { type Category, encodedBytes, readManifest } from "../../../test/support/s2-vectors.ts";
import { seededRandom } from "../../../test/support/seeded-random.ts";
import type { FuzzOptions, FuzzResult } from "./leaf.ts";
import { mutate } from "./mutate-bytes.ts";
import { repairBlock } from "./s2-repair.ts";

/** Vectors above this are left alone: many small inputs find more than few large ones. */
const VECTOR_BYTES_MAX = 400;
/** Plaintext of one chunk, mostly; larger ones are rare, the oracle is slow. */
const PLAIN_BYTES_MAX = 2048;
const PLAIN_BYTES_MAX_RARELY = 300_000;
const RARELY = 1 / 2000;
/** Share of blocks that are made to announce what they hold. */
const REPAIRED = 0.7;
/** Writes may run over a block's end by this much. */
const SLACK_BYTES = 64;
const MARK = 0xa5;
const MARK_BYTES = 64;
/** Inputs between two looks at the signal. */
const TURN = 2000;

const IDENTIFIER = Buffer.from("\xff\x06\x00\x00S2sTwO", "latin1");

/** Rejects with the first input on which the two differ, or with the signal's reason. */
export async function fuzzS2({ inputs, seconds = Number.POSITIVE_INFINITY, seed, signal }: FuzzOptions): Promise<FuzzResult> {
  const startedMs = performance.now();
  const elapsed = () => (performance.now() - startedMs) / 1000;
  const random = seededRandom(seed);
  const codec = openS2Codec();
  const { streams, blocks } = gatherSeeds(codec);
  const pick = (seeds: readonly Buffer[]) => seeds[Math.floor(random() * seeds.length)]!;
  let done = 0;
  let accepted = 0;
  let bytes = 0;
  for (; done < inputs; done++) {
    if (done % TURN === 0) {
      await new Promise(setImmediate);
      signal.throwIfAborted();
      if (elapsed() >= seconds) break;
    }
    const plainMax = random() < RARELY ? PLAIN_BYTES_MAX_RARELY : PLAIN_BYTES_MAX;
    const shape = done % 4;
    const seeds = shape === 3 ? streams : blocks;
    const mutated = mutate(pick(seeds), pick(seeds), random);
    const input = shape !== 3 && random() < REPAIRED ? repairBlock(mutated, random) : mutated;
    const verdict =
      shape === 3
        ? compareStreams(codec, input, plainMax, random)
        : shape === 2
          ? compareStreams(codec, inChunk(input, plainMax, random), plainMax, random)
          : compareBlocks(codec, input, plainMax);
    if (verdict === "accepted") accepted += 1;
    else if (verdict !== "refused")
      throw new Error(`S2 input ${done} of seed ${seed}: ${verdict}; limit ${plainMax}, bytes ${input.toString("hex")}`);
    bytes += input.length;
  }
  const note = "module, reader and oracle agree on every verdict, reason and byte";
  return { inputs: done, accepted, bytes, seconds: elapsed(), seed, note };
}

/** "accepted" or "refused" if the module and the oracle agree on a bare block, else what differs. */
function compareBlocks(codec: S2Codec, block: Buffer, plainMax: number): string {
  const size = readPrefix(block)?.size ?? 0;
  const marksAt = size <= plainMax ? DECODER_OUTPUT + size + SLACK_BYTES : DECODER_OUTPUT;
  codec.decoderBytes.fill(MARK, marksAt, marksAt + MARK_BYTES);
  codec.decoderBytes.fill(MARK, DECODER_OUTPUT - MARK_BYTES, DECODER_OUTPUT);
  const wanted = tryOracle(block, plainMax);
  const found = decodeBare(codec, block, plainMax);
  for (let i = 0; i < MARK_BYTES; i++) {
    if (codec.decoderBytes[marksAt + i] !== MARK) return `the module wrote ${SLACK_BYTES + i} bytes behind the block`;
    if (codec.decoderBytes[DECODER_OUTPUT - 1 - i] !== MARK) return `the module wrote ${1 + i} bytes before the block`;
  }
  if (found === undefined || wanted === undefined) {
    if (found === wanted) return "refused";
    return found === undefined ? "the module refuses a valid block" : "the module accepts an invalid block";
  }
  if (!found.equals(wanted)) return "the module decodes to other bytes";
  return codec.decoderBytes.compare(block, 0, block.length, DECODER_INPUT, DECODER_INPUT + block.length) === 0
    ? "accepted"
    : "the module changed its input";
}

/** "accepted" or "refused" if the reader, fed in random parts, and the oracle agree on a stream, else what differs. */
function compareStreams(codec: S2Codec, stream: Buffer, plainMax: number, random: () => number): string {
  const wanted = decodeStream(stream, plainMax);
  const found = readWhole(codec, randomParts(stream, random), plainMax);
  const code = found.error === undefined ? undefined : (found.error as { code?: string }).code;
  if (found.error !== undefined && code === undefined) return `the reader fails: ${found.error}`;
  const refusal: Category | undefined = code === undefined ? undefined : CATEGORY_OF[code];
  if (refusal !== wanted.refusal) return `the reader says ${code ?? "valid"}, wanted ${wanted.refusal ?? "valid"}`;
  if (!found.plain.equals(Buffer.concat(wanted.pieces))) return "the reader delivers other bytes";
  return refusal === undefined ? "accepted" : "refused";
}

function tryOracle(block: Buffer, plainMax: number): Buffer | undefined {
  try {
    return decodeBlock(block, plainMax);
  } catch (error) {
    if (error instanceof S2Refusal) return undefined;
    throw error;
  }
}

/** The block in a stream of its own, between two others; its checksum is right if the block is valid. */
function inChunk(block: Buffer, plainMax: number, random: () => number): Buffer {
  const plain = tryOracle(block, plainMax);
  const stream = Buffer.alloc(IDENTIFIER.length + 8 + block.length + 12);
  IDENTIFIER.copy(stream);
  stream.writeUInt32LE((block.length + 4) * 256, IDENTIFIER.length);
  stream.writeUInt32LE(plain === undefined ? 0 : maskedChecksum(plain), IDENTIFIER.length + 4);
  block.copy(stream, IDENTIFIER.length + 8);
  stored(random() * 2 ** 32).copy(stream, stream.length - 12);
  return stream;
}

/** A stored chunk of 4 bytes, 12 in all. */
function stored(word: number): Buffer {
  const chunk = Buffer.alloc(12);
  chunk.writeUInt32LE(1 + 8 * 256, 0);
  chunk.writeUInt32LE(word >>> 0, 8);
  chunk.writeUInt32LE(maskedChecksum(chunk.subarray(8)), 4);
  return chunk;
}

function* randomParts(bytes: Buffer, random: () => number): Iterable<Buffer> {
  const most = random() < 0.5 ? bytes.length + 1 : 1 + Math.floor(random() * 40);
  for (let at = 0; at < bytes.length; ) yield bytes.subarray(at, (at += 1 + Math.floor(random() * most)));
}

/** The small vectors, valid and invalid, and chunks of our own; the blocks of all of them on their own. */
function gatherSeeds(codec: S2Codec): { readonly streams: readonly Buffer[]; readonly blocks: readonly Buffer[] } {
  const { valid, invalid } = readManifest();
  const streams: Buffer[] = [];
  const blocks: Buffer[] = [];
  for (const vector of [...valid, ...invalid]) {
    if (vector.encoded_len <= VECTOR_BYTES_MAX) (vector.kind === "stream" ? streams : blocks).push(encodedBytes(vector));
  }
  for (const level of ["fast", "better", "best"] as const) {
    for (const plain of [leafTraffic(1, 600), prose(1, 400), noise(1, 40), Buffer.alloc(900, "abcabcabd"), Buffer.alloc(70, 1)]) {
      new S2Writer(codec).write(plain, level, (view) => streams.push(Buffer.from(view)));
    }
  }
  for (const stream of streams) blocks.push(...blocksOf(stream));
  return { streams, blocks };
}

function* blocksOf(stream: Buffer): Iterable<Buffer> {
  for (let at = 0; at + 8 <= stream.length; ) {
    const length = stream.readUIntLE(at + 1, 3);
    if (stream[at] === 0 && at + 4 + length <= stream.length && length > 4) yield stream.subarray(at + 8, at + 4 + length);
    at += 4 + length;
  }
}
