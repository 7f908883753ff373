// Figures of the door for NATS clients, in all since it opened.

import type { NatsPeer } from "./context.ts";
import type { Ending } from "./life.ts";

export interface NatsFigures {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Messages that were not taken: forbidden, or on a subject that nothing can be published on. */
  readonly refused: number;
}

/** Of one account. */
export interface NatsAccountFigures extends NatsFigures {
  /** Cut off because they read too slowly. */
  readonly slow: number;
}

export interface NatsStatus extends NatsFigures {
  /** Let in and connected now. */
  readonly clients: number;
  readonly subscriptions: number;
  /** Network connections taken. */
  readonly connections: number;
  /** CONNECTs that were let in. */
  readonly accepted: number;
  /** Ended connections by the way they ended. */
  readonly endings: Readonly<Partial<Record<Ending, number>>>;
}

const NOTHING: NatsFigures = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, refused: 0 };

export class NatsTally {
  connections = 0;
  accepted = 0;
  readonly #endings = new Map<Ending, number>();
  /** By account; bounded, since accounts stand in the settings. */
  readonly #pastOf = new Map<string, NatsAccountFigures>();
  #past = NOTHING;

  /** `account`: null if it was not let in. */
  onEnd(peer: NatsPeer, ending: Ending, account: string | null): void {
    this.#endings.set(ending, (this.#endings.get(ending) ?? 0) + 1);
    this.#past = sum(this.#past, peer);
    if (account === null) return;
    const past = this.#pastOf.get(account) ?? { ...NOTHING, slow: 0 };
    this.#pastOf.set(account, { ...sum(past, peer), slow: past.slow + (ending === "slow" ? 1 : 0) });
  }

  /** Of clients that were let in. */
  accounts(connected: Iterable<NatsPeer & { readonly account: string | null }>): Map<string, NatsAccountFigures> {
    const figures = new Map(this.#pastOf);
    for (const peer of connected) {
      if (peer.account === null) continue;
      const past = figures.get(peer.account) ?? { ...NOTHING, slow: 0 };
      figures.set(peer.account, { ...sum(past, peer), slow: past.slow });
    }
    return figures;
  }

  status(connected: Iterable<NatsPeer>, now: { readonly clients: number; readonly subscriptions: number }): NatsStatus {
    const figures = [...connected].reduce<NatsFigures>(sum, this.#past);
    return {
      ...figures,
      ...now,
      connections: this.connections,
      accepted: this.accepted,
      endings: Object.fromEntries(this.#endings),
    };
  }
}

function sum(a: NatsFigures, b: NatsFigures): NatsFigures {
  return {
    messagesIn: a.messagesIn + b.messagesIn,
    messagesOut: a.messagesOut + b.messagesOut,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    refused: a.refused + b.refused,
  };
}
