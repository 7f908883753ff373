// The leaf port of a hub, in memory: introduces itself, answers CONNECT, says what it wants to hear, answers PINGs in order, and
// writes down every message with the instant it came. It can be stopped and started again, change what it wants, fall silent.
// For simulations on a ShapedNet or a net like it; no TLS, no permissions. Streams: memory-hub-streams.ts.

import type { Clock, Millis } from "#base/clock.ts";
import type { ByteStream, Listener, Net } from "#base/net.ts";
import { headersOf, payloadOf, replyOf, subjectOf } from "#core/batch.ts";
import { subjectMatches } from "#core/subject.ts";
import { LeafParser } from "#wire/leaf-parser.ts";

export interface Arrival {
  readonly subject: string;
  readonly reply: string;
  /** The whole header block as text; "" without. */
  readonly headers: string;
  readonly payload: Buffer;
  readonly at: Millis;
}

export interface MemoryHubOptions {
  readonly port?: number;
  /** Filters it wants to hear; default: everything. */
  readonly interest?: readonly string[];
  /** Laid over its INFO: `max_payload`, `compression`, `leafnode_urls` … */
  readonly info?: Readonly<Record<string, unknown>>;
  /** Called with each message instead of keeping it in `arrivals`. */
  readonly onMessage?: (arrival: Arrival) => void;
}

const LF = 10;

export class MemoryHub implements AsyncDisposable {
  readonly arrivals: Arrival[] = [];
  /** What the spoke has announced and not withdrawn on its latest connection: filters, or `filter queue`. */
  readonly interest = new Set<string>();
  /** Every CONNECT it was sent. */
  readonly connects: Readonly<Record<string, unknown>>[] = [];
  pings = 0;
  /** Reads on, and neither answers PINGs nor says anything else. */
  isSilent = false;
  readonly #net: Pick<Net, "listen">;
  readonly #clock: Clock;
  readonly #options: MemoryHubOptions;
  readonly #wants: Set<string>;
  readonly #streams = new Set<ByteStream>();
  #listener: Listener | undefined;
  #port: number;
  #latest: ByteStream | undefined;

  static async listen(net: Pick<Net, "listen">, clock: Clock, options: MemoryHubOptions = {}): Promise<MemoryHub> {
    const hub = new MemoryHub(net, clock, options);
    await hub.start();
    return hub;
  }

  private constructor(net: Pick<Net, "listen">, clock: Clock, options: MemoryHubOptions) {
    this.#net = net;
    this.#clock = clock;
    this.#options = options;
    this.#port = options.port ?? 0;
    this.#wants = new Set(options.interest ?? [">"]);
  }

  /** Listens, again after a `stop`: on the port it had. */
  async start(): Promise<void> {
    this.#listener = await this.#net.listen({ host: "127.0.0.1", port: this.#port }, (stream) => this.#accept(stream));
    this.#port = this.#listener.endpoint.port;
  }

  /** Gone without a word, as a process that was killed. */
  async stop(): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
    for (const stream of this.#streams) stream.destroy();
    this.interest.clear();
  }

  get url(): string {
    return `nats-leaf://127.0.0.1:${this.#port}`;
  }

  /** It wants to hear what matches `filter` from now on, over restarts and new links. */
  want(filter: string): void {
    if (this.#wants.has(filter)) return;
    this.#wants.add(filter);
    this.says(`LS+ ${filter}`);
  }

  wantNoMore(filter: string): void {
    if (this.#wants.delete(filter)) this.says(`LS- ${filter}`);
  }

  wants(filter: string): boolean {
    return this.#wants.has(filter);
  }

  /** To the spoke, if it has announced that it wants `subject`, and is there. `headers`: a whole block, `reply`: as it stands in the line. */
  sends(subject: string, message: { readonly reply?: string; readonly headers?: string; readonly payload: string }): void {
    if (![...this.interest].some((filter) => subjectMatches(filter.split(" ")[0]!, subject))) return;
    const { reply = "", headers = "", payload } = message;
    const address = reply === "" ? subject : `${subject} ${reply}`;
    const size = Buffer.byteLength(headers) + Buffer.byteLength(payload);
    const line = headers === "" ? `LMSG ${address} ${size}` : `HMSG ${address} ${Buffer.byteLength(headers)} ${size}`;
    this.says(`${line}\r\n${headers}${payload}`);
  }

  /** To the spoke on the latest connection. */
  publishes(subject: string, payload: string): void {
    this.says(`LMSG ${subject} ${Buffer.byteLength(payload)}\r\n${payload}`);
  }

  /** One raw line on the latest connection; CRLF is added. */
  says(line: string): void {
    if (!this.isSilent && this.#latest?.destroyed === false) this.#latest.write(`${line}\r\n`);
  }

  /** Closes every connection, politely. */
  endsAll(): void {
    for (const stream of this.#streams) stream.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #accept(stream: ByteStream): void {
    this.#streams.add(stream);
    this.#latest = stream;
    this.interest.clear();
    const say = (line: string) => {
      if (!this.isSilent && !stream.destroyed) stream.write(`${line}\r\n`);
    };
    const parser = this.#parser(say);
    let early: Buffer | undefined = Buffer.alloc(0); // bytes before the end of the CONNECT line, which the leaf grammar does not know
    stream.on("error", () => stream.destroy()).on("close", () => this.#streams.delete(stream));
    stream.on("data", (chunk: Buffer) => {
      if (early === undefined) {
        parser.parse(chunk);
        return;
      }
      early = Buffer.concat([early, chunk]);
      const end = early.indexOf(LF);
      if (end < 0) return;
      const rest = early.subarray(end + 1);
      this.connects.push(JSON.parse(early.subarray("CONNECT ".length, end).toString()));
      early = undefined;
      say(this.#info({ connect_info: true, remote_account: "APP" }));
      for (const filter of ["$LDS.memory", ...this.#wants]) say(`LS+ ${filter}`);
      if (rest.length > 0) parser.parse(rest);
    });
    say(this.#info({ nonce: "bm9uY2U" }));
  }

  #info(more: Readonly<Record<string, unknown>>): string {
    const known = { server_id: "NMEMORY", server_name: "memory", version: "2.15.1", proto: 3, client_id: 1 };
    const urls = { headers: true, max_payload: 1048576, info_on_connect: true, leafnode_urls: [`127.0.0.1:${this.#port}`] };
    return `INFO ${JSON.stringify({ ...known, ...urls, ...more, ...this.#options.info })} `;
  }

  #parser(say: (line: string) => void): LeafParser {
    const keep = this.#options.onMessage ?? ((arrival: Arrival) => void this.arrivals.push(arrival));
    return new LeafParser({
      onBatch: (batch) => {
        const at = this.#clock.now();
        for (let i = 0; i < batch.count; i++) {
          const headers = headersOf(batch, i).toString("latin1");
          keep({
            subject: subjectOf(batch, i),
            reply: replyOf(batch, i),
            headers,
            payload: Buffer.from(payloadOf(batch, i)),
            at,
          });
        }
      },
      onInterest: (filter, queue) => void this.interest.add(queue === null ? filter : `${filter} ${queue}`),
      onInterestGone: (filter, queue) => void this.interest.delete(queue === null ? filter : `${filter} ${queue}`),
      onPing: () => {
        this.pings += 1;
        say("PONG");
      },
      onPong: () => undefined,
      onInfo: () => undefined,
      onError: () => undefined,
    });
  }
}
