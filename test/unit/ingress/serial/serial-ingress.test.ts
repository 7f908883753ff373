// Serial ports from opening to closing: readings, garbage, silence, a full outbox. Devices that come and go: hot-plug.test.ts

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "#base/log.ts";
import { BATCH_MAX, FLAG_DURABLE, QOS_UNSTATED, qosOf } from "#core/batch.ts";
import type { Origin, Upstream } from "#core/sink.ts";
import { SerialError } from "#ingress/serial/errors.ts";
import { openSerial } from "#ingress/serial/serial-ingress.ts";
import { turn } from "../../../support/fake-clock.ts";
import { isOpen, portOptions, SETTLED_MS, SerialBench, until } from "../../../support/serial-bench.ts";

test("readings of one chunk arrive in one batch, each field under its own subject, asked to be kept", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(portOptions());
  await until(ingress, isOpen);
  assert.deepEqual(sensor.settings, { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1, rtscts: false });
  sensor.send('{"temp":21.40,"hum":40}\n{"temp":21.5}\r\n{"te');
  assert.deepEqual(bench.batches, [3]);
  sensor.send('mp":21.6}\n');
  assert.deepEqual(bench.messages, [
    "sensors.weather.temp 21.40",
    "sensors.weather.hum 40",
    "sensors.weather.temp 21.5",
    "sensors.weather.temp 21.6",
  ]);
  assert.equal(bench.flags & FLAG_DURABLE, FLAG_DURABLE);
  assert.equal(qosOf(bench.flags), QOS_UNSTATED);
  const status = ingress.status()[0]!;
  assert.deepEqual([status.bytes, status.frames, status.messages, status.decodeErrors], [53, 3, 4, 0]);
  assert.equal(status.lastFrameAt, bench.clock.wall());
});

test("garbage ends nothing: it is counted, shown in hex, said once a minute, and good frames still arrive", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(portOptions());
  await until(ingress, isOpen);
  bench.clock.advance(SETTLED_MS);
  for (let i = 0; i < 100; i++) sensor.send(Buffer.from([0xff, 0x00, 0x80, 0x0a]));
  sensor.send(`${"x".repeat(1000)}\n`);
  sensor.send('{"temp":5}\n21.4\n');
  const status = ingress.status()[0]!;
  assert.deepEqual([status.state, status.frames, status.decodeErrors, status.oversized], ["open", 102, 101, 1]);
  assert.equal(status.lastBadFrame, "32312e34");
  assert.match(status.lastError ?? "", /not an object/);
  assert.deepEqual(bench.messages, ["sensors.weather.temp 5"]);
  assert.equal(bench.log.filter((line) => line.startsWith("warn")).length, 1);
});

test("the hex of a bad frame is bounded", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(portOptions({ framing: { type: "line", maxFrame: 4096 } }));
  await until(ingress, isOpen);
  bench.clock.advance(SETTLED_MS);
  sensor.send(`${"x".repeat(4000)}\n`);
  assert.equal(ingress.status()[0]!.lastBadFrame, `${"78".repeat(64)}…`);
});

test("a line that may have begun before we listened is not taken for a reading", async () => {
  const bench = new SerialBench();
  const scale = bench.plugFtdi();
  await using ingress = await bench.open(portOptions({ decode: { type: "text" }, subject: "scale" }));
  await until(ingress, isOpen);
  scale.send("1.4\n21.5\n");
  assert.deepEqual(bench.messages, ["scale 21.5"]);
  assert.equal(ingress.status()[0]!.torn, 1);
});

test("a line that begins after a silence is whole, the first one too", async () => {
  const bench = new SerialBench();
  const scanner = bench.plugFtdi();
  await using ingress = await bench.open(portOptions({ decode: { type: "text" }, subject: "scanner" }));
  await until(ingress, isOpen);
  bench.clock.advance(SETTLED_MS);
  scanner.send("4006381333931\r\n");
  assert.deepEqual(bench.messages, ["scanner 4006381333931"]);
});

test("a silent device is reported once and cleared by its next frame; bytes that make no frame are no sign of life", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(portOptions({ silenceAfter: 60_000 }));
  await until(ingress, isOpen);
  await bench.clock.pass(59_000);
  assert.equal(ingress.status()[0]!.isSilent, false);
  sensor.send("no end of line");
  await bench.clock.pass(61_000);
  assert.equal(ingress.status()[0]!.isSilent, true);
  assert.equal(bench.log.filter((line) => line.includes("no frame comes")).length, 1);
  sensor.send('\n{"temp":1}\n');
  assert.equal(ingress.status()[0]!.isSilent, false);
  assert.equal(bench.log.at(-1), "info port weather: frames come again");
});

test("more messages than a batch holds go out in several", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(portOptions({ framing: { type: "line", maxFrame: 1 << 20 } }));
  await until(ingress, isOpen);
  const fields = Array.from({ length: BATCH_MAX + 10 }, (_, i) => `"f${i}":${i}`);
  sensor.send(`{${fields.join(",")}}\n`);
  assert.deepEqual(bench.batches, [BATCH_MAX, 10]);
  assert.equal(bench.messages.at(-1), `sensors.weather.f${BATCH_MAX + 9} ${BATCH_MAX + 9}`);
});

