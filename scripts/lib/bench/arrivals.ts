// Counts what a NATS subscriber is sent, cheaply: the load generator, the hub and this parser share a core, so what it costs
// is taken from the others. Reads send times out of the payloads when asked.
//
//   MSG sensors.d 1 120␍␊ payload ␍␊      HMSG sensors.d 1 98 218␍␊ headers payload ␍␊      PING␍␊

import { STAMP_AT, STAMP_CHARS } from "./mqtt-packets.ts";

const CR = 13;
const SPACE = 32;
/** Above the longest INFO. */
const LINE_BYTES_MAX = 65_536;

export class Arrivals {
  count = 0;
  pings = 0;
  /** The first complaint of the hub, if it had one. */
  error: string | undefined;
  /** Nanoseconds from send time to arrival, where stamps are looked at. */
  readonly latencies: number[] = [];
  /** The send times themselves, in the order of arrival. */
  readonly stamps: number[] = [];
  hasStamps = false;
  /** What came and is not parsed yet lies in #slab from #start to #end. */
  #slab = Buffer.alloc(1 << 20);
  #start = 0;
  #end = 0;

  /** Borrows `chunk`, which arrived at `now` nanoseconds. */
  feed(chunk: Uint8Array, now: number): void {
    this.#makeRoom(chunk.length);
    this.#slab.set(chunk, this.#end);
    this.#end += chunk.length;
    while (this.#takeLine(now));
  }

  /** False when no whole line, or no whole message, is left. */
  #takeLine(now: number): boolean {
    const slab = this.#slab;
    const start = this.#start;
    let at = start;
    while (at < this.#end && slab[at] !== CR) at++;
    if (at + 2 > this.#end) {
      if (this.#end - start > LINE_BYTES_MAX) throw new Error("the hub sent a control line without end");
      return false;
    }
    const first = slab[start];
    if (first !== 0x4d && first !== 0x48) {
      this.#takeControl(slab.latin1Slice(start, at));
      this.#start = at + 2;
      return true;
    }
    let size = 0;
    let from = at;
    for (let power = 1; slab[from - 1] !== SPACE; power *= 10) size += (slab[--from]! - 48) * power;
    const end = at + 2 + size + 2;
    if (end > this.#end) return false;
    if (this.hasStamps) this.#takeStamp(end - 2 - this.#payloadBytes(first === 0x48, from, size), now);
    this.count += 1;
    this.#start = end;
    return true;
  }

  /** An HMSG names the bytes of its headers before the bytes in all. */
  #payloadBytes(hasHeaders: boolean, totalAt: number, size: number): number {
    if (!hasHeaders) return size;
    let headers = 0;
    for (let at = totalAt - 2, power = 1; this.#slab[at] !== SPACE; at--, power *= 10) headers += (this.#slab[at]! - 48) * power;
    return size - headers;
  }

  #takeStamp(payloadAt: number, now: number): void {
    const at = payloadAt + STAMP_AT;
    const sentAt = Number.parseInt(this.#slab.latin1Slice(at, at + STAMP_CHARS), 16);
    if (!(sentAt > 0)) return;
    this.latencies.push(now - sentAt);
    this.stamps.push(sentAt);
  }

  #takeControl(line: string): void {
    if (line === "PING") this.pings += 1;
    else if (line.startsWith("-ERR")) this.error ??= line;
  }

  #makeRoom(bytes: number): void {
    if (this.#end + bytes <= this.#slab.length) return;
    const left = this.#end - this.#start;
    if (left + bytes > this.#slab.length) {
      const wider = Buffer.alloc(Math.max(this.#slab.length * 2, left + bytes));
      this.#slab.copy(wider, 0, this.#start, this.#end);
      this.#slab = wider;
    } else {
      this.#slab.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = left;
  }
}
