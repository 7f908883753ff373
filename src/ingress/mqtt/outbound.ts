// What goes out to one client: encoded straight into one slab, one write to the stream per pass, never one per packet.
//
//   reserve ─ encode ─ reserve ─ encode ─ … ─ flush ──▶ one stream.write; the slab comes back with its callback
//
// Bounded by its users: they ask `pendingBytes` and hold back what may wait (deliveries.ts) or stop reading what would
// need an answer (connection.ts).

import type { ByteStream } from "#base/net.ts";
import type { SlabPool } from "./slab-pool.ts";

const NONE = Buffer.alloc(0);

export class Outbound {
  /** The slab to encode into, from the offset `reserve` returned. Changes with every `reserve`. */
  bytes: Buffer = NONE;
  writtenBytes = 0;
  readonly #stream: ByteStream;
  readonly #pool: SlabPool;
  readonly #onProgress: () => void;
  /** Slabs lent to the stream, oldest first. */
  readonly #lent: Buffer[] = [];
  #used = 0;
  /** How much the last pass took: the next slab starts that large. */
  #hint = 0;

  /** `onProgress`: the stream took a write to its end. */
  constructor(stream: ByteStream, pool: SlabPool, onProgress: () => void) {
    this.#stream = stream;
    this.#pool = pool;
    this.#onProgress = onProgress;
  }

  /** Bytes that the peer's side has not taken yet. */
  get pendingBytes(): number {
    return this.#stream.writableLength + this.#used;
  }

  /** True while a write is under way. */
  get isWriting(): boolean {
    return this.#lent.length > 0;
  }

  /** Makes room for `count` bytes at the returned offset of `bytes`. Follow with `commit` of where the encoding ended. */
  reserve(count: number): number {
    if (this.#used + count > this.bytes.length) this.#widen(count);
    return this.#used;
  }

  commit(end: number): void {
    this.#used = end;
  }

  /** Hands everything to the stream in one write. */
  flush(): void {
    if (this.#used === 0) return;
    const slab = this.bytes;
    const count = this.#used;
    this.bytes = NONE;
    this.#used = 0;
    this.#hint = count;
    if (!this.#stream.writable) {
      this.#pool.giveBack(slab); // nobody is there any more
      return;
    }
    this.writtenBytes += count;
    this.#lent.push(slab);
    this.#stream.write(slab.subarray(0, count), this.#onWritten);
  }

  #widen(count: number): void {
    const wider = this.#pool.take(Math.max(this.#used + count, this.bytes.length * 2, this.#hint));
    if (this.#used > 0) {
      this.bytes.copy(wider, 0, 0, this.#used);
      this.#pool.giveBack(this.bytes);
    }
    this.bytes = wider;
  }

  /** Writes end in the order they were made. After a fault the slab is left to the collector: the stream may still hold it. */
  readonly #onWritten = (fault?: Error | null): void => {
    const slab = this.#lent.shift();
    if (fault != null || slab === undefined) return;
    this.#pool.giveBack(slab);
    this.#onProgress();
  };
}