/** An outbox that can be full. */
class Outbox implements Upstream {
  isFull = false;
  readonly origin: Origin;
  constructor(origin: Origin) {
    this.origin = origin;
  }
  plan() {
    return {};
  }
  take() {
    return "staged" as const;
  }
  hears(): boolean {
    return true;
  }
  flush(): void {
    return;
  }
}

const HUB: Origin = {
  kind: "hub",
  label: "hub",
  mayPublish: () => true,
  onDenied: () => undefined,
  onSafe: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};

test("a full outbox stops the reading; what the system kept comes when there is room, and a long stop is counted", async () => {
  const bench = new SerialBench();
  const outbox = new Outbox(HUB);
  using slot = bench.account.addUpstream(outbox);
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(portOptions({ silenceAfter: 2000 }));
  await until(ingress, isOpen);
  outbox.isFull = true;
  sensor.send('{"n":1}\n');
  assert.equal(sensor.isPaused, true);
  assert.equal(ingress.status()[0]!.isPaused, true);
  sensor.send('{"n":2}\n');
  await bench.clock.pass(3000);
  assert.equal(ingress.status()[0]!.isSilent, false, "nobody is silent whom we do not hear");
  outbox.isFull = false;
  slot.onRoom();
  assert.deepEqual(bench.messages, ["sensors.weather.n 1", "sensors.weather.n 2"]);
  assert.equal(ingress.status()[0]!.overruns, 0);
  outbox.isFull = true;
  sensor.send('{"n":3}\n');
  await bench.clock.pass(5000);
  outbox.isFull = false;
  slot.onRoom();
  assert.equal(ingress.status()[0]!.overruns, 1, "4,800 bytes may have come at 9600 baud, and the system holds 4,096");
});

test("a device that is plugged in while the outbox is full is opened, but read only when there is room", async () => {
  const bench = new SerialBench();
  const outbox = new Outbox(HUB);
  using slot = bench.account.addUpstream(outbox);
  const before = bench.plugFtdi();
  await using ingress = await bench.open(portOptions());
  await until(ingress, isOpen);
  outbox.isFull = true;
  before.send('{"n":1}\n');
  bench.tty.unplug("/dev/ttyUSB0");
  const after = bench.plugFtdi();
  await bench.clock.pass(2000);
  assert.equal(ingress.status()[0]!.state, "open");
  assert.equal(after.isPaused, true);
  after.send('{"n":2}\n');
  assert.deepEqual(bench.messages, ["sensors.weather.n 1"]);
  outbox.isFull = false;
  slot.onRoom();
  assert.deepEqual(bench.messages, ["sensors.weather.n 1", "sensors.weather.n 2"]);
});

test("closing publishes the whole frames that were received, closes the device and leaves no timer", async () => {
  const bench = new SerialBench();
  const outbox = new Outbox(HUB);
  using _slot = bench.account.addUpstream(outbox);
  const sensor = bench.plugFtdi();
  const ingress = await bench.open(portOptions());
  await until(ingress, isOpen);
  outbox.isFull = true;
  sensor.send('{"n":1}\n');
  sensor.send('{"n":2}\n{"n":3}\n{"n"');
  await Promise.all([ingress[Symbol.asyncDispose](), ingress[Symbol.asyncDispose]()]);
  assert.deepEqual(bench.messages, ["sensors.weather.n 1", "sensors.weather.n 2", "sensors.weather.n 3"]);
  assert.equal(sensor.isOpen, false);
  assert.equal(bench.clock.pending, 0);
  assert.deepEqual([ingress.status()[0]!.state, ingress.status()[0]!.torn], ["closed", 1]);
});

test("closing while a device is being opened waits and closes it", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  const gate = Promise.withResolvers<void>();
  sensor.gate = gate.promise;
  const ingress = await bench.open(portOptions());
  assert.equal(ingress.status()[0]!.state, "opening");
  const closing = ingress[Symbol.asyncDispose]();
  await turn();
  assert.equal(ingress.status()[0]!.state, "closing");
  gate.resolve();
  await closing;
  assert.equal(sensor.isOpen, false);
  assert.equal(ingress.status()[0]!.state, "closed");
});

test("no ports, no looking", async () => {
  const bench = new SerialBench();
  bench.tty.listFault = new Error("nobody should ask");
  await using ingress = await bench.open();
  await bench.clock.pass(5000);
  assert.deepEqual(ingress.status(), []);
  assert.deepEqual(bench.log, []);
});

test("a subject that cannot work is refused before any device is touched", async () => {
  const bench = new SerialBench();
  bench.plugFtdi();
  await assert.rejects(bench.open(portOptions({ decode: { type: "text" } })), (error) => {
    assert.ok(error instanceof SerialError);
    assert.match(
      error.message,
      /^serial port weather: subject "sensors\.\{name\}\.\{field\}" has a \{field\}, but decode "text"/,
    );
    return true;
  });
  assert.deepEqual(bench.tty.opened, []);
  assert.equal(bench.clock.pending, 0);
});

test("an aborted opening leaves nothing behind", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  const abort = new AbortController();
  const log = createLog(bench.clock, "error", () => undefined);
  const opening = openSerial(
    [portOptions()],
    { account: bench.account, env: { clock: bench.clock, tty: bench.tty, log } },
    abort.signal,
  );
  abort.abort(new Error("not now"));
  await assert.rejects(opening, /not now/);
  assert.equal(sensor.isOpen, false);
  assert.equal(bench.clock.pending, 0);
});
