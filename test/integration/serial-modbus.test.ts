// A bus of 20 units behind a real pty, through the whole serial part: noise, slow units, a dead one, one that garbles, commands.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { flagsFor, payloadOf, QOS_UNSTATED, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin } from "#core/sink.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { AccountRouter } from "#router/router.ts";
import { ModbusLine, type ModbusLineOptions } from "../support/modbus-line.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { serialPort } from "../support/serial-options.ts";
import { tempFolder } from "../support/temp-folder.ts";

const UNITS = Array.from({ length: 20 }, (_, i) => i + 1);
const DEAD = 13;
const BAUD = 115_200;

/** Two ends of a cable at `near` and `far`, until disposed. */
async function cable(near: string, far: string): Promise<SpawnedProcess> {
  const end = (link: string) => `pty,raw,echo=0,link=${link}`;
  const socat = await SpawnedProcess.start("socat", ["-d", "-d", end(near), end(far)]);
  await socat.says(/starting data transfer loop/);
  return socat;
}

class Bus implements AsyncDisposable {
  /** Values by subject, in their order. */
  readonly heard = new Map<string, string[]>();
  readonly line: ModbusLine;
  readonly #account: AccountRouter;
  readonly #ingress: SerialIngress;
  readonly #scope: AsyncDisposableStack;
  readonly #waiting = new Set<() => void>();

  static async open(wanted: Partial<ModbusLineOptions>, modbus: object): Promise<Bus> {
    await using scope = new AsyncDisposableStack();
    const folder = scope.use(await tempFolder("petiole-modbus"));
    const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
    scope.use(await cable(near, far));
    const line = scope.use(
      await ModbusLine.open(far, {
        baudRate: BAUD,
        units: UNITS.filter((unit) => unit !== DEAD),
        thinkMs: () => 1,
        noise: () => Buffer.alloc(0),
        ...wanted,
      }),
    );
    const account = new AccountRouter("EDGE", systemEntropy());
    const port = serialPort({
      name: "bus",
      match: { path: near },
      baud_rate: BAUD,
      silence_after: null,
      error_budget: null,
      write_subject: "cmd.bus",
      modbus: {
        units: UNITS.map((unit) => ({ unit, name: `u${unit}` })),
        polls: [{ name: "state", address: 0, count: 2, interval: "500ms", registers: [{ name: "a" }, { name: "b", offset: 1 }] }],
        timeout: "150ms",
        ...modbus,
      },
    });
    const env = { clock: systemClock(), tty: systemTty(), log: silentLog() };
    const ingress = scope.use(await openSerial([port], { account, env }, AbortSignal.timeout(10_000)));
    return new Bus(account, ingress, line, scope.move());
  }

