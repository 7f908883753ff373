import assert from "node:assert/strict";
import { test } from "node:test";
import { SerialError } from "#ingress/serial/errors.ts";
import { parseSignals, SignalExecutor } from "#ingress/serial/line-signals.ts";
import { Wire } from "#ingress/serial/wire.ts";
import { FakeClock, turn } from "../../../support/fake-clock.ts";
import { FakeTty } from "../../../support/fake-tty.ts";

const LINE = { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1, rtscts: false } as const;

async function bench() {
  const clock = new FakeClock();
  const tty = new FakeTty();
  const device = tty.plug({ path: "/dev/ttyUSB0" });
  const wire = new Wire("bench", LINE, clock);
  wire.attach(await tty.open("/dev/ttyUSB0", LINE));
  const executor = new SignalExecutor(wire, clock);
  const abort = new AbortController();
  const execute = (text: string) => executor.execute({ payload: Buffer.from(text), deadline: 1e9, signal: abort.signal });
  return { clock, device, wire, execute, abort };
}

test("lines are moved together, and stay", async () => {
  const { device, execute } = await bench();
  assert.deepEqual(await execute('{"dtr":true,"rts":false}'), { ok: true, facts: { dtr: true, rts: false } });
  assert.deepEqual(device.signals, [{ dtr: true, rts: false }]);
});

test("a break and a pulse end by themselves", async () => {
  const { clock, device, execute } = await bench();
  const breaking = execute('{"break":"250ms"}');
  await clock.pass(249);
  assert.deepEqual(device.signals, [{ brk: true }]);
  await clock.pass(1);
  assert.deepEqual(await breaking, { ok: true, facts: { brk: true, ms: 250 } });
  const pulse = execute('{"dtr":false,"for":"100ms"}');
  await clock.pass(100);
  await pulse;
  assert.deepEqual(device.signals, [{ brk: true }, { brk: false }, { dtr: false }, { dtr: true }]);
  assert.equal(clock.pending, 0);
});

test("a break is ended at once when the port is closed", async () => {
  const { clock, device, execute, abort } = await bench();
  const breaking = execute('{"break":"10s"}');
  await turn();
  abort.abort();
  assert.equal((await breaking).ok, true);
  assert.deepEqual(device.signals, [{ brk: true }, { brk: false }]);
  assert.equal(clock.pending, 0);
});

test("a device that goes during a break is told, not waited for", async () => {
  const { clock, wire, execute } = await bench();
  const breaking = execute('{"break":"1s"}');
  await clock.pass(10);
  wire.detach();
  await clock.pass(1000);
  const outcome = await breaking;
  assert.equal(outcome.ok ? "" : outcome.code, "SERIAL_ABSENT");
});

test("a device without such lines says so in words", async () => {
  const { device, execute } = await bench();
  device.signalFault = new Error("Inappropriate ioctl for device");
  const outcome = await execute('{"dtr":true}');
  assert.ok(!outcome.ok);
  assert.equal(outcome.code, "SERIAL_SIGNAL_FAILED");
  assert.match(outcome.message, /does not let its lines be moved \(Inappropriate ioctl for device\); not every device has them/);
});

test("what is no such command is refused with what was wanted", async () => {
  const { device, execute } = await bench();
  for (const text of [
    "",
    "[]",
    "{}",
    '{"dtr":1}',
    '{"dts":true}',
    '{"break":true}',
    '{"break":"11s"}',
    '{"for":"1s"}',
    '{"break":"1s","for":"1s"}',
  ])
    assert.equal(typeof parseSignals(Buffer.from(text)), "string", text);
  const outcome = await execute('{"dtr":"on"}');
  assert.ok(!outcome.ok);
  assert.match(outcome.message, /^"dtr" is neither true nor false; wanted JSON such as/);
  assert.deepEqual(device.signals, []);
});

test("the wire knows when written bytes have left, and forgets them with the device", async () => {
  const { clock, device, wire } = await bench();
  await wire.write(Buffer.alloc(96));
  const drained = wire.drain();
  await clock.pass(99);
  await clock.pass(1);
  await drained;
  assert.equal(device.written.length, 1);
  device.writeGate = Promise.withResolvers<void>().promise;
  const hanging = wire.write(Buffer.alloc(1));
  const fault = assert.rejects(hanging, (error) => error instanceof SerialError && error.code === "SERIAL_LOST");
  wire.detach();
  await fault;
  await assert.rejects(wire.write(Buffer.alloc(1)), { code: "SERIAL_ABSENT" });
  assert.equal(clock.pending, 0);
});
