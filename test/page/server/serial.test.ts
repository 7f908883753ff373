// Serial ports by the page: the list, what comes and goes, live frames, and guessing; and what hostile and unlucky requests come to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { FakeTty } from "../../support/fake-tty.ts";
import { LiveReader, startLiveDevice } from "../../support/live-device.ts";
import { TECHNICIAN, VIEWER } from "../../support/web-device.ts";

const FTDI = { vendorId: "0403", productId: "6001" };
const WEATHER = {
  name: "weather",
  match: { vendor_id: "0403" },
  framing: { type: "line" },
  decode: { type: "json" },
  subject: "sensors.weather.{field}",
};

function plugged(): FakeTty {
  const tty = new FakeTty();
  tty.plug({ path: "/dev/ttyUSB0", ...FTDI, serialNumber: "A9", usbPort: "1-1.4" });
  return tty;
}

test("the list says which devices are there, which port has them, and how to recognise them again", async () => {
  const tty = plugged();
  tty.plug({ path: "/dev/ttyUSB1", vendorId: "1a86", productId: "7523", usbPort: "1-1.2" }).holder = "minicom (process 812)";
  await using live = await startLiveDevice({ serial: [WEATHER], tty });
  const technician = await live.device.loggedIn(TECHNICIAN);
  const { devices, missing } = (await technician.get("/api/ports")).json;
  assert.deepEqual(missing, []);
  const [own, other] = devices;
  assert.equal(own.port, "weather");
  assert.equal(own.state, "open");
  assert.deepEqual(other.match, { vendor_id: "1a86", product_id: "7523", usb_port: "1-1.2" });
  assert.equal(other.port, null);
  assert.equal(other.holder, "minicom (process 812)");
  const viewer = await live.device.loggedIn(VIEWER);
  assert.equal((await viewer.get("/api/ports")).json.error.code, "WEB_ROLE");
});

test("plug it in now: a device that comes or goes is told within a second, and at once where the system hints", async () => {
  await using live = await startLiveDevice({ tty: plugged() });
  const { device, clock, tty } = live;
  const before = clock.pending;
  const reader = await LiveReader.read(device, await device.loggedIn(TECHNICIAN), "/api/ports/events");
  assert.equal((await reader.until("ports")).devices.length, 1);
  tty.plug({ path: "/dev/ttyACM0", vendorId: "2341", productId: "0043", usbPort: "1-2" });
  clock.advance(1_000);
  assert.equal((await reader.until("added")).device.path, "/dev/ttyACM0");
  tty.unplug("/dev/ttyUSB0");
  const timers = clock.pending;
  for (let i = 0; i < 100; i++) tty.hint();
  assert.equal(clock.pending, timers + 1, "one look for a hundred hints");
  clock.advance(100);
  assert.deepEqual(await reader.until("removed"), { path: "/dev/ttyUSB0" });
  tty.unplug("/dev/ttyACM0");
  tty.plug({ path: "/dev/ttyACM0", vendorId: "2341", productId: "0043", usbPort: "1-3" });
  clock.advance(1_000);
  await reader.until("removed", 2);
  assert.equal((await reader.until("added", 2)).device.usb_port, "1-3", "the same path, another plug: another device");
  tty.listFault = new Error("EIO: no luck");
  Object.assign(tty.listFault, { code: "EIO" });
  clock.advance(1_000);
  assert.match((await reader.until("trouble")).message, /EIO/);
  reader[Symbol.dispose]();
  while (clock.pending > before || tty.watchers > 0) await turn();
});

test("live frames: hex, text, what would be published, and what was wrong; the port takes no notice", async () => {
  const tty = new FakeTty();
  const sensor = tty.plug({ path: "/dev/ttyUSB0", ...FTDI, usbPort: "1-1.4" });
  await using live = await startLiveDevice({ serial: [WEATHER], tty });
  const { device, clock } = live;
  const before = clock.pending;
  const reader = await LiveReader.read(device, await device.loggedIn(TECHNICIAN), "/api/serial/weather/frames");
  const facts = await reader.until("open");
  assert.equal(facts.path, "/dev/ttyUSB0");
  assert.equal(facts.baud_rate, 9600);
  sensor.send('{"temp":21.5,"hum":60}\n');
  sensor.send("event: end\r\n");
  sensor.send(Buffer.from([0x1b, 0x5b, 0x32, 0x4a, 0x0a]));
  const first = await reader.until("frame");
  assert.equal(first.text, '{"temp":21.5,"hum":60}');
  assert.equal(first.hex, Buffer.from('{"temp":21.5,"hum":60}').toString("hex"));
  assert.deepEqual(first.decoded, [
    { subject: "sensors.weather.temp", payload: "21.5" },
    { subject: "sensors.weather.hum", payload: "60" },
  ]);
  assert.equal(first.error, null);
  const third = await reader.until("frame", 3);
  assert.match(reader.of("frame")[1].error, /cannot decode/);
  assert.equal(third.text, null, "a cursor that moves is no text");
  reader[Symbol.dispose]();
  while (clock.pending > before) await turn();
  assert.equal(sensor.isOpen, true);
});

test("a device that never rests: fifty frames a second are shown, all others are counted", async () => {
  const tty = new FakeTty();
  const sensor = tty.plug({ path: "/dev/ttyUSB0", ...FTDI, usbPort: "1-1.4" });
  await using live = await startLiveDevice({ serial: [WEATHER], tty });
  const { device, clock } = live;
  using reader = await LiveReader.read(device, await device.loggedIn(TECHNICIAN), "/api/serial/weather/frames");
  await reader.until("open");
  sensor.send('{"t":1}\n'.repeat(400));
  clock.advance(1_000);
  assert.deepEqual(await reader.until("skipped"), { count: 350 });
  assert.equal(reader.of("frame").length, 50);
});

