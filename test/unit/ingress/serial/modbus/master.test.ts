// The master on a fake clock and a fake wire: noise, echoes, late answers, dead units, commands.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "#base/log.ts";
import { type Batch, flagsOf, headersOf, payloadOf, subjectOf } from "#core/batch.ts";
import type { Outcome } from "#ingress/serial/command.ts";
import { ModbusMaster } from "#ingress/serial/modbus/master.ts";
import type { ModbusOptions, ModbusPollOptions, ModbusRegisterOptions } from "#ingress/serial/modbus/options.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { FakeWire } from "../../../../support/fake-wire.ts";
import { ModbusUnits, withCrc } from "../../../../support/modbus-units.ts";

const QUICK = { timeout: 10_000 };
const PORT = { name: "bus", baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 } as const;

function register(wanted: Partial<ModbusRegisterOptions> = {}): ModbusRegisterOptions {
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

function poll(wanted: Partial<ModbusPollOptions> = {}): ModbusPollOptions {
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

function options(units: readonly number[], wanted: Partial<ModbusOptions> = {}): ModbusOptions {
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

class Rig implements AsyncDisposable {
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

test("every unit is asked in its interval and its values become messages, durable, with their units told", QUICK, async () => {
  const registers = [register({ unit: "m" }), register({ name: "flow.max", offset: 1, scale: 0.1, add: -1 })];
  await using rig = new Rig(options([1, 2], { polls: [poll({ registers })] }));
  await rig.clock.pass(2500);
  const round = [
    "sensors.bus.u1.level 256",
    "sensors.bus.u1.flow%2Emax 24.7",
    "sensors.bus.u2.level 512",
    "sensors.bus.u2.flow%2Emax 50.3",
  ];
  assert.deepEqual(rig.messages, [...round, ...round, ...round]);
  assert.equal(rig.headers[0], "NATS/1.0\r\nPetiole-Unit: m\r\n\r\n");
  assert.equal(rig.headers[1], "NATS/1.0\r\nPetiole-Scale: 0.1\r\nPetiole-Add: -1\r\n\r\n");
  assert.deepEqual([...rig.flags], [1 | (3 << 2)]);
  assert.equal(rig.unit(1).state, "answers");
});

test("without {field} a poll's answer is one JSON object", QUICK, async () => {
  const registers = [register({ unit: "m" }), register({ name: "b", offset: 1, type: "bit", bit: 0 })];
  const polls = [poll({ registers })];
  await using rig = new Rig(options([1], { polls, subject: "s.{unit}.{poll}", unitsIn: "members" }));
  await rig.clock.pass(10);
  assert.deepEqual(rig.messages, ['s.u1.state {"level":{"value":256,"unit":"m"},"b":true}']);
});

test("numbers of every kind come out of their registers, in every order of words and bytes", QUICK, async () => {
  const registers = [
    register({ name: "u32", type: "u32" }),
    register({ name: "swapped", type: "u32", words: "little" }),
    register({ name: "turned", type: "u16", bytes: "little" }),
    register({ name: "i16", type: "i16", offset: 2 }),
    register({ name: "f32", type: "f32", offset: 4 }),
    register({ name: "u64", type: "u64", offset: 6 }),
    register({ name: "text", type: "text", offset: 10, length: 3 }),
    register({ name: "nan", type: "f32", offset: 13 }),
  ];
  await using rig = new Rig(options([1], { polls: [poll({ count: 15, registers })], subject: "s" }));
  const values = Buffer.alloc(30);
  values.writeUInt32BE(100_000, 0);
  values.writeInt16BE(-5, 4);
  values.writeFloatBE(21.4, 8);
  values.writeBigUInt64BE(18_446_744_073_709_551_615n, 12);
  values.write("AB ", 20);
  values.writeFloatBE(Number.NaN, 26);
  rig.answer = () => rig.wire.say(withCrc([1, 3, 30, ...values]));
  await rig.clock.pass(10);
  const wanted =
    's {"u32":100000,"swapped":2258632705,"turned":256,"i16":-5,"f32":21.4,"u64":18446744073709551615,"text":"AB","nan":null}';
  assert.deepEqual(rig.messages, [wanted]);
});

test("coils and discrete inputs are true or false", QUICK, async () => {
  const registers = [register({ name: "a", offset: 8 }), register({ name: "b", offset: 9 })];
  await using rig = new Rig(options([1], { polls: [poll({ table: "coils", count: 10, registers })], subject: "s" }));
  await rig.clock.pass(10);
  assert.deepEqual(rig.messages, ['s {"a":false,"b":true}']);
});

test("a dead unit is told once, slowed down, and costs the others no round", QUICK, async () => {
  await using rig = new Rig(options([1, 2, 3]), [1, 3]);
  await rig.clock.pass(120_500);
  for (const unit of [1, 3]) assert.equal(rig.unit(unit).answers, 121, `unit ${unit}`);
  assert.equal(rig.unit(2).state, "silent");
  assert.ok(rig.unit(2).failures >= 6 && rig.unit(2).failures <= 9, `${rig.unit(2).failures}`);
  assert.equal(rig.said.filter((line) => /unit 2 \(u2\) does not answer/.test(line)).length, 1);
  assert.equal(rig.master.status().skipped, 0);
});

test("a unit that comes back is asked as before, and that is told", QUICK, async () => {
  await using rig = new Rig(options([1]));
  rig.answer = () => undefined;
  await rig.clock.pass(2000);
  assert.equal(rig.unit(1).state, "silent");
  rig.answer = (_unit, bytes) => rig.wire.say(bytes);
  await rig.clock.pass(70_000);
  assert.equal(rig.unit(1).state, "answers");
  assert.ok(rig.said.some((line) => /answers again/.test(line)));
  const before = rig.unit(1).answers;
  await rig.clock.pass(10_000);
  assert.equal(rig.unit(1).answers - before, 10);
});

test("an exception is told by its name, once, and the unit counts as alive", QUICK, async () => {
  await using rig = new Rig(options([1], { polls: [poll(), poll({ name: "far", address: 500 })] }));
  await rig.clock.pass(3500);
  assert.equal(rig.unit(1).state, "answers");
  assert.equal(rig.unit(1).exceptions, 4);
  assert.match(rig.unit(1).lastFault!, /poll far: refuses with illegal_data_address \(2\)/);
  assert.equal(rig.said.filter((line) => /illegal_data_address/.test(line)).length, 1);
  assert.equal(rig.messages.length, 4);
});

test("an answer is found among noise, split into bytes", QUICK, async () => {
  await using rig = new Rig(options([1]));
  rig.answer = (_unit, bytes) => {
    for (const byte of [0xff, 0x00, 1, 3, ...bytes, 0x55]) rig.wire.say(Buffer.of(byte));
  };
  await rig.clock.pass(3500);
  assert.deepEqual(new Set(rig.messages), new Set(["sensors.bus.u1.level 256"]));
  assert.equal(rig.messages.length, 4);
  assert.equal(rig.unit(1).failures, 0);
  assert.ok(rig.master.status().strayBytes > 0);
});

test("a damaged answer is asked for again at once, without the whole timeout", QUICK, async () => {
  await using rig = new Rig(options([1], { retries: 2 }));
  let answers = 0;
  rig.answer = (_unit, bytes) => {
    if (answers++ === 0) bytes[4]! ^= 1;
    rig.wire.say(bytes);
  };
  await rig.clock.pass(100);
  assert.deepEqual(rig.messages, ["sensors.bus.u1.level 256"]);
  assert.equal(rig.unit(1).failures, 1);
});

test("a late answer is never taken for that of another unit, nor for that to another question", QUICK, async () => {
  const polls = [poll({ name: "a" }), poll({ name: "b", address: 7 })];
  await using rig = new Rig(options([1, 2], { polls, subject: "s.{unit}.{poll}", retries: 0 }));
  rig.answer = (unit, bytes) => {
    const answer = Buffer.from(bytes);
    if (unit === 1) rig.clock.after(700, () => rig.wire.say(answer));
    else rig.wire.say(answer);
  };
  await rig.clock.pass(60_000);
  const wrong = rig.messages.filter((message) => !/^s\.u2\.(a \{"level":512\}|b \{"level":519\})$/.test(message));
  assert.deepEqual(wrong, []);
  assert.ok(rig.messages.length >= 100, `${rig.messages.length}`);
  assert.ok(rig.master.status().strayFrames > 0);
});

test("a repeated question may be answered by the late answer to the first, as it means the same", QUICK, async () => {
  await using rig = new Rig(options([1], { retries: 3 }));
  rig.answer = (_unit, bytes) => {
    const answer = Buffer.from(bytes);
    rig.clock.after(600, () => rig.wire.say(answer));
  };
  await rig.clock.pass(900);
  assert.deepEqual(rig.messages, ["sensors.bus.u1.level 256"]);
  rig.answer = () => undefined;
  await rig.clock.pass(700); // the second answer comes, and meets nobody
});

test("an adapter that hears itself is found out by the first question, be its unit alive or dead", QUICK, async () => {
  for (const there of [[1], []]) {
    await using rig = new Rig(options([1], { echo: "auto" }), there);
    rig.hasEcho = true;
    await rig.clock.pass(2000);
    assert.equal(rig.master.status().hasEcho, true);
    assert.equal(rig.messages.length > 0, there.length > 0);
  }
  await using rig = new Rig(options([1], { echo: "auto" }));
  await rig.clock.pass(100);
  assert.equal(rig.master.status().hasEcho, false);
});

test("the echo of a write is not taken for its answer, not even by the first command of all", QUICK, async () => {
  for (const polls of [[], [poll()]]) {
    await using rig = new Rig(options([1, 2], { echo: "auto", polls }), [1]);
    rig.hasEcho = true;
    const write = { function: 6, address: 9, value: 77 };
    const failed = await rig.command({ unit: 2, ...write });
    assert.equal(failed.ok, false);
    assert.equal(!failed.ok && failed.code, "SERIAL_MODBUS_NO_ANSWER");
    assert.deepEqual(await rig.command({ unit: 1, ...write }), { ok: true, facts: { unit: 1, function: 6 } });
    assert.equal(rig.units.register(1, 9), 77);
  }
});

test("every kind of command is carried out and answered", QUICK, async () => {
  await using rig = new Rig(options([1]));
  const facts = async (command: object) => {
    const outcome = await rig.command({ unit: "u1", ...command }, 50);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return outcome.facts;
  };
  assert.deepEqual(await facts({ function: 6, address: 3, value: 5 }), { unit: 1, function: 6 });
  assert.deepEqual(await facts({ function: 16, address: 4, values: [6, -1] }), { unit: 1, function: 16 });
  assert.deepEqual(await facts({ function: 3, address: 3, count: 3 }), { unit: 1, function: 3, values: [5, 6, 65_535] });
  assert.deepEqual(await facts({ function: 5, address: 0, value: true }), { unit: 1, function: 5 });
  assert.deepEqual(await facts({ function: 15, address: 1, values: [false, true, true] }), { unit: 1, function: 15 });
  assert.deepEqual(await facts({ function: 1, address: 0, count: 5 }), { unit: 1, function: 1, values: [1, 0, 1, 1, 0] });
  assert.deepEqual(await facts({ function: 22, address: 3, and: 0xf0, or: 0x0f }), { unit: 1, function: 22 });
  assert.equal(rig.units.register(1, 3), (5 & 0xf0) | (0x0f & ~0xf0));
  const exchange = { function: 23, address: 8, count: 2, write_address: 8, values: [1, 2] };
  assert.deepEqual(await facts(exchange), { unit: 1, function: 23, values: [1, 2] });
});

test(
  "a value is set and asked for by its name, in its own unit of measure, and the answer says what stands there",
  QUICK,
  async () => {
    const registers = [
      register({ name: "setpoint", type: "i16", scale: 0.1, unit: "°C" }),
      register({ name: "energy", offset: 1, type: "u32", words: "little" }),
      register({ name: "flow", offset: 3, type: "f32", bytes: "little" }),
      register({ name: "alarm", offset: 5, type: "bit", bit: 3 }),
      register({ name: "label", offset: 6, type: "text", length: 2 }),
    ];
    const rare = { count: 1, interval: 86_400_000 };
    const coils = poll({ ...rare, name: "valves", table: "coils", address: 4, registers: [register({ name: "open" })] });
    const inputs = poll({ ...rare, name: "in", table: "input" });
    const heating = poll({ ...rare, name: "heating", address: 20, count: 8, registers });
    await using rig = new Rig(options([1], { polls: [heating, coils, inputs, { ...inputs, name: "again" }] }));
    await rig.clock.pass(500);
    const outcome = (command: object) => rig.command({ unit: "u1", ...command }, 50);
    const value = async (command: object) => {
      const found = await outcome(command);
      assert.ok(found.ok, JSON.stringify(found));
      return found.facts["value"];
    };
    assert.deepEqual(await outcome({ set: "setpoint", value: -21.53 }), {
      ok: true,
      facts: { unit: 1, function: 6, value: -21.5, measure: "°C" },
    });
    assert.equal(rig.units.register(1, 20), 65_536 - 215);
    assert.equal(await value({ get: "setpoint" }), -21.5);
    assert.equal(await value({ set: "energy", value: 100_000 }), 100_000);
    assert.deepEqual([rig.units.register(1, 21), rig.units.register(1, 22)], [0x86a0, 1]);
    for (const [name, written] of [
      ["energy", 100_000],
      ["flow", 1.5],
      ["alarm", true],
      ["label", "ab"],
      ["open", true],
    ] as const) {
      assert.equal(await value({ set: name, value: written }), written, name);
      assert.equal(await value({ get: name }), written, name);
    }
    const refusals: [command: object, words: RegExp][] = [
      [{ set: "setpoint", value: 5000 }, /sets "setpoint" to 5000, beyond what it holds: -3276.8 to 3276.7/],
      [{ set: "setpoint", value: "hot" }, /"value" that is a number/],
      [{ set: "setpoint" }, /"value" that is a number/],
      [{ set: "label", value: "too long" }, /up to 4 plain characters/],
      [{ set: "open", value: 2 }, /true or false/],
      [{ set: "pressure", value: 1 }, /names no value of that unit's polls: "pressure"; mend the name/],
      [{ get: "level" }, /several polls have: "level"; say which by "poll"/],
      [{ set: "level", poll: "in", value: 1 }, /a table that can only be read \(input\)/],
      [{ set: "setpoint", get: "setpoint", value: 1 }, /both "get" and "set"/],
      [{ set: "setpoint", function: 6, value: 1 }, /"function" beside "set"/],
      [{ unit: 0, get: "setpoint" }, /reads from all units at once/],
    ];
    const written = rig.wire.written.length;
    for (const [command, words] of refusals) {
      const refused = await outcome(command);
      assert.ok(!refused.ok, JSON.stringify(command));
      assert.equal(refused.code, "SERIAL_MODBUS_COMMAND_INVALID");
      assert.match(refused.message, words);
    }
    assert.equal(rig.wire.written.length, written, "nothing of these reached the line");
  },
);

test("a refused command says the exception's name; a senseless one never reaches the line", QUICK, async () => {
  await using rig = new Rig(options([1], { polls: [] }));
  const refused = await rig.command({ unit: 1, function: 6, address: 5000, value: 1 });
  assert.ok(!refused.ok);
  assert.equal(refused.code, "SERIAL_MODBUS_EXCEPTION");
  assert.match(refused.message, /illegal_data_address/);
  const written = rig.wire.written.length;
  const senseless = await rig.command({ unit: 1, function: 99, address: 0 });
  assert.equal(!senseless.ok && senseless.code, "SERIAL_MODBUS_COMMAND_INVALID");
  assert.equal(rig.wire.written.length, written);
});

test("a broadcast is heard by all and waits for nobody", QUICK, async () => {
  await using rig = new Rig(options([1, 2], { polls: [] }));
  const outcome = await rig.command({ unit: 0, function: 6, address: 3, value: 9 }, 200);
  assert.deepEqual(outcome, { ok: true, facts: { unit: 0, function: 6 } });
  assert.deepEqual([rig.units.register(1, 3), rig.units.register(2, 3)], [9, 9]);
});

test("a command whose time is over when the bus is free is not sent", QUICK, async () => {
  await using rig = new Rig(options([1]), []);
  const payload = Buffer.from('{"unit":1,"function":6,"address":3,"value":9}');
  await rig.clock.pass(10); // a question is under way for half a second
  const outcome = rig.master.execute({ payload, deadline: rig.clock.now() + 100, signal: new AbortController().signal });
  await rig.clock.pass(2000);
  const refused = await outcome;
  assert.match(refused.ok ? "" : refused.message, /was not sent/);
  assert.ok(rig.wire.written.every((bytes) => bytes[1] !== 6));
});

test(
  "while the port is closed nothing is asked and commands are refused; opened again, all is asked at once",
  QUICK,
  async () => {
    await using rig = new Rig(options([1]));
    await rig.clock.pass(10);
    rig.wire.set(false);
    const outcome = await rig.command({ unit: 1, function: 6, address: 0, value: 1 }, 10);
    assert.equal(!outcome.ok && outcome.code, "SERIAL_ABSENT");
    await rig.clock.pass(10_000);
    assert.equal(rig.messages.length, 1);
    rig.wire.set(true);
    await rig.clock.pass(10);
    assert.equal(rig.messages.length, 2);
  },
);

test("a port lost in the middle of a question ends it at once", QUICK, async () => {
  await using rig = new Rig(options([1]), []);
  await rig.clock.pass(10);
  const outcome = rig.master.execute({
    payload: Buffer.from('{"unit":1,"function":3,"address":0,"count":1}'),
    deadline: rig.clock.now() + 30_000,
    signal: new AbortController().signal,
  });
  await rig.clock.pass(1100);
  assert.equal(rig.wire.written.at(-1)!.length, 8, "the command's question is under way");
  rig.wire.set(false);
  await rig.clock.pass(1);
  assert.equal((await outcome).ok, false);
});

test("paused, it asks nothing, carries out commands, and takes no unit for dead", QUICK, async () => {
  await using rig = new Rig(options([1]));
  await rig.clock.pass(10);
  rig.master.pause();
  await rig.clock.pass(60_000);
  assert.equal(rig.messages.length, 1);
  assert.equal((await rig.command({ unit: 1, function: 6, address: 3, value: 5 })).ok, true);
  rig.master.resume();
  await rig.clock.pass(10);
  assert.equal(rig.messages.length, 2);
  assert.equal(rig.unit(1).state, "answers");
  assert.equal(rig.master.status().skipped, 0);
});

test("a device that takes no bytes is told, waited for, and answers commands with that", QUICK, async () => {
  await using rig = new Rig(options([1]));
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const write = rig.wire.write.bind(rig.wire);
  rig.wire.write = async (bytes) => {
    await gate;
    await write(bytes);
  };
  await rig.clock.pass(2000);
  const refused = await rig.command({ unit: 1, function: 6, address: 0, value: 1 });
  assert.match(refused.ok ? "" : refused.message, /takes no bytes/);
  assert.equal(rig.said.filter((line) => /takes no bytes/.test(line)).length, 1);
  open();
  await rig.clock.pass(3000);
  assert.ok(rig.messages.length >= 2);
  assert.equal(rig.units.register(1, 0), 256, "the refused command was not carried out later");
});

test("a line that is never silent is told, and not spoken into", QUICK, async () => {
  await using rig = new Rig(options([1]));
  rig.answer = () => undefined;
  using _babble = rig.clock.every(1, () => rig.wire.say(Buffer.of(0xaa)));
  await rig.clock.pass(10_000);
  assert.equal(rig.wire.written.length, 0);
  assert.equal(rig.said.filter((line) => /never silent/.test(line)).length, 1);
});

test("questions keep the silence of the standard between frames, and what is set beyond it", QUICK, async () => {
  await using rig = new Rig(options([1, 2], { gap: 20 }));
  const times: number[] = [];
  const { onWrite } = rig.wire;
  rig.wire.onWrite = (bytes) => {
    times.push(rig.clock.now());
    onWrite(bytes);
  };
  await rig.clock.pass(900);
  const gap = (3.5 * 11 * 1000) / 19_200 + 20;
  assert.equal(times.length, 2);
  assert.ok(times[1]! - times[0]! >= gap, `${times[1]! - times[0]!} ms`);
});

test("closing in the middle of a question refuses what waits and leaves nothing behind", QUICK, async () => {
  const rig = new Rig(options([1]), []);
  await rig.clock.pass(10);
  const outcome = rig.master.execute({
    payload: Buffer.from('{"unit":1,"function":6,"address":0,"value":1}'),
    deadline: rig.clock.now() + 30_000,
    signal: new AbortController().signal,
  });
  await Promise.all([rig[Symbol.asyncDispose](), rig.master[Symbol.asyncDispose]()]);
  assert.equal((await outcome).ok, false);
});
