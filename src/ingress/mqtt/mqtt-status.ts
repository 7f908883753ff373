// Figures of the MQTT door: per client, and in all since it opened.

import type { Client } from "./broker.ts";
import type { Ending } from "./life.ts";

export interface MqttFigures {
  readonly messagesIn: number;
  readonly bytesIn: number;
  readonly messagesOut: number;
  readonly bytesOut: number;
  /** Messages from clients that had no subject or no permission. */
  readonly refused: number;
  /** Messages to clients that read too slowly. */
  readonly dropped: number;
}

export interface MqttClientStatus extends MqttFigures {
  readonly clientId: string;
  readonly user: string;
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly subscriptions: number;
  /** QoS 1 and 2 messages from it that are not safe yet. */
  readonly owedAcks: number;
  /** QoS 1 and 2 messages to it: sent and not acknowledged, and waiting. */
  readonly inflight: number;
  readonly queued: number;
}

export interface MqttTotals extends MqttFigures {
  /** Network connections taken. */
  readonly connections: number;
  /** CONNECTs answered with "accepted". */
  readonly accepted: number;
}

/** Of one account. */
export interface MqttAccountFigures extends MqttFigures {
  /** Cut off because they stopped reading. */
  readonly slow: number;
}

export interface MqttStatus {
  readonly clients: readonly MqttClientStatus[];
  /** Ended connections by the way they ended. */
  readonly endings: Readonly<Partial<Record<Ending, number>>>;
  /** All clients there were, those connected now included. */
  readonly totals: MqttTotals;
}

const NOTHING: MqttFigures = { messagesIn: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0, refused: 0, dropped: 0 };

export class MqttTally {
  connections = 0;
  accepted = 0;
  readonly #endings = new Map<Ending, number>();
  /** By account; bounded, since accounts stand in the settings. */
  readonly #pastOf = new Map<string, MqttAccountFigures>();
  #past: MqttFigures = NOTHING;

  onEnd(client: Client, ending: Ending): void {
    this.#endings.set(ending, (this.#endings.get(ending) ?? 0) + 1);
    this.#past = sum(this.#past, figuresOf(client));
    add(this.#pastOf, client, ending === "stalled" ? 1 : 0);
  }

  /** Of clients that were let in. */
  accounts(connected: Iterable<Client>): Map<string, MqttAccountFigures> {
    const figures = new Map(this.#pastOf);
    for (const client of connected) add(figures, client, 0);
    return figures;
  }

  status(connected: Iterable<Client>): MqttStatus {
    const clients = [...connected].flatMap((client) => clientStatus(client) ?? []);
    return {
      clients,
      endings: Object.fromEntries(this.#endings),
      totals: { ...clients.reduce<MqttFigures>(sum, this.#past), connections: this.connections, accepted: this.accepted },
    };
  }
}

function add(figures: Map<string, MqttAccountFigures>, client: Client, slow: number): void {
  if (client.conversation === undefined) return;
  const { name } = client.conversation.session.account;
  const past = figures.get(name) ?? { ...NOTHING, slow: 0 };
  figures.set(name, { ...sum(past, figuresOf(client)), slow: past.slow + slow });
}

export function clientStatus(client: Client): MqttClientStatus | undefined {
  const { conversation } = client;
  if (conversation === undefined) return undefined;
  const { session } = conversation;
  return {
    clientId: session.clientId,
    user: session.user.name,
    address: client.address,
    since: client.sinceWall,
    subscriptions: session.subscriptions.size,
    owedAcks: conversation.owedAcks,
    inflight: session.deliveries.inflight,
    queued: session.deliveries.queued,
    ...figuresOf(client),
  };
}

function figuresOf({ bytesIn, bytesOut, conversation }: Client): MqttFigures {
  return {
    messagesIn: conversation?.inbound?.messages ?? 0,
    bytesIn,
    messagesOut: conversation?.wire.sent ?? 0,
    bytesOut,
    refused: conversation?.inbound?.dropped ?? 0,
    dropped: conversation?.dropped ?? 0,
  };
}

function sum(a: MqttFigures, b: MqttFigures): MqttFigures {
  return {
    messagesIn: a.messagesIn + b.messagesIn,
    bytesIn: a.bytesIn + b.bytesIn,
    messagesOut: a.messagesOut + b.messagesOut,
    bytesOut: a.bytesOut + b.bytesOut,
    refused: a.refused + b.refused,
    dropped: a.dropped + b.dropped,
  };
}
