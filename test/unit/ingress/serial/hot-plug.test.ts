// Devices that come, go, are swapped, look alike or are taken by somebody else, and the ports that wait for them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FTDI, isOpen, portOptions, SerialBench, until } from "../../../support/serial-bench.ts";

test("opening waits for no device; one that is plugged in later is open within two seconds", async () => {
  const bench = new SerialBench();
  await using ingress = await bench.open(portOptions());
  const absent = ingress.status()[0]!;
  assert.equal(absent.state, "absent");
  assert.equal(absent.code, "SERIAL_ABSENT");
  assert.equal(absent.cause, "no device matches usb 0403:6001; plug it in");
  await bench.clock.pass(10_000);
  assert.equal(bench.log.length, 1, "an absent device is said once");
  bench.plugFtdi();
  await bench.clock.pass(2000);
  const status = ingress.status()[0]!;
  assert.equal(status.state, "open");
  assert.equal(status.path, "/dev/ttyUSB0");
  assert.equal(status.identity, "usb 0403:6001 at usb port 1-1.0");
  assert.equal(status.cause, null);
});

test("unplugged and plugged in again under another name, it is open again within two seconds", async () => {
  const bench = new SerialBench();
  const before = bench.plugFtdi();
  await using ingress = await bench.open(portOptions());
  await until(ingress, isOpen);
  await bench.clock.pass(10_000);
  before.send('{"temp":1}\n{"temp":');
  bench.tty.unplug("/dev/ttyUSB0");
  const lost = ingress.status()[0]!;
  assert.equal(lost.state, "waiting");
  assert.equal(lost.cause, "/dev/ttyUSB0 went away (bad file descriptor); plug it in again");
  await bench.clock.pass(2000);
  assert.equal(ingress.status()[0]!.state, "absent");
  const after = bench.plugFtdi("/dev/ttyUSB1");
  await bench.clock.pass(2000);
  assert.equal(ingress.status()[0]!.path, "/dev/ttyUSB1");
  after.send('{"temp":2}\n');
  assert.deepEqual(bench.messages, ["sensors.weather.temp 1", "sensors.weather.temp 2"]);
  assert.equal(ingress.status()[0]!.torn, 1, "the frame that was under way is counted");
  assert.equal(ingress.status()[0]!.opens, 2);
});

test("a removal that the open port does not notice is noticed in the list", async () => {
  const bench = new SerialBench();
  bench.plugFtdi();
  await using ingress = await bench.open(portOptions());
  await until(ingress, isOpen);
  bench.tty.unplug("/dev/ttyUSB0", { silently: true });
  await bench.clock.pass(2000);
  assert.equal(ingress.status()[0]!.state, "absent");
});

test("an adapter that is swapped for an equal one between two looks is opened anew", async () => {
  const bench = new SerialBench();
  bench.plugFtdi("/dev/ttyUSB0", "A1");
  await using ingress = await bench.open(portOptions());
  await until(ingress, isOpen);
  bench.tty.unplug("/dev/ttyUSB0", { silently: true });
  const swapped = bench.plugFtdi("/dev/ttyUSB0", "B2");
  await bench.clock.pass(3000);
  assert.equal(ingress.status()[0]!.state, "open");
  assert.equal(swapped.isOpen, true);
});

test("two equal adapters each serve the port that names their serial number", async () => {
  const bench = new SerialBench();
  const [a, b] = [bench.plugFtdi("/dev/ttyUSB0", "A1"), bench.plugFtdi("/dev/ttyUSB1", "B2")];
  await using ingress = await bench.open(
    portOptions({ name: "right", match: { ...FTDI, serialNumber: "B2" } }),
    portOptions({ name: "left", match: { ...FTDI, serialNumber: "A1" } }),
  );
  await until(ingress, isOpen, 0);
  await until(ingress, isOpen, 1);
  a.send('{"n":1}\n');
  b.send('{"n":2}\n');
  assert.deepEqual(bench.messages, ["sensors.left.n 1", "sensors.right.n 2"]);
});

