// JetStream streams for `scripts/bench outbox`: made, and watched until they hold what they should.

import { connect, type NatsConnection } from "@nats-io/transport-node";

const LOOK_MS = 20;
const STUCK_MS = 30_000;
const ASK_MS = 5_000;

export interface Filling {
  readonly messages: number;
  /** Between the first look that showed any and the first that showed all. */
  readonly elapsedMs: number;
  /** Held already at that first look. */
  readonly atFirst: number;
}

export class BenchStream implements AsyncDisposable {
  readonly #nats: NatsConnection;
  readonly #name: string;

  static async open(port: number, login: { user: string; password: string }, config: { name: string }): Promise<BenchStream> {
    const nats = await connect({ servers: `127.0.0.1:${port}`, user: login.user, pass: login.password });
    const stream = new BenchStream(nats, config.name);
    await stream.#ask(`STREAM.CREATE.${config.name}`, { storage: "file", ...config });
    return stream;
  }

  private constructor(nats: NatsConnection, name: string) {
    this.#nats = nats;
    this.#name = name;
  }

  async count(): Promise<number> {
    const { state } = (await this.#ask(`STREAM.INFO.${this.#name}`, {})) as { state: { messages: number } };
    return state.messages;
  }

  /** Resolves once it holds so many; rejects when it stands still for long. */
  async fills(count: number, signal: AbortSignal): Promise<Filling> {
    let first: { readonly at: number; readonly count: number } | undefined;
    let last = { at: performance.now(), count: -1 };
    for (;;) {
      signal.throwIfAborted();
      const now = await this.count();
      const at = performance.now();
      if (now > 0) first ??= { at, count: now };
      if (now !== last.count) last = { at, count: now };
      if (first !== undefined && now >= count) return { messages: now, elapsedMs: at - first.at, atFirst: first.count };
      if (at - last.at > STUCK_MS) throw new Error(`stream ${this.#name} stands still at ${now} of ${count} messages`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nats.close();
  }

  async #ask(what: string, body: object): Promise<object> {
    const end = performance.now() + STUCK_MS;
    for (;;) {
      try {
        const answer = await this.#nats.request(`$JS.API.${what}`, JSON.stringify(body), { timeout: ASK_MS });
        const json = answer.json<{ error?: { description: string } }>();
        if (json.error !== undefined) throw new Error(`JetStream refused ${what}: ${json.error.description}`);
        return json;
      } catch (error) {
        if (!(error instanceof Error && error.name === "TimeoutError") || performance.now() > end) throw error;
      }
    }
  }
}
