// The S2 block codec: the WebAssembly module, instantiated twice, with its buffers. One for the whole process.
//
//   S2Writer ──▶ encoder  [match tables │ input 64 KiB │ output]          two memories: a writer may run inside what a reader
//   S2Reader ──▶ decoder  [input 4 MiB  │ output 4 MiB]                   calls, and nothing the one does can touch the other
//
// All views it lends are valid until the callback that got them returns. Format: README.md. Tests: test/unit/s2/.

import { assert } from "#base/assert.ts";
import {
  DECODER_INPUT,
  DECODER_OUTPUT,
  DECODER_PAGES,
  ENCODER_INPUT,
  ENCODER_INPUT_MAX,
  ENCODER_OUTPUT,
  ENCODER_PAGES,
} from "./memory-layout.ts";
import { S2_MODULE_BASE64 } from "./module-bytes.ts";

/** How hard a writer tries; "uncompressed" stores, with checksums. */
export type S2Level = "uncompressed" | "fast" | "better" | "best";

/** Plaintext of one chunk that we write, at most: match offsets fit 16 bits, and a hub delivers the first message early. */
export const PIECE_BYTES_MAX = ENCODER_INPUT_MAX;

export const IDENTIFIER = Buffer.from("\xff\x06\x00\x00S2sTwO", "latin1");

/** What decoding a chunk can come to, besides its size. As assembly/decode.ts and assembly/index.ts number them. */
export const CHUNK_FAULTS: Readonly<Record<number, string>> = {
  [-1]: "an operation is cut short by the chunk's end, wanted it whole",
  [-2]: "an operation passes the announced size, wanted it to stay within",
  [-3]: "a copy reaches back before the block's first byte, wanted an offset within the block",
  [-4]: "a copy with offset 0, or a repeat before the first copy, wanted an offset from 1 up",
  [-5]: "the block ends before the announced size is reached, wanted as much as announced",
};
export const BAD_CHECKSUM = -6;

const LEVELS: Readonly<Record<S2Level, number>> = { uncompressed: 0, fast: 1, better: 2, best: 3 };
/** Spare buffers larger than this are left to the garbage collector. */
const SPARE_BYTES_MAX = 131_072;
const SPARE_BYTES_MIN = 1024;

/** The module's doors: assembly/index.ts. */
interface S2Exports {
  init(): void;
  forget(): void;
  crc32c(at: number, bytes: number): number;
  encodeBlock(level: number, bytes: number, target: number): number;
  encodeChunk(level: number, bytes: number): number;
  decodeBlock(source: number, end: number, target: number, bytes: number): number;
  decodeChunk(bytes: number, prefixBytes: number, plainBytes: number): number;
  checkStored(bytes: number): number;
  lastRefusedAt(): number;
}

/** Compiles and instantiates: a few milliseconds. */
export function openS2Codec(): S2Codec {
  const module = new WebAssembly.Module(Buffer.from(S2_MODULE_BASE64, "base64"));
  return new S2Codec(instantiate(module, ENCODER_PAGES), instantiate(module, DECODER_PAGES));
}

interface Instance {
  readonly exports: S2Exports;
  readonly bytes: Buffer;
}

export class S2Codec {
  /** The module's two instances; for the bench and for tests, which measure them without a stream around. */
  readonly encoder: S2Exports;
  readonly decoder: S2Exports;
  readonly encoderBytes: Buffer;
  readonly decoderBytes: Buffer;
  /** Lent at this moment? Whoever asks then is a bug of ours: it would overwrite what somebody still reads. */
  #isChunkLent = false;
  #isPlainLent = false;
  #spare: Buffer = Buffer.alloc(0);

  constructor(encoder: Instance, decoder: Instance) {
    this.encoder = encoder.exports;
    this.decoder = decoder.exports;
    this.encoderBytes = encoder.bytes;
    this.decoderBytes = decoder.bytes;
    IDENTIFIER.copy(this.encoderBytes, ENCODER_OUTPUT - IDENTIFIER.length);
    IDENTIFIER.copy(this.encoderBytes, ENCODER_INPUT - 8 - IDENTIFIER.length);
  }

