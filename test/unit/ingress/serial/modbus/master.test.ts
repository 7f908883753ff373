// The master on a fake clock and a fake wire: noise, echoes, late answers, dead units. Its commands: master-commands.test.ts

import assert from "node:assert/strict";
import { test } from "node:test";
import { busOptions, ModbusRig, poll, register } from "../../../../support/modbus-rig.ts";
import { withCrc } from "../../../../support/modbus-units.ts";

const QUICK = { timeout: 10_000 };

test("every unit is asked in its interval and its values become messages, durable, with their units told", QUICK, async () => {
  const registers = [register({ unit: "m" }), register({ name: "flow.max", offset: 1, scale: 0.1, add: -1 })];
  await using rig = new ModbusRig(busOptions([1, 2], { polls: [poll({ registers })] }));
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
  await using rig = new ModbusRig(busOptions([1], { polls, subject: "s.{unit}.{poll}", unitsIn: "members" }));
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
  await using rig = new ModbusRig(busOptions([1], { polls: [poll({ count: 15, registers })], subject: "s" }));
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
  await using rig = new ModbusRig(busOptions([1], { polls: [poll({ table: "coils", count: 10, registers })], subject: "s" }));
  await rig.clock.pass(10);
  assert.deepEqual(rig.messages, ['s {"a":false,"b":true}']);
});

test("a dead unit is told once, slowed down, and costs the others no round", QUICK, async () => {
  await using rig = new ModbusRig(busOptions([1, 2, 3]), [1, 3]);
  await rig.clock.pass(120_500);
  for (const unit of [1, 3]) assert.equal(rig.unit(unit).answers, 121, `unit ${unit}`);
  assert.equal(rig.unit(2).state, "silent");
  assert.ok(rig.unit(2).failures >= 6 && rig.unit(2).failures <= 9, `${rig.unit(2).failures}`);
  assert.equal(rig.said.filter((line) => /unit 2 \(u2\) does not answer/.test(line)).length, 1);
  assert.equal(rig.master.status().skipped, 0);
});

test("a unit that comes back is asked as before, and that is told", QUICK, async () => {
  await using rig = new ModbusRig(busOptions([1]));
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
  await using rig = new ModbusRig(busOptions([1], { polls: [poll(), poll({ name: "far", address: 500 })] }));
  await rig.clock.pass(3500);
  assert.equal(rig.unit(1).state, "answers");
  assert.equal(rig.unit(1).exceptions, 4);
  assert.match(rig.unit(1).lastFault!, /poll far: refuses with illegal_data_address \(2\)/);
  assert.equal(rig.said.filter((line) => /illegal_data_address/.test(line)).length, 1);
  assert.equal(rig.messages.length, 4);
});

test("an answer is found among noise, split into bytes", QUICK, async () => {
  await using rig = new ModbusRig(busOptions([1]));
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
  await using rig = new ModbusRig(busOptions([1], { retries: 2 }));
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
  await using rig = new ModbusRig(busOptions([1, 2], { polls, subject: "s.{unit}.{poll}", retries: 0 }));
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
  await using rig = new ModbusRig(busOptions([1], { retries: 3 }));
  rig.answer = (_unit, bytes) => {
    const answer = Buffer.from(bytes);
    rig.clock.after(600, () => rig.wire.say(answer));
  };
  await rig.clock.pass(900);
  assert.deepEqual(rig.messages, ["sensors.bus.u1.level 256"]);
  rig.answer = () => undefined;
  await rig.clock.pass(700); // the second answer comes, and meets nobody
});

test(
  "the answer to a repeated question, which comes as late as the first, is not taken for that to another question",
  QUICK,
  async () => {
    const polls = [poll({ name: "a" }), poll({ name: "b", address: 7 })];
    for (const lateMs of [510, 600, 750, 900]) {
      await using rig = new ModbusRig(busOptions([1, 2], { polls, subject: "s.{unit}.{poll}", retries: 3 }));
      rig.answer = (unit, bytes) => {
        const answer = Buffer.from(bytes);
        if (unit === 1) rig.clock.after(lateMs, () => rig.wire.say(answer));
        else rig.wire.say(answer);
      };
      await rig.clock.pass(60_000);
      rig.answer = () => undefined;
      await rig.clock.pass(lateMs); // what is still on the way
      const isRight = /^s\.(u1\.(a \{"level":256\}|b \{"level":263\})|u2\.(a \{"level":512\}|b \{"level":519\}))$/;
      assert.deepEqual(
        rig.messages.filter((message) => !isRight.test(message)),
        [],
      );
      assert.ok(rig.messages.filter((message) => message.startsWith("s.u1.b")).length > 5, "none of its questions starves");
    }
  },
);

test("an adapter that hears itself is found out by the first question, be its unit alive or dead", QUICK, async () => {
  for (const there of [[1], []]) {
    await using rig = new ModbusRig(busOptions([1], { echo: "auto" }), there);
    rig.hasEcho = true;
    await rig.clock.pass(2000);
    assert.equal(rig.master.status().hasEcho, true);
    assert.equal(rig.messages.length > 0, there.length > 0);
  }
  await using rig = new ModbusRig(busOptions([1], { echo: "auto" }));
  await rig.clock.pass(100);
  assert.equal(rig.master.status().hasEcho, false);
});

test("a port lost in the middle of a question ends it at once", QUICK, async () => {
  await using rig = new ModbusRig(busOptions([1]), []);
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
  await using rig = new ModbusRig(busOptions([1]));
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

test("a line that is never silent is told, and not spoken into", QUICK, async () => {
  await using rig = new ModbusRig(busOptions([1]));
  rig.answer = () => undefined;
  using _babble = rig.clock.every(1, () => rig.wire.say(Buffer.of(0xaa)));
  await rig.clock.pass(10_000);
  assert.equal(rig.wire.written.length, 0);
  assert.equal(rig.said.filter((line) => /never silent/.test(line)).length, 1);
});

test("questions keep the silence of the standard between frames, and what is set beyond it", QUICK, async () => {
  await using rig = new ModbusRig(busOptions([1, 2], { gap: 20 }));
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
