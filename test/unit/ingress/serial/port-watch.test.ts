import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "#base/log.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { AccountRouter } from "#router/router.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { type FakeDevice, FakeTty } from "../../../support/fake-tty.ts";
import { serialPort } from "../../../support/serial-options.ts";

class Bench {
  readonly clock = new FakeClock();
  readonly tty = new FakeTty();
  readonly log: string[] = [];
  readonly account = new AccountRouter("EDGE", { random: () => 0, bytes: (count) => Buffer.alloc(count) });

  async open(...ports: readonly Readonly<Record<string, unknown>>[]): Promise<SerialIngress> {
    const log = createLog(this.clock, "info", (line) => this.log.push(line.message));
    const settings = ports.map((port) =>
      serialPort({ name: "meter", match: { usb_port: "1-1.1" }, silence_after: null, ...port }),
    );
    const ingress = await openSerial(
      settings,
      { account: this.account, env: { clock: this.clock, tty: this.tty, log } },
      AbortSignal.timeout(60_000),
    );
    await this.clock.pass(100);
    return ingress;
  }

  plug(path = "/dev/ttyUSB0", usbPort = "1-1.1"): FakeDevice {
    return this.tty.plug({ path, vendorId: "0403", productId: "6001", usbPort });
  }

  /** So many seconds, in each of which the device says this. */
  async seconds(count: number, device: FakeDevice, says: string): Promise<void> {
    for (let i = 0; i < count; i++) {
      device.send(says);
      await this.clock.pass(1000);
    }
  }
}

test("a noisy line is opened anew, then reported as degraded, and is fine again after a good minute", async () => {
  const bench = new Bench();
  const device = bench.plug();
  await using ingress = await bench.open({ error_budget: 10 });
  await bench.seconds(40, device, "###\n");
  const noisy = ingress.status()[0]!;
  assert.equal(noisy.state, "open");
  assert.deepEqual([noisy.opens, noisy.reopens, noisy.powerCycles], [2, 1, 0]);
  assert.match(noisy.degraded ?? "", /^more than 10 bad frames a minute, and opening it anew did not help; check baud rate/);
  await bench.seconds(130, device, '{"n":1}\n');
  assert.equal(ingress.status()[0]!.degraded, null);
  assert.equal(ingress.status()[0]!.opens, 2, "and it was left alone meanwhile");
});

test("a silent USB device is opened anew, then taken off the bus, and its return is met with an open port", async () => {
  const bench = new Bench();
  bench.plug();
  await using ingress = await bench.open({ silence_after: "10s", reopen: { on_silence: true }, usb_power_cycle: true });
  const gate = Promise.withResolvers<void>();
  bench.tty.powerGate = gate.promise;
  await bench.clock.pass(13_000);
  assert.deepEqual([ingress.status()[0]!.reopens, bench.tty.cycled.length], [1, 0]);
  await bench.clock.pass(10_000);
  assert.deepEqual(bench.tty.cycled, ["1-1.1"]);
  bench.tty.unplug("/dev/ttyUSB0");
  await bench.clock.pass(2000);
  assert.equal(ingress.status()[0]!.state, "absent");
  gate.resolve();
  const back = bench.plug("/dev/ttyUSB1");
  await bench.clock.pass(2000);
  assert.equal(ingress.status()[0]!.state, "open");
  assert.equal(ingress.status()[0]!.isSilent, true, "until it is heard");
  back.send('{"n":1}\n{"n":2}\n');
  assert.equal(ingress.status()[0]!.isSilent, false);
  assert.equal(bench.log.filter((line) => line.includes("no frame comes; check")).length, 1);
  assert.equal(bench.log.at(-1), "port meter: frames come again");
});

test("what cannot be taken off the bus is said once, with the reason, and the port goes on", async () => {
  const bench = new Bench();
  const device = bench.plug();
  bench.tty.powerFault = new Error("cannot take USB port 1-1.1 off the bus: /sys is not writable here");
  await using ingress = await bench.open({ error_budget: 5, usb_power_cycle: true });
  await bench.seconds(40, device, "#\n");
  assert.equal(bench.log.filter((line) => line.includes("/sys is not writable")).length, 1);
  assert.equal(ingress.status()[0]!.state, "open");
  assert.match(ingress.status()[0]!.degraded ?? "", /taking its USB device off the bus did not help/);
});

test("an adapter that another port uses well is not taken off the bus", async () => {
  const bench = new Bench();
  const bad = bench.tty.plug({
    path: "/dev/ttyUSB0",
    usbPort: "1-1",
    usbInterface: "1-1:1.0",
    vendorId: "0403",
    productId: "6011",
  });
  const good = bench.tty.plug({
    path: "/dev/ttyUSB1",
    usbPort: "1-1",
    usbInterface: "1-1:1.1",
    vendorId: "0403",
    productId: "6011",
  });
  await using ingress = await bench.open(
    { match: { usb_port: "1-1:1.0" }, error_budget: 5, usb_power_cycle: true },
    { name: "other", match: { usb_port: "1-1:1.1" } },
  );
  for (let i = 0; i < 60; i++) {
    bad.send("#\n");
    good.send('{"n":1}\n');
    await bench.clock.pass(1000);
  }
  assert.deepEqual(bench.tty.cycled, []);
  assert.notEqual(ingress.status()[0]!.degraded, null);
  assert.equal(ingress.status()[1]!.opens, 1);
});

test("closing during a power cycle waits until the device may be on the bus again", async () => {
  const bench = new Bench();
  const device = bench.plug();
  const ingress = await bench.open({ error_budget: 2, usb_power_cycle: true });
  const gate = Promise.withResolvers<void>();
  bench.tty.powerGate = gate.promise;
  await bench.seconds(14, device, "#\n");
  assert.equal(bench.tty.cycled.length, 1);
  let isClosed = false;
  const closing = ingress[Symbol.asyncDispose]().then(() => {
    isClosed = true;
  });
  await bench.clock.pass(10);
  assert.equal(isClosed, false);
  gate.resolve();
  await closing;
  assert.equal(bench.clock.pending, 0);
  assert.equal(bench.tty.watchers, 0);
});

test("a hint of the system brings the next look forward, a storm of hints brings one", async () => {
  const bench = new Bench();
  await using ingress = await bench.open({});
  await bench.clock.pass(1000);
  bench.plug();
  for (let i = 0; i < 1000; i++) bench.tty.hint();
  await bench.clock.pass(150);
  assert.equal(ingress.status()[0]!.state, "open");
  assert.ok(bench.clock.pending <= 1);
});

test("without hints, a device is noticed by looking, within a second in both directions", async () => {
  const bench = new Bench();
  await using ingress = await bench.open({});
  bench.plug();
  await bench.clock.pass(1000);
  assert.equal(ingress.status()[0]!.state, "open");
  bench.tty.unplug("/dev/ttyUSB0", { silently: true });
  await bench.clock.pass(1000);
  assert.equal(ingress.status()[0]!.state, "absent");
});

test("how long is waited after failures is the settings' choice", async () => {
  const bench = new Bench();
  const device = bench.plug();
  device.holder = "minicom (process 812)";
  await using ingress = await bench.open({ reopen: { min: "30s", max: "60s" } });
  await bench.clock.pass(29_000);
  assert.equal(bench.tty.opened.length, 1);
  await bench.clock.pass(300_000);
  assert.ok(bench.tty.opened.length >= 5 && bench.tty.opened.length <= 7, String(bench.tty.opened.length));
  device.holder = undefined;
  await bench.clock.pass(61_000);
  assert.equal(ingress.status()[0]!.state, "open");
});
