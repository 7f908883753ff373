// Packet identifiers in use towards one client: 1 … 65,535, rolling, those in use passed over.
//
//   page 0         page 1                page 31
//   │1 … 2,047│    │2,048 … 4,095│   …   │… 65,535│       bits, a page only while something in it is in use
//
// A message gets its identifier when it is queued, so that it keeps it through reconnects and power cuts. An idle client holds one page at most.

const PAGE_IDS = 2048;
const PAGE_WORDS = PAGE_IDS / 32;
const ID_MAX = 65_535;

export class PacketIds {
  readonly #pages: (Uint32Array | undefined)[] = [];
  readonly #counts: number[] = [];
  #size = 0;
  #last = 0;

  get size(): number {
    return this.#size;
  }

  /** The next free one; 0 when all are in use. */
  take(): number {
    if (this.#size === ID_MAX) return 0;
    const left = this.#last >>> 11;
    do this.#last = (this.#last % ID_MAX) + 1;
    while (this.has(this.#last));
    this.#set(this.#last);
    if (left !== this.#last >>> 11 && this.#counts[left] === 0) this.#pages[left] = undefined;
    return this.#last;
  }

  /** Takes this one, known from an earlier life; new ones go on behind it. */
  reserve(packetId: number): void {
    if (!this.has(packetId)) this.#set(packetId);
    this.#last = packetId;
  }

  /** New ones go on behind this one, whether it is in use or not. */
  leap(packetId: number): void {
    const left = this.#last >>> 11;
    this.#last = packetId;
    if (this.#counts[left] === 0) this.#pages[left] = undefined;
  }

  has(packetId: number): boolean {
    const page = this.#pages[packetId >>> 11];
    return page !== undefined && (page[(packetId & (PAGE_IDS - 1)) >>> 5]! & (1 << (packetId & 31))) !== 0;
  }

  free(packetId: number): void {
    if (!this.has(packetId)) return;
    const at = packetId >>> 11;
    const word = (packetId & (PAGE_IDS - 1)) >>> 5;
    this.#pages[at]![word] = this.#pages[at]![word]! & ~(1 << (packetId & 31));
    this.#counts[at] = this.#counts[at]! - 1;
    this.#size -= 1;
    if (this.#counts[at] === 0 && at !== this.#last >>> 11) this.#pages[at] = undefined; // the one in use stays: it is asked for next
  }

  #set(packetId: number): void {
    const at = packetId >>> 11;
    const page = (this.#pages[at] ??= new Uint32Array(PAGE_WORDS));
    const word = (packetId & (PAGE_IDS - 1)) >>> 5;
    page[word] = page[word]! | (1 << (packetId & 31));
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#size += 1;
  }
}
