// Packet identifiers of QoS 1 messages that went straight out to a session which ends with its connection: nothing else is kept of them.
//
//   ids    │ 3 │ 4 │ 5 │ 6 │ 9 │   │   │        in order of sending; acknowledged in that order by nearly every client
//            └ head            └ head + size
//
// A window of numbers, made with the first message: most clients never get one at QoS 1.

const IDS_MIN = 16;
const NONE = new Uint16Array(0);

export class SentIds {
  size = 0;
  #ids = NONE;
  #head = 0;

  add(packetId: number): void {
    if (this.#head + this.size === this.#ids.length) this.#makeRoom();
    this.#ids[this.#head + this.size] = packetId;
    this.size += 1;
  }

  /** False: it is none of them. */
  remove(packetId: number): boolean {
    if (this.size === 0) return false;
    if (this.#ids[this.#head] === packetId) {
      this.size -= 1;
      this.#head = this.size === 0 ? 0 : this.#head + 1;
      return true;
    }
    const end = this.#head + this.size;
    const at = this.#ids.indexOf(packetId, this.#head);
    if (at < 0 || at >= end) return false;
    this.#ids.copyWithin(at, at + 1, end);
    this.size -= 1;
    return true;
  }

  clear(): void {
    this.size = 0;
    this.#head = 0;
    this.#ids = NONE;
  }

  /** What is in use moves to the front; if that makes little room, to one twice as long. */
  #makeRoom(): void {
    const used = this.#ids.subarray(this.#head, this.#head + this.size);
    if (this.#head * 2 <= this.#ids.length) this.#ids = new Uint16Array(Math.max(IDS_MIN, this.#ids.length * 2));
    this.#ids.set(used);
    this.#head = 0;
  }
}
