// Subjects of kept messages, known by their bytes: a backlog says the same few again and again. Hot path.
//
//   slab … sensors.a … ──hash──▶ slot ─┬─ the same bytes ──▶ known: its text, and `HMSG sensors.a ` for the wire
//                                      └─ others ──────────▶ they take the slot
//
// Bytes are compared four at a time. It remembers nothing but what stands in the bytes, so nothing ever has to be forgotten.
// Tests: test/unit/outbox/subject-cache.test.ts

const SLOTS = 256;
const SLOT_BYTES = 128;
const OPENING = "HMSG ";
/** Longer ones are not remembered. */
const SUBJECT_BYTES_MAX = SLOT_BYTES - OPENING.length - 1;

export interface KnownSubject {
  readonly text: string;
  /** `HMSG <subject> `; valid until another subject is looked up. */
  readonly line: Buffer;
}

export class SubjectCache {
  /** Of all slots; made when there is something to remember. */
  #lines: Buffer | undefined;
  #lineWords: DataView = new DataView(new ArrayBuffer(0));
  readonly #known: (KnownSubject | undefined)[] = [];
  #slab: Buffer | undefined;
  #words: DataView = this.#lineWords;

  /** The subject in `slab[start, end)`; undefined if it is too long, or too short, to be remembered. */
  find(slab: Buffer, start: number, end: number): KnownSubject | undefined {
    const bytes = end - start;
    if (bytes > SUBJECT_BYTES_MAX || bytes < 4) return undefined;
    if (slab !== this.#slab) {
      this.#slab = slab;
      this.#words = new DataView(slab.buffer, slab.byteOffset, slab.length);
    }
    const slot = this.#hash(start, end) & (SLOTS - 1);
    const known = this.#known[slot];
    if (known !== undefined && known.text.length === bytes && this.#isSame(slot, start, end)) return known;
    return this.#remember(slot, slab, start, end);
  }

  #hash(start: number, end: number): number {
    const words = this.#words;
    let hash = words.getInt32(end - 4, true);
    for (let at = start; at + 4 < end; at += 4) hash = Math.imul(hash ^ words.getInt32(at, true), 0x9e3779b1);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x85ebca6b) >>> 16;
  }

  #isSame(slot: number, start: number, end: number): boolean {
    const words = this.#words;
    const lines = this.#lineWords;
    const shift = slot * SLOT_BYTES + OPENING.length - start;
    for (let at = start; at + 4 < end; at += 4) {
      if (words.getInt32(at, true) !== lines.getInt32(at + shift, true)) return false;
    }
    return words.getInt32(end - 4, true) === lines.getInt32(end - 4 + shift, true);
  }

  #remember(slot: number, slab: Buffer, start: number, end: number): KnownSubject {
    if (this.#lines === undefined) {
      this.#lines = Buffer.allocUnsafeSlow(SLOTS * SLOT_BYTES);
      this.#lineWords = new DataView(this.#lines.buffer);
    }
    const text = slab.latin1Slice(start, end);
    const from = slot * SLOT_BYTES;
    const written = this.#lines.latin1Write(`${OPENING}${text} `, from);
    const known = { text, line: this.#lines.subarray(from, from + written) };
    this.#known[slot] = known;
    return known;
  }
}
