// Which connections there are, and how many there may be.
//
//   accepted ─▶ silent (bounded: the oldest makes room) ─ CONNECT ─▶ logging in ─▶ registered (max_clients)
//
// A legitimate client is silent for one round trip only, so a flood of connections that say nothing pushes out itself. When a
// whole fleet comes back at once, all of it is accepted before the first byte is read: there must be room for that.

import type { Client } from "./broker.ts";

/** Connections that have not sent a CONNECT yet: this many, or as many as there may be clients. */
const SILENT_MIN = 256;

export class ClientTable {
  /** Most there were at the same time. */
  maximum = 0;
  readonly #clientsMax: number;
  readonly #silentMax: number;
  /** In order of arrival. */
  readonly #silent = new Set<Client>();
  readonly #byId = new Map<string, Client>();
  readonly #clients = new Map<Client, string>();

  constructor(clientsMax: number) {
    this.#clientsMax = clientsMax;
    this.#silentMax = Math.max(SILENT_MIN, clientsMax);
  }

  clients(): Iterable<Client> {
    return this.#clients.keys();
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Who is connected under this id. */
  find(clientId: string): Client | undefined {
    return this.#byId.get(clientId);
  }

  hasRoomFor(clientId: string): boolean {
    return this.#byId.has(clientId) || this.#byId.size < this.#clientsMax;
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

  /** An older connection with this id has ended by now. */
  add(client: Client, clientId: string): void {
    this.#byId.set(clientId, client);
    this.#clients.set(client, clientId);
    this.maximum = Math.max(this.maximum, this.#clients.size);
  }

  onEnd(client: Client): void {
    this.#silent.delete(client);
    const clientId = this.#clients.get(client);
    if (clientId === undefined) return;
    this.#clients.delete(client);
    if (this.#byId.get(clientId) === client) this.#byId.delete(clientId);
  }
}
