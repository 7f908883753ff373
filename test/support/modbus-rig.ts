// A Modbus bus of the mind: a master on a fake clock and a fake wire, and its units.

import assert from "node:assert/strict";
import type { Log } from "#base/log.ts";
import { type Batch, flagsOf, headersOf, payloadOf, subjectOf } from "#core/batch.ts";
import type { Outcome } from "#ingress/serial/command.ts";
import { ModbusMaster } from "#ingress/serial/modbus/master.ts";
import type { ModbusOptions, ModbusPollOptions, ModbusRegisterOptions } from "#ingress/serial/modbus/options.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeWire } from "./fake-wire.ts";
import { ModbusUnits } from "./modbus-units.ts";

const PORT = { name: "bus", baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 } as const;

export function register(wanted: Partial<ModbusRegisterOptions> = {}): ModbusRegisterOptions {
  return {
    name: "level",
    offset: 0,
    type: "u16",
    words: "big",
    bytes: "big",
    bit: null,
    length: 1,
    scale: 1,
    add: 0,
    unit: null,
    ...wanted,
  };
}

export function poll(wanted: Partial<ModbusPollOptions> = {}): ModbusPollOptions {
  return {
    name: "state",
    units: null,
    table: "holding",
    address: 0,
    count: 2,
    interval: 1000,
    registers: [register()],
    ...wanted,
  };
}

export function busOptions(units: readonly number[], wanted: Partial<ModbusOptions> = {}): ModbusOptions {
  return {
    units: units.map((unit) => ({ unit, name: `u${unit}` })),
    polls: [poll()],
    subject: "sensors.{name}.{unit}.{field}",
    unitsIn: "headers",
    timeout: 500,
    retries: 1,
    slowDown: 60_000,
    gap: 0,
    echo: "off",
    ...wanted,
  };
}

export class ModbusRig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly wire = new FakeWire();
  readonly units: ModbusUnits;
  readonly messages: string[] = [];
  readonly headers: string[] = [];
  readonly said: string[] = [];
  readonly flags = new Set<number>();
  readonly master: ModbusMaster;
  /** What stands for the line: how a unit's answer gets to us, if it does. */
  answer: (unit: number, bytes: Buffer) => void = (_unit, bytes) => this.wire.say(bytes);
  hasEcho = false;

  constructor(settings: ModbusOptions, there: readonly number[] = settings.units.map(({ unit }) => unit)) {
    this.units = new ModbusUnits(there);
    this.wire.onWrite = (bytes) => {
      if (this.hasEcho) this.wire.say(bytes);
      for (const { unit, bytes: answer } of this.units.hear(bytes)) this.answer(unit, answer);
    };
    const say = (message: string) => void this.said.push(message);
    const log: Log = { debug: say, info: say, warn: say, error: say, part: () => log };
    this.master = new ModbusMaster(PORT, settings, {
      wire: this.wire,
      clock: this.clock,
      log,
      publish: (batch) => this.#take(batch),
    });
    this.master.start();
  }

  async command(command: unknown, wait = 5000): Promise<Outcome> {
    const payload = Buffer.from(JSON.stringify(command));
    const deadline = this.clock.now() + 30_000;
    const outcome = this.master.execute({ payload, deadline, signal: new AbortController().signal });
    await this.clock.pass(wait);
    return await outcome;
  }

  unit(unit: number) {
    return this.master.status().units.find((each) => each.unit === unit)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.master[Symbol.asyncDispose]();
    assert.equal(this.clock.pending, 0, "a timer was left behind");
    assert.equal(this.wire.listeners, 0, "a listener was left behind");
  }

  #take(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      this.messages.push(`${subjectOf(batch, i)} ${payloadOf(batch, i)}`);
      this.headers.push(headersOf(batch, i).toString());
      this.flags.add(flagsOf(batch, i));
    }
  }
}
