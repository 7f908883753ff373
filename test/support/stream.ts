// A JetStream stream at the hub, by plain requests: what it holds is what was delivered, doubles dropped by message id.

import type { NatsConnection } from "@nats-io/transport-node";

const ANSWER_WITHIN_MS = 20_000;
/** "No suitable peers" and "temporarily unavailable": a cluster that has just found together says so for a moment. */
const SETTLING: ReadonlySet<number> = new Set([10005, 10008]);

interface StreamState {
  readonly messages: number;
  readonly last_seq: number;
}

export class HubStream {
  readonly #nats: NatsConnection;
  readonly #name: string;

  /** `more`: laid over the stream's configuration. */
  static async create(
    nats: NatsConnection,
    name: string,
    subjects: readonly string[],
    replicas = 1,
    more: object = {},
  ): Promise<HubStream> {
    const stream = new HubStream(nats, name);
    const config = { name, subjects, num_replicas: replicas, retention: "limits", storage: "file", allow_direct: true, ...more };
    await stream.#ask(`STREAM.CREATE.${name}`, config);
    return stream;
  }

  private constructor(nats: NatsConnection, name: string) {
    this.#nats = nats;
    this.#name = name;
  }

  /** Resolves once it holds `count` messages; rejects if it does not get there. */
  async holds(count: number, withinMs = 20_000): Promise<void> {
    const end = performance.now() + withinMs;
    for (;;) {
      const { messages } = await this.#state();
      if (messages >= count) return;
      if (performance.now() > end)
        throw new Error(`stream ${this.#name} holds ${messages} messages after ${withinMs} ms, wanted ${count}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Messages it holds now. */
  async count(): Promise<number> {
    return (await this.#state()).messages;
  }

  async update(more: object): Promise<void> {
    const { config } = (await this.#ask(`STREAM.INFO.${this.#name}`, {})) as { config: object };
    await this.#ask(`STREAM.UPDATE.${this.#name}`, { ...config, ...more });
  }

  async purge(): Promise<void> {
    await this.#ask(`STREAM.PURGE.${this.#name}`, {});
  }

  /** Every payload, in the stream's order. */
  async payloads(): Promise<string[]> {
    const { last_seq: last } = await this.#state();
    const payloads: string[] = [];
    for (let seq = 1; seq <= last; seq += 200) {
      const asks = Array.from({ length: Math.min(200, last - seq + 1) }, (_, i) =>
        this.#ask(`STREAM.MSG.GET.${this.#name}`, { seq: seq + i }),
      );
      for (const answer of await Promise.all(asks)) {
        const { message } = answer as { message: { data?: string } };
        payloads.push(Buffer.from(message.data ?? "", "base64").toString());
      }
    }
    return payloads;
  }

  async #state(): Promise<StreamState> {
    const { state } = (await this.#ask(`STREAM.INFO.${this.#name}`, {})) as { state: StreamState };
    return state;
  }

  /** Asked again while nobody answers: a cluster that elects a leader is silent. Every request here may be repeated. */
  async #ask(what: string, body: object): Promise<Record<string, unknown>> {
    const end = performance.now() + ANSWER_WITHIN_MS;
    for (;;) {
      try {
        const answer = await this.#nats.request(`$JS.API.${what}`, JSON.stringify(body), { timeout: 1_000 });
        const json = answer.json<Record<string, unknown> & { error?: { err_code: number } }>();
        if (json.error === undefined) return json;
        const isSettling = SETTLING.has(json.error.err_code) && performance.now() < end;
        if (!isSettling) throw new Error(`JetStream refused ${what}: ${JSON.stringify(json.error)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      } catch (error) {
        if (!(error instanceof Error && error.name === "TimeoutError") || performance.now() > end) throw error;
      }
    }
  }
}
