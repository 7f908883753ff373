// A port that is a Modbus bus: what the port does around the master (test/unit/ingress/serial/modbus has the master itself).

import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { type Batch, flagsFor, payloadOf, QOS_UNSTATED, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin, Sink } from "#core/sink.ts";
import { openSerial } from "#ingress/serial/serial-ingress.ts";
import { AccountRouter } from "#router/router.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeTty } from "../../../support/fake-tty.ts";
import { ModbusUnits } from "../../../support/modbus-units.ts";
import { serialPort } from "../../../support/serial-options.ts";

const nothing = () => undefined;
const SOMEBODY: Origin = {
  kind: "nats",
  label: "somebody",
  mayPublish: () => true,
  onDenied: nothing,
  onSafe: nothing,
  pause: nothing,
  resume: nothing,
};

test("a bus is polled while its port is open, takes commands with an answer, and counts as alive while units answer", async () => {
  const clock = new FakeClock();
  const tty = new FakeTty();
  const account = new AccountRouter("EDGE", { random: () => 0, bytes: (count) => Buffer.alloc(count) });
  const heard: string[] = [];
  const ear: Sink = {
    deliver: (batch: Batch, index: number) => void heard.push(`${subjectOf(batch, index)} ${payloadOf(batch, index)}`),
    flush: nothing,
  };
  for (const filter of ["sensors.>", "inbox.>"]) account.subscribe({ filter, queue: null, sink: ear, mayReceive: () => true });
  const device = tty.plug({ path: "/dev/ttyUSB0" });
  const units = new ModbusUnits([1]);
  device.onWrite = (chunk) => {
    for (const { bytes } of units.hear(chunk)) clock.after(5, () => device.send(bytes));
  };
  const port = serialPort({
    name: "bus",
    match: { path: "/dev/ttyUSB0" },
    write_subject: "cmd.bus",
    silence_after: "10s",
    modbus: {
      units: [{ unit: 1, name: "meter" }],
      polls: [{ name: "energy", address: 3, count: 1, interval: "1s", registers: [{ name: "volts", offset: 0 }] }],
    },
  });
  await using ingress = await openSerial([port], { account, env: { clock, tty, log: silentLog() } }, AbortSignal.timeout(60_000));
  await clock.pass(5000);
  assert.equal(heard[0], "sensors.bus.meter.volts 259");
  const alive = ingress.status()[0]!;
  assert.ok(alive.frames >= 4 && alive.messages >= 4, `${alive.frames} answers, ${alive.messages} messages`);
  assert.equal(alive.modbus?.units[0]?.state, "answers");

  const door = account.open(SOMEBODY);
  const builder = new BatchBuilder();
  builder.beginOwn();
  const payload = Buffer.from(JSON.stringify({ unit: "meter", function: 6, address: 3, value: 7 }));
  builder.add({ subject: "cmd.bus", reply: "inbox.1", payload, flags: flagsFor(QOS_UNSTATED, false, false) });
  door.publish(builder);
  await clock.pass(500);
  const answer = heard.find((message) => message.startsWith("inbox.1 "));
  assert.match(answer ?? "nobody answered", /^inbox.1 {"ok":true,"port":"bus"/);
  assert.equal(units.register(1, 3), 7);

  device.onWrite = undefined;
  await clock.pass(15_000);
  assert.equal(ingress.status()[0]!.isSilent, true);
  assert.equal(ingress.status()[0]!.modbus?.units[0]?.state, "silent");
  tty.unplug("/dev/ttyUSB0");
  await clock.pass(1000);
  assert.equal(ingress.status()[0]!.state, "absent");
});

test("while what is upstream is full a bus is not polled, its commands get their answers, and it goes on when there is room", async () => {
  const clock = new FakeClock();
  const tty = new FakeTty();
  const account = new AccountRouter("EDGE", { random: () => 0, bytes: (count) => Buffer.alloc(count) });
  let isFull = true;
  const slot = account.addUpstream({
    plan: () => ({}),
    take: () => "passed",
    hears: () => false,
    flush: nothing,
    get isFull() {
      return isFull;
    },
    origin: { ...SOMEBODY, kind: "hub" },
  });
  const device = tty.plug({ path: "/dev/ttyUSB0" });
  const units = new ModbusUnits([1]);
  let questions = 0;
  device.onWrite = (chunk) => {
    for (const { bytes } of units.hear(chunk)) {
      questions += 1;
      clock.after(5, () => device.send(bytes));
    }
  };
  const port = serialPort({
    name: "bus",
    match: { path: "/dev/ttyUSB0" },
    write_subject: "cmd.bus",
    modbus: {
      units: [{ unit: 1, name: "meter" }],
      polls: [{ name: "energy", address: 3, count: 1, interval: "1s", registers: [{ name: "volts", offset: 0 }] }],
    },
  });
  await using ingress = await openSerial([port], { account, env: { clock, tty, log: silentLog() } }, AbortSignal.timeout(60_000));
  await clock.pass(20_000);
  assert.equal(questions, 1, "one poll filled it, and then nothing was asked");
  assert.equal(ingress.status()[0]!.isPaused, true);
  const door = account.open(SOMEBODY);
  const builder = new BatchBuilder();
  builder.beginOwn();
  const payload = Buffer.from(JSON.stringify({ unit: "meter", function: 6, address: 3, value: 9 }));
  builder.add({ subject: "cmd.bus", payload, flags: flagsFor(QOS_UNSTATED, false, false) });
  door.publish(builder);
  await clock.pass(500);
  assert.equal(units.register(1, 3), 9);
  isFull = false;
  slot.onRoom();
  const before = questions;
  await clock.pass(3000);
  assert.ok(questions >= before + 2, `${questions - before} polls after there was room`);
});
