// A bench for commands to a serial port: one port with a device of the mind, and somebody who sends commands and hears the replies.

import assert from "node:assert/strict";
import { createLog } from "#base/log.ts";
import { type Batch, flagsFor, headersOf, payloadOf, QOS_UNSTATED, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin, Sink } from "#core/sink.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { AccountRouter, type Door } from "#router/router.ts";
import { FakeClock } from "./fake-clock.ts";
import { type FakeDevice, FakeTty } from "./fake-tty.ts";
import { serialPort } from "./serial-options.ts";

/** Of the device. */
export const DEVICE = "/dev/ttyUSB0";

export interface HeardReply {
  readonly payload: string;
  readonly outcome: string | undefined;
}

/** A port that takes commands, and somebody who sends them and hears the replies. */
export class CommandBench implements Sink, AsyncDisposable {
  readonly clock = new FakeClock();
  readonly tty = new FakeTty();
  readonly log: string[] = [];
  readonly replies: HeardReply[] = [];
  readonly readings: string[] = [];
  readonly account = new AccountRouter("EDGE", { random: () => 0, bytes: (count) => Buffer.alloc(count) });
  isWallTrusted = true;
  device: FakeDevice;
  ingress!: SerialIngress;
  readonly #door: Door;
  readonly #unheard: string[] = [];

  private constructor() {
    this.device = this.tty.plug({ path: DEVICE });
    this.account.subscribe({ filter: "inbox.>", queue: null, sink: this, mayReceive: () => true });
    this.account.subscribe({ filter: "sensors.>", queue: null, sink: this, mayReceive: () => true });
    this.account.subscribe({ filter: "$JS.ACK.>", queue: null, sink: this, mayReceive: () => true });
    const origin: Origin = {
      kind: "nats",
      label: "somebody",
      mayPublish: () => true,
      onDenied: () => undefined,
      onSafe: () => undefined,
      onNoResponders: (batch, index) => this.#unheard.push(subjectOf(batch, index)),
      pause: () => undefined,
      resume: () => undefined,
    };
    this.#door = this.account.open(origin);
  }

  static async open(settings: Readonly<Record<string, unknown>> = {}, isPlugged = true): Promise<CommandBench> {
    const bench = new CommandBench();
    if (!isPlugged) bench.tty.unplug(DEVICE);
    const port = serialPort({
      name: "valve",
      match: { path: DEVICE },
      baud_rate: 9600,
      decode: { type: "text" },
      subject: "sensors.valve",
      write_subject: "cmd.{name}",
      signal_subject: "cmd.{name}.lines",
      silence_after: null,
      ...settings,
    });
    const env = {
      clock: bench.clock,
      tty: bench.tty,
      log: createLog(bench.clock, "info", (line) => bench.log.push(line.message)),
    };
    const deps = { account: bench.account, env, isWallTrusted: () => bench.isWallTrusted };
    bench.ingress = await openSerial([port], deps, AbortSignal.timeout(60_000));
    await bench.clock.pass(100);
    return bench;
  }

  /** `headers`: lines. */
  send(payload: string | Buffer, wanted: { headers?: readonly string[]; subject?: string; reply?: string } = {}): void {
    const { headers = [], subject = "cmd.valve", reply = "inbox.1" } = wanted;
    const builder = new BatchBuilder();
    builder.beginOwn();
    const block = headers.length === 0 ? "" : `NATS/1.0\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`;
    builder.add({
      subject,
      reply,
      headers: Buffer.from(block),
      payload: Buffer.from(payload),
      flags: flagsFor(QOS_UNSTATED, false, false),
    });
    this.#door.publish(builder);
  }

  /** The replies so far, as JSON where they are. */
  get answers(): readonly Readonly<Record<string, unknown>>[] {
    return this.replies.map(({ payload }) => JSON.parse(payload) as Record<string, unknown>);
  }

  get unheard(): readonly string[] {
    return this.#unheard;
  }

  deliver(batch: Batch, index: number): void {
    const payload = payloadOf(batch, index).toString();
    if (subjectOf(batch, index).startsWith("sensors.")) this.readings.push(payload);
    else {
      const found = /Petiole-Outcome: (\S+)/.exec(headersOf(batch, index).toString("latin1"));
      this.replies.push({ payload, outcome: found?.[1] });
    }
  }

  flush(): void {
    return;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ingress[Symbol.asyncDispose]();
    assert.equal(this.clock.pending, 0);
    assert.equal(this.tty.watchers, 0);
    assert.equal(this.account.subscriptions, 3, "the port's own subscriptions are gone");
  }
}
