// Protocol bytes on their way out: gathered in one buffer, handed over whole, one write per pass.
//
// A buffer given to a socket is not ours until its write callback, so `take` hands it over and `giveBack` returns it.

/** Kept for reuse, of all buffers together; more is left to the garbage collector. */
const POOL_BYTES_MAX = 4 * 1024 * 1024;
const BUFFER_BYTES = 64 * 1024;
/** A buffer that grew beyond this is not kept. */
const POOLED_BYTES_MAX = 1024 * 1024;

export class WireWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;
  readonly #pool: Buffer[] = [];
  #pooledBytes = 0;

  /** Bytes gathered since the last `take`. */
  get pendingBytes(): number {
    return this.#used;
  }

  text(latin1: string): void {
    this.reserve(latin1.length);
    this.#used += this.#bytes.latin1Write(latin1, this.#used);
  }

  copy(source: Buffer, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    if (count < 48) {
      const bytes = this.#bytes;
      let to = this.#used;
      for (let from = start; from < end; from++) bytes[to++] = source[from]!; // cheaper than a call for so few
    } else source.copy(this.#bytes, this.#used, start, end);
    this.#used += count;
  }

  /** A count in decimal digits. */
  number(value: number): void {
    this.reserve(16);
    if (value > 0x7fff_ffff) {
      this.#used += this.#bytes.latin1Write(String(value), this.#used);
      return;
    }
    let rest = value | 0; // integers all the way: a division of doubles costs several times as much
    let digits = 1;
    for (let left = rest; left >= 10; left = (left / 10) | 0) digits += 1;
    let at = this.#used + digits;
    this.#used = at;
    for (; digits > 0; digits--) {
      const next = (rest / 10) | 0;
      this.#bytes[--at] = 0x30 + (rest - next * 10);
      rest = next;
    }
  }

  byte(value: number): void {
    this.reserve(1);
    this.#bytes[this.#used++] = value;
  }

  crlf(): void {
    this.reserve(2);
    this.#bytes[this.#used++] = 13;
    this.#bytes[this.#used++] = 10;
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.#used + count;
    if (needed <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, needed));
    this.#bytes.copy(wider, 0, 0, this.#used);
    this.#bytes = wider;
  }

  /** Hands over everything gathered. Give the buffer back once its write is done. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#used);
    const pooled = this.#pool.pop();
    this.#pooledBytes -= pooled?.length ?? 0;
    this.#bytes = pooled ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#used = 0;
    return taken;
  }

  giveBack(taken: Buffer): void {
    const bytes = taken.buffer.byteLength;
    if (bytes > POOLED_BYTES_MAX || this.#pooledBytes + bytes > POOL_BYTES_MAX) return;
    this.#pool.push(Buffer.from(taken.buffer));
    this.#pooledBytes += bytes;
  }

  /** Forgets what was gathered: its connection is gone. */
  clear(): void {
    this.#used = 0;
  }
}
