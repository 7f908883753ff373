// Local clients as the page shows them: MQTT sessions, those whose client is away included, and NATS clients. Gathered when asked.

import { type Clock, type Millis, timestamp } from "#base/clock.ts";
import type { MqttSessionStatus } from "#ingress/mqtt/client-status.ts";
import type { MqttIngress } from "#ingress/mqtt/mqtt-ingress.ts";
import type { NatsClientStatus } from "#ingress/nats/client-status.ts";
import type { NatsIngress } from "#ingress/nats/nats-ingress.ts";
import type { ClientsDesk, ClientsView, MqttClientView, NatsClientView } from "#web/server/desks.ts";

/** Rates are over at least this long, and over no more than that. */
const RATE_OVER_MS: Millis = 2_000;
const RATE_FORGOTTEN_MS: Millis = 60_000;

/** The doors as they are now: settings may open others. */
export interface ClientDoors {
  readonly mqtt: Pick<MqttIngress, "sessionStatus" | "evict"> | null;
  readonly nats: Pick<NatsIngress, "clients"> | null;
}

export function createClientsDesk(doors: ClientDoors, clock: Clock): ClientsDesk {
  const rates = new Rates(clock);
  return {
    list(max): ClientsView {
      const sessions = [...(doors.mqtt?.sessionStatus() ?? [])].sort(connectedFirst);
      const nats = doors.nats?.clients() ?? [];
      const shown = sessions.slice(0, max);
      rates.look(shown);
      return {
        mqtt: shown.map((session) => mqttView(session, rates, clock)),
        nats: nats.slice(0, max).map((client) => natsView(client, clock)),
        more: { mqtt: sessions.length - shown.length, nats: Math.max(0, nats.length - max) },
      };
    },
    endMqtt: (clientId, forgets) => doors.mqtt?.evict(clientId, forgets, "somebody ended it on the page") ?? false,
  };
}

function connectedFirst(a: MqttSessionStatus, b: MqttSessionStatus): number {
  return Number(b.connection !== null) - Number(a.connection !== null);
}

function mqttView(session: MqttSessionStatus, rates: Rates, clock: Clock): MqttClientView {
  const { connection } = session;
  return {
    client_id: session.clientId,
    connected: connection !== null,
    user: session.user,
    account: session.account,
    address: connection?.address ?? null,
    version: connection?.version ?? null,
    since: connection === null ? null : timestamp(connection.since),
    last_seen: connection === null ? null : timestamp(clock.wall() - connection.idle),
    messages_in: connection?.messagesIn ?? 0,
    messages_out: connection?.messagesOut ?? 0,
    rate_in: connection === null ? null : rates.of(connection.number),
    inflight: session.inflight,
    queue: session.queued,
    queue_bytes: session.queuedBytes,
    session_kept: session.isKept,
    subscriptions: session.subscriptions,
    tls: connection !== null && connection.tls !== null,
  };
}

function natsView(client: NatsClientStatus, clock: Clock): NatsClientView {
  const [lang = "", version = ""] = client.library.split(" ");
  return {
    cid: client.number,
    name: client.name,
    user: client.user,
    account: client.account,
    address: client.address,
    lang,
    version,
    since: timestamp(client.since),
    last_seen: timestamp(clock.wall() - client.idle),
    subscriptions: client.subscriptions,
    pending_bytes: client.pendingBytes,
    messages_in: client.messagesIn,
    messages_out: client.messagesOut,
    rtt_ms: client.rtt,
    tls: client.tls !== null,
  };
}

interface Seen {
  readonly at: Millis;
  readonly counts: ReadonlyMap<number, number>;
}

/** Messages per second between two looks, by connection. Holds no more than was shown. */
class Rates {
  readonly #clock: Clock;
  #seen: Seen | undefined;
  #rates: ReadonlyMap<number, number> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  look(sessions: readonly MqttSessionStatus[]): void {
    const at = this.#clock.now();
    const past = at - (this.#seen?.at ?? Number.NEGATIVE_INFINITY);
    if (past < RATE_OVER_MS) return;
    const counts = new Map(sessions.flatMap(({ connection: c }) => (c === null ? [] : [[c.number, c.messagesIn] as const])));
    const before = past > RATE_FORGOTTEN_MS ? undefined : this.#seen?.counts;
    this.#rates = new Map(
      [...counts].flatMap(([number, count]) => {
        const old = before?.get(number);
        return old === undefined ? [] : [[number, Math.round(((count - old) / past) * 10_000) / 10] as const];
      }),
    );
    this.#seen = { at, counts };
  }

  of(number: number): number | null {
    return this.#rates.get(number) ?? null;
  }
}
