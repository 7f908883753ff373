// A leaf connection on a stream that does what a test says: takes its time to write, answers PINGs, or never does.

import { Duplex } from "node:stream";
import { payloadOf } from "#core/batch.ts";
import { type ConnectionEvents, LeafConnection } from "#uplink/connection.ts";
import { FakeClock, turn } from "./fake-clock.ts";

/** A socket whose writes end when the test says so. */
export class SlowStream extends Duplex {
  readonly writes: Buffer[] = [];
  isTaking = true;
  onWrite: (bytes: Buffer) => void = () => undefined;
  #pending: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1024, autoDestroy: true });
  }

  override _read(): void {
    // says what the test pushes
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(Buffer.from(bytes));
    this.onWrite(bytes);
    if (this.isTaking) done();
    else this.#pending = done;
  }

  /** Takes what it has been given, and from now on at once. */
  takesAll(): void {
    this.isTaking = true;
    this.#pending?.();
    this.#pending = undefined;
  }

  says(text: string | Buffer): void {
    this.push(text);
  }

  get text(): string {
    return Buffer.concat(this.writes).toString("latin1");
  }
}

export interface Bench {
  readonly clock: FakeClock;
  readonly stream: SlowStream;
  readonly heard: string[];
  readonly connection: LeafConnection;
}

export function bench(options: { readonly flushDelay?: number; readonly on?: Partial<ConnectionEvents> } = {}): Bench {
  const clock = new FakeClock();
  const stream = new SlowStream();
  const heard: string[] = [];
  const connection: LeafConnection = new LeafConnection(stream, { hub: "hub", flushDelay: options.flushDelay ?? 0 }, clock, {
    onBatch: (batch) => {
      for (let i = 0; i < batch.count; i++) heard.push(`msg ${payloadOf(batch, i).toString()}`);
    },
    onInterest: (filter) => void heard.push(`ls+ ${filter}`),
    onInterestGone: (filter) => void heard.push(`ls- ${filter}`),
    onInfo: (json) => void heard.push(`info ${json}`),
    onError: (text) => void heard.push(`-err ${text}`),
    onReceipt: () => void heard.push("receipt"),
    onRoundTrip: (rtt) => void heard.push(`rtt ${rtt}`),
    onRoom: () => void heard.push("room"),
    onEnded: (error) => void heard.push(`ended ${"code" in error ? error.code : error.message}`),
    ...options.on,
  });
  return { clock, stream, heard, connection };
}

/** The same, behind the introduction: our first PING is answered. */
export async function introduced(options: Parameters<typeof bench>[0] = {}): Promise<Bench> {
  const made = bench(options);
  made.connection.ping();
  await turn();
  made.clock.advance(20);
  made.stream.says("PONG\r\n");
  await turn();
  made.heard.length = made.stream.writes.length = 0;
  return made;
}

export function fill({ connection }: Bench, bytes: number): void {
  connection.out.text("x".repeat(bytes));
}

export const countOf = (text: string, word: string) => text.split(word).length - 1;
