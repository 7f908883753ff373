// Which record holds the value of each key, and how long it is. Nothing else of a key is in memory.
//
//   "session 17 …"  ──▶ slot 4 ──▶ seqs[4], lengths[4]          12 bytes a slot beside the map's own 40 and the key

const SLOTS_MIN = 64;
/** What a record takes on flash beside its body: its own header, and its part of its group's and its commit's. */
const RECORD_OVERHEAD_BYTES = 8;

export class KeyIndex {
  readonly #slots = new Map<string, number>();
  #seqs = new Float64Array(SLOTS_MIN);
  #lengths = new Uint32Array(SLOTS_MIN);
  #free: number[] = [];
  #used = 0;
  #liveBytes = 0;

  get size(): number {
    return this.#slots.size;
  }

  /** Of all records that hold a value. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  has(key: string): boolean {
    return this.#slots.has(key);
  }

  /** 0: there is none. */
  seqOf(key: string): number {
    const slot = this.#slots.get(key);
    return slot === undefined ? 0 : this.#seqs[slot]!;
  }

  /** The keys whose records are not behind `seq`. */
  keysUpTo(seq: number): string[] {
    const keys: string[] = [];
    for (const [key, slot] of this.#slots) if (this.#seqs[slot]! <= seq) keys.push(key);
    return keys;
  }

  /** Bytes the record of the key takes; 0: there is none. */
  bytesOf(key: string): number {
    const slot = this.#slots.get(key);
    return slot === undefined ? 0 : this.#lengths[slot]! + RECORD_OVERHEAD_BYTES;
  }

  /** The record `seq`, whose body has `bodyBytes`, holds the value of the key from now on. */
  set(key: string, seq: number, bodyBytes: number): void {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#used++;
      if (slot === this.#seqs.length) this.#widen();
      this.#slots.set(key, slot);
      this.#liveBytes += RECORD_OVERHEAD_BYTES;
    } else this.#liveBytes -= this.#lengths[slot]!;
    this.#seqs[slot] = seq;
    this.#lengths[slot] = bodyBytes;
    this.#liveBytes += bodyBytes;
  }

  delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.#liveBytes -= this.#lengths[slot]! + RECORD_OVERHEAD_BYTES;
    if (this.#slots.size > 0) this.#free.push(slot);
    else {
      // Nothing is left: a storm that has passed leaves no memory behind.
      this.#free = [];
      this.#used = 0;
      this.#seqs = new Float64Array(SLOTS_MIN);
      this.#lengths = new Uint32Array(SLOTS_MIN);
    }
  }

  #widen(): void {
    const seqs = new Float64Array(this.#seqs.length * 2);
    seqs.set(this.#seqs);
    this.#seqs = seqs;
    const lengths = new Uint32Array(this.#lengths.length * 2);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }
}