test("a port that the settings do not have is told so; a path is no name", async () => {
  await using live = await startLiveDevice({ serial: [WEATHER], tty: plugged() });
  const technician = await live.device.loggedIn(TECHNICIAN);
  const nobody = await technician.get("/api/serial/nobody/frames");
  assert.deepEqual([nobody.status, nobody.json.error.code], [404, "WEB_NOT_FOUND"]);
  for (const name of ["%2Fdev%2FttyUSB0", "..%2f..", "%00", "%e0%a4%a"]) {
    const answer = await technician.get(`/api/serial/${name}/frames`);
    assert.ok(answer.status === 404 || answer.text.includes("WEB_NOT_FOUND"), `${name}: ${answer.status} ${answer.text}`);
  }
});

test("guessing opens only what is a serial device, whatever path is asked for", async () => {
  await using live = await startLiveDevice({ tty: plugged() });
  const { device, tty } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  for (const path of ["/dev/watchdog", "/dev/sda", "../../etc/shadow", "/dev/ttyUSB0/../mem"]) {
    const answer = await technician.post("/api/ports/guess", { path });
    assert.deepEqual([answer.status, answer.json.error.code], [409, "SERIAL_ABSENT"]);
  }
  assert.deepEqual(tty.opened, []);
  for (const body of [{}, { path: "" }, { path: "/dev/ttyUSB0\u0000" }, { path: 7 }, { path: "/dev/ttyUSB0", baud: 9600 }])
    assert.equal((await technician.post("/api/ports/guess", body)).status, 400);
  assert.equal((await technician.post("/api/ports/guess", { path: "x" }, { "X-Petiole-CSRF": undefined })).status, 403);
});

test("guessing tells each speed it tries, and proposes what can be pasted; one at a time", async () => {
  const tty = new FakeTty();
  const sensor = tty.plug({ path: "/dev/ttyUSB0", ...FTDI, usbPort: "1-1.4" });
  await using live = await startLiveDevice({ tty });
  const { device, clock } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  using reader = await LiveReader.read(device, technician, "/api/ports/guess", { path: "/dev/ttyUSB0" });
  assert.deepEqual(await reader.until("try"), { baud_rate: 115200, data_bits: 8, parity: "none", stop_bits: 1, through: null });
  assert.equal((await technician.post("/api/ports/guess", { path: "/dev/ttyUSB0" })).status, 409);
  while (!sensor.isOpen) await turn();
  sensor.send('{"temp":21.5}\n'.repeat(1000));
  await clock.pass(2_000);
  const { proposals } = await reader.until("done");
  assert.ok(proposals[0].confidence > 0.9);
  assert.equal(proposals[0].serial.baud_rate, 115200);
  assert.deepEqual(proposals[0].preview[0], { subject: "sensors.ttyUSB0.temp", payload: "21.5" });
  await reader.ended;
  assert.equal(sensor.isOpen, false);
});

test("a device that goes away while it is listened to ends the guess, and is told of", async () => {
  const tty = new FakeTty();
  const sensor = tty.plug({ path: "/dev/ttyUSB0", ...FTDI, usbPort: "1-1.4" });
  await using live = await startLiveDevice({ tty });
  const { device, clock } = live;
  using reader = await LiveReader.read(device, await device.loggedIn(TECHNICIAN), "/api/ports/guess", { path: "/dev/ttyUSB0" });
  await reader.until("try");
  while (!sensor.isOpen) await turn();
  tty.unplug("/dev/ttyUSB0");
  await clock.pass(2_000);
  assert.equal((await reader.until("fault")).code, "SERIAL_ABSENT");
  await reader.ended;
});

test("whoever leaves while a device is listened to lets go of it", async () => {
  const tty = new FakeTty();
  const sensor = tty.plug({ path: "/dev/ttyUSB0", ...FTDI, usbPort: "1-1.4" });
  await using live = await startLiveDevice({ tty });
  const { device, clock } = live;
  const before = clock.pending;
  const technician = await device.loggedIn(TECHNICIAN);
  const reader = await LiveReader.read(device, technician, "/api/ports/guess", { path: "/dev/ttyUSB0" });
  await reader.until("try");
  while (!sensor.isOpen) await turn();
  reader[Symbol.dispose]();
  while (sensor.isOpen || clock.pending > before) await turn();
  using again = await LiveReader.read(device, technician, "/api/ports/guess", { path: "/dev/ttyUSB0" });
  await again.until("try");
});

test("a port in use: the daemon's own is listened to through the daemon, another program's is left alone", async () => {
  const tty = new FakeTty();
  const sensor = tty.plug({ path: "/dev/ttyUSB0", ...FTDI, usbPort: "1-1.4" });
  tty.plug({ path: "/dev/ttyUSB1", vendorId: "1a86", productId: "7523" }).holder = "minicom (process 812)";
  await using live = await startLiveDevice({ serial: [WEATHER], tty });
  const { device, clock } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  const opened = tty.opened.length;
  using own = await LiveReader.read(device, technician, "/api/ports/guess", { path: "/dev/ttyUSB0" });
  assert.equal((await own.until("try")).through, "weather");
  sensor.send('{"temp":21.5}\n'.repeat(20));
  await clock.pass(5_000);
  const { proposals } = await own.until("done");
  assert.equal(proposals[0].serial.baud_rate, 9600);
  assert.equal(tty.opened.length, opened, "nothing was opened");
  assert.equal(sensor.isOpen, true);
  const other = await technician.post("/api/ports/guess", { path: "/dev/ttyUSB1" });
  assert.deepEqual([other.status, other.json.error.code], [409, "SERIAL_BUSY"]);
  assert.match(other.json.error.message, /minicom/);
  assert.equal(tty.opened.length, opened);
});
