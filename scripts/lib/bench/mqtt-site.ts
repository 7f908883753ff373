// Publishers and subscribers at one broker, and what they do there.
//
//   saturate   a closed loop: no more than FLIGHT messages are published and not delivered yet, so that nobody has to drop any;
//              at QoS 1 and 2 no more than `inflight` of a publisher are unacknowledged besides
//   pace       so many messages a second, each with the time at which it was sent

import { BenchClient, type Block, publishBlock, type Qos } from "./mqtt-bench-client.ts";

/** Published and not delivered to everybody yet, at most. */
const FLIGHT = 1_000;
const BLOCK_PACKETS = 1_000;
/** In one write of one publisher, at most. */
const WRITE_PACKETS = 250;
/** So long without anything arriving, and the rest counts as lost. */
const STALL_MS = 1_500;
const TICK_MS = 1;

export interface SiteOptions {
  readonly port: number;
  readonly qos: Qos;
  readonly publishers: number;
  readonly subscribers: number;
  /** Unacknowledged messages of one publisher. */
  readonly inflight: number;
}

export interface RunFigures {
  readonly elapsedMs: number;
  readonly published: number;
  readonly delivered: number;
}

interface Publisher {
  readonly benchClient: BenchClient;
  readonly block: Block;
  sent: number;
  acked: number;
}

export class MqttSite implements Disposable {
  readonly #options: SiteOptions;
  readonly #publishers: Publisher[] = [];
  readonly #subscribers: BenchClient[] = [];
  #delivered = 0;
  #published = 0;
  #wanted = 0;
  #turn = 0;
  /** Where latencies go while somebody wants them. */
  #times: Float64Array | undefined;
  #onChange: () => void = () => undefined;

  static async open(options: SiteOptions): Promise<MqttSite> {
    const site = new MqttSite(options);
    try {
      await site.#connect();
      return site;
    } catch (error) {
      site[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(options: SiteOptions) {
    this.#options = options;
  }

  async saturate(count: number): Promise<RunFigures> {
    this.#begin(count);
    const from = performance.now();
    this.#pump();
    const doneAt = await this.#done();
    return { elapsedMs: doneAt - from, published: this.#published, delivered: this.#delivered };
  }

  /** Milliseconds from publishing to arriving, of every delivery, ascending. */
  async pace(rate: number, seconds: number): Promise<Float64Array> {
    const count = Math.ceil(rate * seconds);
    this.#begin(count);
    this.#times = new Float64Array(count * this.#options.subscribers);
    const from = performance.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setInterval(() => {
      const due = Math.min(count, Math.floor(((performance.now() - from) * rate) / 1000));
      while (this.#published < due) this.#send(this.#next(), 1);
      if (this.#published === count) resolve();
    }, TICK_MS);
    await promise;
    clearInterval(timer);
    await this.#done();
    const times = this.#times.subarray(0, this.#delivered).sort();
    this.#times = undefined;
    return times;
  }

  [Symbol.dispose](): void {
    for (const { benchClient } of this.#publishers) benchClient[Symbol.dispose]();
    for (const subscriber of this.#subscribers) subscriber[Symbol.dispose]();
  }

  async #connect(): Promise<void> {
    const { port, qos, publishers, subscribers, inflight } = this.#options;
    const place = `${process.pid}-${Math.round(performance.now())}`;
    const onChunk = () => {
      this.#pump();
      this.#onChange();
    };
    for (let i = 0; i < subscribers; i++) {
      const onMessage = (bytes: Buffer, at: number) => this.#onMessage(bytes, at);
      const subscriber = await BenchClient.open(port, `s${i}-${place}`, { onMessage, onAcked: () => undefined, onChunk });
      this.#subscribers.push(subscriber);
      await subscriber.subscribe("bench/#", qos);
    }
    for (let i = 0; i < publishers; i++) {
      const block = publishBlock(`bench/device-${String(i).padStart(3, "0")}`, qos, qos === 0 ? BLOCK_PACKETS : 2 * inflight);
      const onAcked = () => void (publisher.acked += 1);
      const benchClient = await BenchClient.open(port, `p${i}-${place}`, { onMessage: () => undefined, onAcked, onChunk });
      const publisher: Publisher = { benchClient, block, sent: 0, acked: 0 };
      this.#publishers.push(publisher);
    }
  }

  #begin(count: number): void {
    this.#delivered = 0;
    this.#published = 0;
    this.#wanted = count;
  }

  /** Every publisher in turn sends what it may. */
  #pump(): void {
    if (this.#times !== undefined) return;
    for (let tried = 0; tried < this.#publishers.length; tried++) {
      const flight = this.#published - Math.floor(this.#delivered / this.#options.subscribers);
      const room = Math.min(FLIGHT - flight, this.#wanted - this.#published);
      if (room <= 0) return;
      const publisher = this.#next();
      const share = Math.max(1, Math.floor(FLIGHT / 2 / this.#publishers.length));
      const may = Math.min(room, share, WRITE_PACKETS, this.#windowOf(publisher));
      if (may > 0) this.#send(publisher, may);
    }
  }

  #next(): Publisher {
    this.#turn = (this.#turn + 1) % this.#publishers.length;
    return this.#publishers[this.#turn]!;
  }

  #windowOf({ sent, acked }: Publisher): number {
    return this.#options.qos === 0 ? Number.POSITIVE_INFINITY : this.#options.inflight - (sent - acked);
  }

  #send(publisher: Publisher, count: number): void {
    const { benchClient, block } = publisher;
    const { bytes, packetBytes, payloadAt } = block;
    const packets = bytes.length / packetBytes;
    const first = publisher.sent % packets;
    const now = Math.min(count, packets - first);
    if (this.#times !== undefined) bytes.writeDoubleLE(performance.now(), first * packetBytes + payloadAt);
    const slice = bytes.subarray(first * packetBytes, (first + now) * packetBytes);
    benchClient.write(this.#times === undefined ? slice : Buffer.from(slice));
    publisher.sent += now;
    this.#published += now;
    if (now < count) this.#send(publisher, count - now);
  }

  #onMessage(bytes: Buffer, at: number): void {
    if (this.#times !== undefined && this.#delivered < this.#times.length)
      this.#times[this.#delivered] = performance.now() - bytes.readDoubleLE(at);
    this.#delivered += 1;
  }

  /** When all was delivered and acknowledged, or when nothing came any more. */
  async #done(): Promise<number> {
    const expected = this.#wanted * this.#options.subscribers;
    const { promise, resolve } = Promise.withResolvers<number>();
    let lastAt = performance.now();
    const isOver = () =>
      this.#published === this.#wanted &&
      this.#delivered >= expected &&
      (this.#options.qos === 0 || this.#publishers.every(({ sent, acked }) => sent === acked));
    const look = () => {
      lastAt = performance.now();
      if (isOver()) resolve(lastAt);
    };
    this.#onChange = look;
    const timer = setInterval(() => {
      if (performance.now() - lastAt > STALL_MS) resolve(lastAt);
    }, 100);
    if (isOver()) resolve(lastAt);
    try {
      return await promise;
    } finally {
      clearInterval(timer);
      this.#onChange = () => undefined;
    }
  }
}
