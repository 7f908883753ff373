// Looks after a link that is ready: asks its hub for a sign of life when it is silent, and says when it is gone (watchdog.ts judges).

import type { Clock, Millis } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import type { LeafConnection } from "./connection.ts";
import { LEAF_STALE, LEAF_UNHEARD } from "./errors.ts";
import { seconds } from "./phase-words.ts";
import { QuietLine, verdictOn } from "./watchdog.ts";

const LOOK_EVERY_MS: Millis = 2_500;

export interface LivenessEvents {
  /** The hub is gone, or does not hear us. */
  onLost(error: PetioleError): void;
  /** So often as it is looked at. */
  onTick(): void;
}

export class Liveness implements Disposable {
  readonly #clock: Clock;
  readonly #events: LivenessEvents;
  readonly #line = new QuietLine();
  #watched: LeafConnection | undefined;
  #timer: Disposable | undefined;

  constructor(clock: Clock, events: LivenessEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** `url`: for errors. */
  watch(connection: LeafConnection, url: string): void {
    this[Symbol.dispose]();
    this.#watched = connection;
    this.#timer = this.#clock.every(LOOK_EVERY_MS, () => {
      this.#look(connection, url);
      this.#events.onTick();
    });
  }

  /** Until the next link. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#watched !== undefined) this.#line.onEnd(this.#watched.silentFor(this.#clock.now()), this.#watched.flow.underWay);
    this.#watched = undefined;
  }

  #look(connection: LeafConnection, url: string): void {
    const now = this.#clock.now();
    const silent = connection.silentFor(now);
    const hub = `hub ${url}`;
    switch (verdictOn(connection.flow, silent, now, this.#line.askAfter)) {
      case "fine":
        break;
      case "ask":
        connection.ping();
        break;
      case "stale":
        this.#events.onLost(
          new PetioleError(LEAF_STALE, `${hub} sent nothing for ${seconds(silent)} and left a PING unanswered`),
        );
        break;
      case "unheard": {
        const unanswered = seconds(connection.flow.oldestPing(now));
        const words = `${hub} sends, but has not answered a PING for ${unanswered}: what we send does not arrive`;
        this.#events.onLost(new PetioleError(LEAF_UNHEARD, words));
      }
    }
  }
}
