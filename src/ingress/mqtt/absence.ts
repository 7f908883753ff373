// What is timed while the client of a kept session is away: the end of the session, and a will whose delay runs.
//
//   left ──── will delay ────▶ will ──── session expiry ────▶ end          the will goes out with the end if that comes first
//
// The will of a kept session is on flash from CONNECT on: a power cut, which ends the connection as well, does not keep it from being heard
// [MQTT5-3.1.3-9]. Its delay then begins with the next start, and with that one only.

import type { Clock, Millis } from "#base/clock.ts";
import { Deadline } from "./deadline.ts";
import type { SessionFile } from "./session-file.ts";
import { UNTIL_LOST, type WillRecord } from "./session-records.ts";
import type { Will } from "./will.ts";

export interface AbsenceEvents {
  onExpired(): void;
  onWill(will: Will): void;
}

export class Absence {
  readonly #clock: Clock;
  readonly #file: SessionFile;
  readonly #events: AbsenceEvents;
  readonly #expiry: Deadline;
  readonly #delay: Deadline;
  #will: Will | null = null;

  constructor(clock: Clock, file: SessionFile, events: AbsenceEvents) {
    this.#clock = clock;
    this.#file = file;
    this.#events = events;
    this.#expiry = new Deadline(clock, () => events.onExpired());
    this.#delay = new Deadline(clock, () => this.#onDue());
  }

  /** `expirySeconds` Infinity: for ever. */
  begin(expirySeconds: number, will: Will | null): void {
    if (expirySeconds !== Number.POSITIVE_INFINITY) this.#expiry.arm(expirySeconds * 1000);
    if (will === null) return;
    const delaySeconds = Math.min(will.delaySeconds, expirySeconds);
    if (delaySeconds === 0) {
      queueMicrotask(() => this.#events.onWill(will)); // this may be in the middle of a routing pass
      return;
    }
    this.#file.saveWill({ will, dueWall: this.#clock.wall() + delaySeconds * 1000 });
    this.#await(will, delaySeconds * 1000);
  }

  /** One that is on flash already: of a client that was away, or was there when the last life ended. */
  restore({ will, dueWall }: WillRecord, expirySeconds: number): void {
    const delayMs = Math.min(will.delaySeconds, expirySeconds) * 1000;
    const leftMs = dueWall === UNTIL_LOST ? delayMs : Math.min(dueWall - this.#clock.wall(), delayMs); // the calendar may have gone back
    this.#file.noteWill();
    if (dueWall === UNTIL_LOST && delayMs > 0) this.#file.saveWill({ will, dueWall: this.#clock.wall() + delayMs });
    this.#await(will, Math.max(0, leftMs));
  }

  /** The client is back: its will is not heard. */
  end(): void {
    if (this.leave() !== null) this.#file.removeWill();
  }

  /** Stops both clocks; returns the will that was waiting. */
  leave(): Will | null {
    this.#expiry.disarm();
    this.#delay.disarm();
    const will = this.#will;
    this.#will = null;
    return will;
  }

  #await(will: Will, delayMs: Millis): void {
    this.#will = will;
    this.#delay.arm(delayMs);
  }

  #onDue(): void {
    const will = this.#will;
    this.#will = null;
    this.#file.removeWill();
    if (will !== null) this.#events.onWill(will);
  }
}