  private constructor(account: AccountRouter, ingress: SerialIngress, line: ModbusLine, scope: AsyncDisposableStack) {
    this.#account = account;
    this.#ingress = ingress;
    this.line = line;
    this.#scope = scope;
    account.subscribe({
      filter: ">",
      queue: null,
      mayReceive: () => true,
      sink: {
        deliver: (batch, index) => {
          const subject = subjectOf(batch, index);
          const values = this.heard.get(subject) ?? [];
          values.push(payloadOf(batch, index).toString());
          this.heard.set(subject, values);
        },
        flush: () => {
          for (const wake of this.#waiting) wake();
        },
      },
    });
  }

  get status() {
    return this.#ingress.status()[0]!.modbus!;
  }

  count(unit: number): number {
    return this.heard.get(`sensors.bus.u${unit}.a`)?.length ?? 0;
  }

  async until(isDone: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => isDone() && resolve();
    const awake = setInterval(wake, 50); // the clock's timers do not keep a process alive
    this.#waiting.add(wake);
    wake();
    await promise;
    clearInterval(awake);
    this.#waiting.delete(wake);
  }

  /** A request, as a NATS client or the hub would send it. */
  async ask(command: object): Promise<{ readonly ok: boolean; readonly [key: string]: unknown }> {
    const reply = `answers.${Math.random().toString(36).slice(2)}`;
    const nothing = () => undefined;
    const origin: Origin = {
      kind: "nats",
      label: "test",
      mayPublish: () => true,
      onDenied: nothing,
      onSafe: nothing,
      pause: nothing,
      resume: nothing,
    };
    const door = this.#account.open(origin);
    const builder = new BatchBuilder();
    builder.beginOwn();
    const payload = Buffer.from(JSON.stringify(command));
    builder.add({ subject: "cmd.bus", reply, payload, flags: flagsFor(QOS_UNSTATED, false, false) });
    door.publish(builder);
    await this.until(() => this.heard.has(reply));
    door.close();
    return JSON.parse(this.heard.get(reply)![0]!) as { readonly ok: boolean };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }
}

const awake = { timeout: 30_000 };

test("20 units with noise and delays: every value is right, and a dead unit takes no round from the others", awake, async () => {
  const noise = (unit: number) => (unit % 3 === 0 ? Buffer.from([0xff, 0, unit, 3, 0x55]) : Buffer.alloc(0));
  await using bus = await Bus.open({ noise, thinkMs: (unit) => unit % 5 }, {});
  const alive = UNITS.filter((unit) => unit !== DEAD);
  await bus.until(() => alive.every((unit) => bus.count(unit) >= 7));
  for (const unit of alive) {
    assert.deepEqual(new Set(bus.heard.get(`sensors.bus.u${unit}.a`)), new Set([String(unit * 256)]));
    assert.deepEqual(new Set(bus.heard.get(`sensors.bus.u${unit}.b`)), new Set([String(unit * 256 + 1)]));
  }
  const { units } = bus.status;
  const dead = units.find(({ unit }) => unit === DEAD)!;
  assert.equal(dead.state, "silent");
  assert.match(dead.lastFault!, /does not answer/);
  const counts = alive.map((unit) => bus.count(unit));
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 2, `${counts}`);
  assert.ok(bus.status.strayBytes > 0);
});

test("answers that are damaged or swallowed now and then are asked for again, and never taken", awake, async () => {
  let answers = 0;
  const spoil = (answer: Buffer) => {
    answers += 1;
    if (answers % 7 === 0) return undefined;
    if (answers % 5 === 0) answer[3]! ^= 0x40;
    return answer;
  };
  await using bus = await Bus.open({ spoil, units: UNITS }, { retries: 5, slow_down: "1s", timeout: "100ms" });
  await bus.until(() => UNITS.every((unit) => bus.count(unit) >= 3));
  for (const unit of UNITS) assert.deepEqual(new Set(bus.heard.get(`sensors.bus.u${unit}.a`)), new Set([String(unit * 256)]));
  assert.ok(bus.status.units.some(({ failures }) => failures > 0));
});

test("commands are carried out between the polls and answered with the outcome", awake, async () => {
  await using bus = await Bus.open({ hasEcho: true }, {});
  await bus.until(() => bus.count(1) > 0);
  assert.equal(bus.status.hasEcho, true);
  const done = await bus.ask({ unit: "u7", function: 6, address: 1, value: 4711 });
  assert.equal(done.ok, true, JSON.stringify(done));
  assert.equal(bus.line.units.register(7, 1), 4711);
  await bus.until(() => bus.heard.get("sensors.bus.u7.b")?.at(-1) === "4711");
  const read = await bus.ask({ unit: 7, function: 3, address: 1, count: 2 });
  assert.deepEqual(read["values"], [4711, 7 * 256 + 2]);
  const refused = await bus.ask({ unit: 7, function: 6, address: 999, value: 1 });
  assert.equal(refused.ok, false);
  assert.match(JSON.stringify(refused), /illegal_data_address/);
  const silent = await bus.ask({ unit: DEAD, function: 6, address: 0, value: 1 });
  assert.equal(silent.ok, false);
  assert.match(JSON.stringify(silent), /SERIAL_MODBUS_NO_ANSWER/);
});
