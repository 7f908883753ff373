// Kept messages that are neither on flash nor confirmed yet, in memory, laid out as journal records so that a commit is one write.
//
//   chunks   [■■■■■■]  being committed      [■■■□□□]  open: new records go here
//             ▲ confirmed records are cut off in front
//
// A chunk stays until its commit is done or all of it is confirmed, so what it holds can be sent from here meanwhile.

import { assert } from "#base/assert.ts";
import { RECORD_HEADER_BYTES, recordBytes, recordSeq, writeHeader } from "#journal/record.ts";

const CHUNK_BYTES = 64 * 1024;
/** Size of further chunks while a commit is slow: fewer, larger writes. */
const LARGE_CHUNK_BYTES = 1024 * 1024;
/** Chunk buffers of either size kept for reuse. */
const POOL_MAX = 4;

/** A run of whole records: `slab[start, end)`. */
export interface Chunk {
  slab: Buffer;
  start: number;
  end: number;
  count: number;
  lastSeq: number;
}

export class Stage {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];
  readonly #chunks: Chunk[] = [];
  #sealed: Chunk | undefined;
  #bytes = 0;
  #count = 0;

  /** Bytes of records in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  /** Makes a record with an empty body of `bodyBytes`; the caller fills it at the returned place. */
  add(seq: number, time: number, bodyBytes: number): { readonly slab: Buffer; readonly body: number } {
    const chunk = this.#room(RECORD_HEADER_BYTES + bodyBytes);
    const at = chunk.end;
    writeHeader(chunk.slab, at, bodyBytes, seq, time);
    const bytes = recordBytes(chunk.slab, at);
    chunk.end += bytes;
    chunk.count += 1;
    chunk.lastSeq = seq;
    this.#bytes += bytes;
    this.#count += 1;
    return { slab: chunk.slab, body: at + RECORD_HEADER_BYTES };
  }

  /** Closes the oldest chunk for writing to flash. One at a time: release it before sealing the next. */
  seal(): Chunk | undefined {
    assert(this.#sealed === undefined, "a chunk is being committed already");
    this.#sealed = this.#chunks[0];
    return this.#sealed;
  }

  /** The commit failed: the chunk waits for the next one. */
  unseal(): void {
    this.#sealed = undefined;
  }

  /** The commit is done: forget the sealed chunk. */
  release(): void {
    assert(this.#sealed !== undefined && this.#chunks[0] === this.#sealed, "no chunk is being committed");
    const done = this.#sealed;
    this.#sealed = undefined;
    this.#chunks.shift();
    this.#bytes -= done.end - done.start;
    this.#count -= done.count;
    this.#recycle(done);
  }

  /** Cuts off records up to `seq`, which nobody needs any more. The sealed chunk is left as it is: its bytes are being written. */
  confirm(seq: number): void {
    while (this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      if (chunk === this.#sealed) return;
      while (chunk.count > 0 && recordSeq(chunk.slab, chunk.start) <= seq) {
        const bytes = recordBytes(chunk.slab, chunk.start);
        chunk.start += bytes;
        chunk.count -= 1;
        this.#bytes -= bytes;
        this.#count -= 1;
      }
      if (chunk.count > 0) return;
      if (this.#chunks.length === 1) {
        chunk.start = 0; // the open chunk, empty: use it from the front again
        chunk.end = 0;
        return;
      }
      this.#chunks.shift();
      this.#recycle(chunk);
    }
  }

  /** Calls `visit` for each record in memory with a seq above `after`, in order, until it returns false. */
  forEachAfter(after: number, visit: (slab: Buffer, at: number, seq: number) => boolean): void {
    for (const chunk of this.#chunks) {
      if (chunk.count === 0 || chunk.lastSeq <= after) continue;
      for (let at = chunk.start; at < chunk.end; at += recordBytes(chunk.slab, at)) {
        const seq = recordSeq(chunk.slab, at);
        if (seq > after && !visit(chunk.slab, at, seq)) return;
      }
    }
  }

  #room(bytes: number): Chunk {
    const open = this.#chunks.at(-1);
    if (open !== undefined && open !== this.#sealed && open.end + bytes + RECORD_HEADER_BYTES <= open.slab.length) return open;
    const size = Math.max(this.#bytes < CHUNK_BYTES ? CHUNK_BYTES : LARGE_CHUNK_BYTES, bytes + RECORD_HEADER_BYTES);
    const slab = this.#poolOf(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
    const chunk = { slab, start: 0, end: 0, count: 0, lastSeq: 0 };
    if (open !== undefined && open !== this.#sealed && open.count === 0) this.#chunks.pop();
    this.#chunks.push(chunk);
    return chunk;
  }

  #recycle(chunk: Chunk): void {
    const pool = this.#poolOf(chunk.slab.length);
    if (pool !== undefined && pool.length < POOL_MAX) pool.push(chunk.slab);
  }

  #poolOf(bytes: number): Buffer[] | undefined {
    return bytes === CHUNK_BYTES ? this.#small : bytes === LARGE_CHUNK_BYTES ? this.#large : undefined;
  }
}