  /** Lends the chunk that holds `plain[from, to)`, at most PIECE_BYTES_MAX, behind an identifier if `isFirst`. */
  encode(plain: Uint8Array, from: number, to: number, level: S2Level, isFirst: boolean, onChunk: (view: Buffer) => void): void {
    const bytes = to - from;
    assert(!this.#isChunkLent, "S2Codec.encode called while a chunk is lent out: its bytes would be overwritten");
    assert(bytes <= PIECE_BYTES_MAX, `S2 piece of ${bytes} bytes, ${PIECE_BYTES_MAX} is the most`);
    this.encoderBytes.set(bytes === plain.length ? plain : plain.subarray(from, to), ENCODER_INPUT);
    const compressed = this.encoder.encodeChunk(LEVELS[level], bytes);
    const start = compressed > 0 ? ENCODER_OUTPUT : ENCODER_INPUT - 8;
    const end = compressed > 0 ? ENCODER_OUTPUT + compressed : ENCODER_INPUT + bytes;
    this.#isChunkLent = true;
    try {
      onChunk(this.encoderBytes.subarray(isFirst ? start - IDENTIFIER.length : start, end));
    } finally {
      this.#isChunkLent = false;
    }
  }

  /** Where a data chunk's body of `bytes` goes, to be filled through `loadBody` before it is decoded. */
  loadBody(source: Buffer, from: number, to: number, bodyOffset: number): void {
    assert(!this.#isPlainLent, "S2Reader.read called while plaintext is lent out: its bytes would be overwritten");
    const part = to - from === source.length ? source : source.subarray(from, to);
    this.decoderBytes.set(part, DECODER_INPUT - 4 + bodyOffset);
  }

  /** Checks the loaded body of a stored chunk. Returns how many bytes it holds, or a fault. */
  checkStored(bodyBytes: number): number {
    return this.decoder.checkStored(bodyBytes);
  }

  /** Decodes the loaded body of a compressed chunk. Returns `plainBytes`, or a fault. */
  decodeChunk(bodyBytes: number, prefixBytes: number, plainBytes: number): number {
    return this.decoder.decodeChunk(bodyBytes, prefixBytes, plainBytes);
  }

  /** Where in the body the operation that was refused last begins. */
  refusedAt(): number {
    return this.decoder.lastRefusedAt() - DECODER_INPUT + 4;
  }

  lendStored(bytes: number, onPlain: (view: Buffer) => void): void {
    this.#lend(DECODER_INPUT, bytes, onPlain);
  }

  lendDecoded(bytes: number, onPlain: (view: Buffer) => void): void {
    this.#lend(DECODER_OUTPUT, bytes, onPlain);
  }

  /** A buffer for `bytes` that came of a body of `bodyBytes`: a reader's, until it is given back. */
  takeSpill(bytes: number, bodyBytes: number): Buffer {
    const spare = this.#spare;
    if (spare.length >= bytes && spare.length <= bodyBytes * 2) {
      this.#spare = Buffer.alloc(0);
      return spare;
    }
    const size = 2 ** (32 - Math.clz32(Math.max(bytes, SPARE_BYTES_MIN) - 1));
    return Buffer.allocUnsafeSlow(Math.min(size, Math.max(bodyBytes, bytes)));
  }

  /** One is kept for whoever needs it next. */
  giveBackSpill(spill: Buffer): void {
    if (spill.length > this.#spare.length && spill.length <= SPARE_BYTES_MAX) this.#spare = spill;
  }

  #lend(at: number, bytes: number, onPlain: (view: Buffer) => void): void {
    this.#isPlainLent = true;
    try {
      onPlain(this.decoderBytes.subarray(at, at + bytes));
    } finally {
      this.#isPlainLent = false;
    }
  }
}

function instantiate(module: WebAssembly.Module, pages: number): Instance {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as S2Exports;
  exports.init();
  return { exports, bytes: Buffer.from(memory.buffer) };
}
