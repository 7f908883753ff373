// Commands to the master of a bus: what reaches the line, what is answered, and what becomes of them when the bus is in trouble.

import assert from "node:assert/strict";
import { test } from "node:test";
import { busOptions, ModbusRig, poll, register } from "../../../../support/modbus-rig.ts";

const QUICK = { timeout: 10_000 };

test("the echo of a write is not taken for its answer, not even by the first command of all", QUICK, async () => {
  for (const polls of [[], [poll()]]) {
    await using rig = new ModbusRig(busOptions([1, 2], { echo: "auto", polls }), [1]);
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
  await using rig = new ModbusRig(busOptions([1]));
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
    await using rig = new ModbusRig(busOptions([1], { polls: [heating, coils, inputs, { ...inputs, name: "again" }] }));
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
  await using rig = new ModbusRig(busOptions([1], { polls: [] }));
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
  await using rig = new ModbusRig(busOptions([1, 2], { polls: [] }));
  const outcome = await rig.command({ unit: 0, function: 6, address: 3, value: 9 }, 200);
  assert.deepEqual(outcome, { ok: true, facts: { unit: 0, function: 6 } });
  assert.deepEqual([rig.units.register(1, 3), rig.units.register(2, 3)], [9, 9]);
});

test("a command whose time is over when the bus is free is not sent", QUICK, async () => {
  await using rig = new ModbusRig(busOptions([1]), []);
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
    await using rig = new ModbusRig(busOptions([1]));
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

test("a device that takes no bytes is told, waited for, and answers commands with that", QUICK, async () => {
  await using rig = new ModbusRig(busOptions([1]));
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

test("closing in the middle of a question refuses what waits and leaves nothing behind", QUICK, async () => {
  const rig = new ModbusRig(busOptions([1]), []);
  await rig.clock.pass(10);
  const outcome = rig.master.execute({
    payload: Buffer.from('{"unit":1,"function":6,"address":0,"value":1}'),
    deadline: rig.clock.now() + 30_000,
    signal: new AbortController().signal,
  });
  await Promise.all([rig[Symbol.asyncDispose](), rig.master[Symbol.asyncDispose]()]);
  assert.equal((await outcome).ok, false);
});

test("a command that was on its way when the port went is never called unsent", QUICK, async () => {
  for (const end of ["lost", "closed", "broken"] as const) {
    const rig = new ModbusRig(busOptions([1]), []);
    const ask = async (value: number) => {
      const payload = Buffer.from(`{"unit":1,"function":6,"address":0,"value":${value}}`);
      return await rig.master.execute({
        payload,
        deadline: rig.clock.now() + 30_000,
        signal: new AbortController().signal,
      });
    };
    await rig.clock.pass(3100); // the poll was given up, and its debt is over
    if (end === "broken")
      rig.wire.write = async () => {
        rig.wire.set(false);
        throw new Error("unplugged");
      };
    const outcomes = Promise.all([ask(1), ask(2)]);
    await rig.clock.pass(100);
    if (end === "lost") rig.wire.set(false);
    await rig.clock.pass(1);
    await rig[Symbol.asyncDispose]();
    const [first, second] = await outcomes;
    assert.ok(!first.ok && !second.ok);
    assert.equal(first.code, "SERIAL_MODBUS_NO_ANSWER", end);
    assert.match(first.message, /whether it did what was asked is not known/);
    assert.equal(second.code, "SERIAL_ABSENT", end);
    assert.match(second.message, /nothing was sent/);
  }
});
