// Tells when an open descriptor can be read or written: node-serialport's pollers, each kept for good and lent again.
//
//   open ─▶ descriptor 23 ─▶ lend(23) ──▶ the poller of 23, made the first time that 23 is a serial port
//                                │
//   close ◀── descriptor 23 ◀── end()     it rests, with nothing asked of the kernel, until 23 is a serial port again
//
// Why they are kept: the binding never frees one (its own `destroy` says so), 2.7 KB for each opening of a port that flaps. Letting go of
// one for the garbage collector would be worse: it would be taken from the kernel's list by its number, which by then may be another's
// socket, and that socket would never wake again. Descriptors are numbered from the lowest free one, so there are as many pollers as
// ports were ever open at a time, give or take.
//
// What else that binding does that matters here:
//   - It calls into JavaScript from outside of any callback scope: on Node 26 nothing runs the microtasks behind that call, so a promise
//     settled there sleeps until some timer wakes the process. We pass every event on from an immediate.
//   - It remembers every kind of event that was ever asked for, and asks for all others again after each one; asking for one kind drops
//     those asked for before. So the whole wish is told anew after each event.

import { EVENTS, Poller } from "@serialport/bindings-cpp/dist/poller.js";

/** What is waited for. A hang-up is told in any case. */
export interface Wanted {
  readonly toRead: boolean;
  readonly toWrite: boolean;
}

/** One opening's use of a poller. */
export interface Polling {
  /** From here on `onReady` is called, at most once a turn, while any of it can be done. */
  want(wanted: Wanted): void;
  /** To be called before the descriptor is closed: nothing is asked of the kernel, and nothing is told, from here on. Idempotent. */
  end(): void;
}

/** A device that hung up has to be closed: it is told of in every turn. */
type OnReady = (isHungUp: boolean) => void;

export class Pollers {
  readonly #byDescriptor = new Map<number, KeptPoller>();

  /** `descriptor` is open, non-blocking, and stays so until `end`. Throws when the kernel does not poll such a file. */
  lend(descriptor: number, onReady: OnReady): Polling {
    let poller = this.#byDescriptor.get(descriptor);
    if (poller === undefined) {
      poller = new KeptPoller(descriptor);
      this.#byDescriptor.set(descriptor, poller);
    }
    return new Loan(poller, onReady);
  }
}

/** It holds itself by the binding's reference to its listeners, whatever becomes of `Pollers`. */
class KeptPoller {
  holder: Loan | undefined;
  readonly #poller: Poller;

  constructor(descriptor: number) {
    this.#poller = new Poller(descriptor);
    // A fault is how the kernel tells that the device is no more.
    this.#poller.on("readable", (fault: Error | null) => this.holder?.onEvent(fault !== null));
    this.#poller.on("writable", (fault: Error | null) => this.holder?.onEvent(fault !== null));
    this.#poller.on("disconnect", () => this.holder?.onEvent(true));
  }

  /** 0: it rests. */
  poll(events: number): void {
    this.#poller.poll(events);
  }
}

class Loan implements Polling {
  readonly #poller: KeptPoller;
  readonly #onReady: OnReady;
  #events = 0;
  #isHungUp = false;
  #isTelling = false;

  constructor(poller: KeptPoller, onReady: OnReady) {
    this.#poller = poller;
    this.#onReady = onReady;
    poller.holder = this;
  }

  want({ toRead, toWrite }: Wanted): void {
    const events = EVENTS.UV_DISCONNECT | (toRead ? EVENTS.UV_READABLE : 0) | (toWrite ? EVENTS.UV_WRITABLE : 0);
    if (this.#poller.holder !== this || events === this.#events) return;
    this.#events = events;
    if (!this.#isTelling) this.#poller.poll(events); // else it will be asked for behind `onReady`
  }

  end(): void {
    if (this.#poller.holder !== this) return;
    this.#poller.holder = undefined;
    this.#poller.poll(0);
  }

  /** For the poller. An immediate comes before the kernel is asked again, so this is the turn's only one. */
  onEvent(isHungUp: boolean): void {
    this.#isHungUp ||= isHungUp;
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => this.#tell());
  }

  #tell(): void {
    if (this.#poller.holder === this) this.#onReady(this.#isHungUp);
    this.#isTelling = false;
    if (this.#poller.holder === this) this.#poller.poll(this.#events);
  }
}
