// Which client ids are connected, and how many connections there may be.
//
//   accepted ─▶ silent (bounded: the oldest makes room) ─ CONNECT ─▶ logging in ─▶ registered (max_clients)
//
// A legitimate client is silent for one round trip only, so a flood of connections that say nothing pushes out itself. When a
// whole fleet comes back at once, all of it is accepted before the first byte is read: there must be room for that.

import type { User } from "#access/authenticator.ts";
import type { Client } from "./broker.ts";
import { CONNACK_ACCEPTED, CONNACK_IDENTIFIER_REJECTED, CONNACK_SERVER_UNAVAILABLE } from "./packet.ts";

/** Connections that have not sent a CONNECT yet: this many, or as many as there may be clients. */
const SILENT_MIN = 256;

interface Entry {
  readonly client: Client;
  readonly clientId: string;
  readonly user: User;
}

export class ClientTable {
  readonly #clientsMax: number;
  readonly #silentMax: number;
  /** In order of arrival. */
  readonly #silent = new Set<Client>();
  readonly #byId = new Map<string, Entry>();
  readonly #byClient = new Map<Client, Entry>();

  constructor(clientsMax: number) {
    this.#clientsMax = clientsMax;
    this.#silentMax = Math.max(SILENT_MIN, clientsMax);
  }

  clients(): Iterable<Client> {
    return this.#byClient.keys();
  }

  onAccept(client: Client): void {
    if (this.#silent.size >= this.#silentMax) {
      const [oldest] = this.#silent;
      oldest?.end("silent", `${this.#silentMax} newer connections wait to send their CONNECT`);
    }
    this.#silent.add(client);
  }

  onConnect(client: Client): void {
    this.#silent.delete(client);
  }

  /** The newcomer takes over from an older connection with the same id [MQTT-3.1.4-2], unless that is somebody else's. */
  register(client: Client, clientId: string, user: User): { readonly returnCode: number; readonly words: string } {
    const older = this.#byId.get(clientId);
    if (older !== undefined && older.user.name !== user.name) {
      const words = `client id "${clientId}" is connected as another user; give each device an id of its own`;
      return { returnCode: CONNACK_IDENTIFIER_REJECTED, words };
    }
    if (older === undefined && this.#byId.size >= this.#clientsMax) {
      const words = `${this.#clientsMax} clients are connected already, which is what mqtt.max_clients allows`;
      return { returnCode: CONNACK_SERVER_UNAVAILABLE, words };
    }
    older?.client.end("taken-over", `the same client id connected again from ${client.address}`);
    const entry = { client, clientId, user };
    this.#byId.set(clientId, entry);
    this.#byClient.set(client, entry);
    return { returnCode: CONNACK_ACCEPTED, words: "" };
  }

  onEnd(client: Client): void {
    this.#silent.delete(client);
    const entry = this.#byClient.get(client);
    if (entry === undefined) return;
    this.#byClient.delete(client);
    if (this.#byId.get(entry.clientId) === entry) this.#byId.delete(entry.clientId);
  }
}