test("two equal adapters and nothing to tell them apart: neither is opened, and the page can say why", async () => {
  const bench = new SerialBench();
  bench.plugFtdi("/dev/ttyUSB0");
  bench.plugFtdi("/dev/ttyUSB1");
  await using ingress = await bench.open(portOptions());
  const status = ingress.status()[0]!;
  assert.equal(status.code, "SERIAL_AMBIGUOUS");
  assert.match(status.cause ?? "", /^2 devices match/);
  assert.deepEqual(bench.tty.opened, []);
  bench.tty.unplug("/dev/ttyUSB1");
  await bench.clock.pass(1000);
  assert.equal(ingress.status()[0]!.state, "open");
});

test("a busy port is named with its holder, tried again, and open soon after it is free", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  sensor.holder = "minicom (process 812)";
  await using ingress = await bench.open(portOptions());
  const busy = await until(ingress, (status) => status.state === "waiting");
  assert.equal(busy.code, "SERIAL_BUSY");
  assert.equal(busy.cause, "busy: /dev/ttyUSB0 is held by minicom (process 812); stop that program");
  await bench.clock.pass(60_000);
  assert.ok(bench.tty.opened.length < 14, `${bench.tty.opened.length} attempts in a minute`);
  assert.equal(bench.log.filter((line) => line.includes("busy")).length, 1, "said once");
  sensor.holder = undefined;
  await bench.clock.pass(11_000);
  assert.equal(ingress.status()[0]!.state, "open");
});

test("an unforeseen fault of opening is a state with its words, not the end", async () => {
  const bench = new SerialBench();
  const sensor = bench.plugFtdi();
  sensor.openFault = new Error("the moon is full");
  await using ingress = await bench.open(portOptions());
  const failed = await until(ingress, (status) => status.state === "waiting");
  assert.deepEqual([failed.code, failed.cause], ["SERIAL_OPEN_FAILED", "the moon is full"]);
  await bench.clock.pass(1000);
  assert.equal(ingress.status()[0]!.state, "open");
});

test("a list of devices that cannot be read leaves open ports alone and is said once", async () => {
  const bench = new SerialBench();
  bench.plugFtdi();
  await using ingress = await bench.open(portOptions(), portOptions({ name: "other", match: { vendorId: "10c4" } }));
  await until(ingress, isOpen);
  bench.tty.listFault = new Error("no /sys here");
  await bench.clock.pass(5000);
  assert.equal(ingress.status()[0]!.state, "open");
  assert.equal(ingress.status()[1]!.cause, "cannot list the serial devices: no /sys here");
  assert.equal(bench.log.filter((line) => line.startsWith("warn cannot list")).length, 1);
});

test("without a list, as in a container without /sys, ports that name a path are served", async () => {
  const bench = new SerialBench();
  bench.plugFtdi();
  bench.tty.plug({ path: "/dev/pts/3" });
  await using ingress = await bench.open(portOptions(), portOptions({ name: "other", match: { path: "/dev/pts/3" } }));
  await until(ingress, isOpen);
  bench.tty.unplug("/dev/pts/3");
  bench.tty.onlyListFails = true;
  bench.tty.listFault = new Error("no /sys here");
  await bench.clock.pass(2000);
  bench.tty.plug({ path: "/dev/pts/3" });
  await bench.clock.pass(2000);
  assert.deepEqual(
    ingress.status().map(({ state }) => state),
    ["open", "open"],
  );
  bench.tty.unplug("/dev/ttyUSB0");
  await bench.clock.pass(2000);
  assert.match(ingress.status()[0]!.cause ?? "", /^there is no \/dev\/ttyUSB0/, "what it had is what it tries");
});

test("a path may be a link, and follows it to another device", async () => {
  const bench = new SerialBench();
  bench.tty.plug({ path: "/dev/pts/3" });
  bench.tty.link("/dev/serial/by-id/it", "/dev/pts/3");
  await using ingress = await bench.open(portOptions({ match: { path: "/dev/serial/by-id/it" } }));
  assert.equal((await until(ingress, isOpen)).path, "/dev/pts/3");
  bench.tty.plug({ path: "/dev/pts/4" });
  bench.tty.link("/dev/serial/by-id/it", "/dev/pts/4");
  await bench.clock.pass(2000);
  assert.equal((await until(ingress, isOpen)).path, "/dev/pts/4");
});
