// QoS 2 packet identifiers that came from a client and are not released: a PUBLISH that comes again under one is no new message.
//
//   PUBLISH ─ add ─▶ received ─ PUBREL ─ release ─▶ forgotten          on flash as well, for a kept session

import type { Mark } from "./keeping.ts";
import type { SessionFile } from "./session-file.ts";

export class ReceivedIds {
  /** What must be safe of the newest one. */
  lastMark: Mark = 0;
  /** What must be safe of the newest release. */
  releaseMark: Mark = 0;
  readonly #file: SessionFile | null;
  /** Made with the first one: most clients never send at QoS 2. */
  #ids: Set<number> | undefined;
  /** From before a restart: an outbox may have lost what they brought, the sessions here have it. */
  #uncertain: Set<number> | undefined;

  constructor(file: SessionFile | null) {
    this.#file = file;
  }

  get size(): number {
    return this.#ids === undefined ? 0 : this.#ids.size;
  }

  has(packetId: number): boolean {
    return this.#ids?.has(packetId) === true;
  }

  isUncertain(packetId: number): boolean {
    return this.#uncertain?.has(packetId) === true;
  }

  /** What must be safe before PUBREC is returned. */
  add(packetId: number): Mark {
    this.#ids ??= new Set();
    this.#ids.add(packetId);
    this.#uncertain?.delete(packetId);
    this.lastMark = this.#file?.addReceived(packetId) ?? 0;
    return this.lastMark;
  }

  /** PUBREL came, or the PUBLISH was refused. What must be safe before PUBCOMP is returned. */
  release(packetId: number): Mark {
    this.#ids?.delete(packetId);
    this.#uncertain?.delete(packetId);
    this.releaseMark = this.#file?.removeReceived(packetId) ?? 0;
    return this.releaseMark;
  }

  /** One from flash, where `found` must be safe before it counts. */
  restore(packetId: number, found: Mark = 0): void {
    this.lastMark = found;
    this.#ids ??= new Set();
    this.#ids.add(packetId);
    this.#uncertain ??= new Set();
    this.#uncertain.add(packetId);
  }

  all(): Iterable<number> {
    return this.#ids ?? [];
  }
}
