import assert from "node:assert/strict";
import { test } from "node:test";
import { runSerial, type SerialFlags } from "#cli/serial.ts";
import { formatListing } from "#cli/serial-list.ts";
import { formatStatus } from "#cli/status.ts";
import { listSerial } from "#ingress/serial/listing.ts";
import { suggestMatch } from "#ingress/serial/match.ts";
import { judge } from "#status/health.ts";
import type { SerialReport, StatusReport } from "#status/report.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { fakeDisk } from "../../support/fake-disk.ts";
import { FakeTty } from "../../support/fake-tty.ts";
import { serialPort } from "../../support/serial-options.ts";

const FTDI = { vendorId: "0403", productId: "6001" };
const CAPTURE_HEAD =
  '{"petiole_capture":1,"path":"/dev/ttyUSB0","baud_rate":9600,"data_bits":8,"parity":"none","stop_bits":1,"started":"2026-01-01T00:00:00Z"}';
const NO_DAEMON = { report: undefined };

/** The command line on devices and a disk of the mind; no daemon runs in /data. */
class Bench {
  readonly tty = new FakeTty();
  readonly clock = new FakeClock();
  readonly disk = fakeDisk();
  readonly ending = new AbortController();
  readonly said: string[] = [];
  shown = "";

  run(words: readonly string[], flags: Partial<SerialFlags> = {}) {
    const place = {
      dataDir: "/data",
      env: {},
      disk: this.disk.mount(),
      tty: this.tty,
      clock: this.clock,
      write: (what: Buffer | string) => {
        this.shown += String(what);
      },
      say: (line: string) => void this.said.push(line),
      signal: this.ending.signal,
    };
    return runSerial(words, place, { json: false, ...flags });
  }

  settings(serial: readonly unknown[]): void {
    this.disk.plant("/data/settings.json", Buffer.from(JSON.stringify({ serial })));
  }

  /** Until it listens. */
  async listening(): Promise<void> {
    for (let i = 0; i < 1000 && !this.said.some((line) => line.includes("baud")); i++) await this.clock.pass(1);
    assert.match(this.said.join("\n"), /baud/);
  }
}

test("the list says what is there, who has it, and how to recognise it again", async () => {
  const tty = new FakeTty();
  tty.plug({ path: "/dev/ttyUSB0", ...FTDI, serialNumber: "A9", usbPort: "1-1.4", product: "FTDI FT232R", driver: "ftdi_sio" });
  tty.plug({ path: "/dev/ttyUSB1", ...FTDI, usbPort: "1-1.2" }).holder = "minicom (process 812)";
  tty.plug({ path: "/dev/ttyAMA0" });
  const ports = [
    serialPort({ name: "weather", match: { serial_number: "A9" } }),
    serialPort({ name: "valve", match: { serial_number: "B7" } }),
  ];
  const listing = await listSerial({ tty, ports, ...NO_DAEMON });
  assert.deepEqual(
    listing.devices.map(({ path, port, holder }) => [path, port, holder]),
    [
      ["/dev/ttyAMA0", null, null],
      ["/dev/ttyUSB0", "weather", null],
      ["/dev/ttyUSB1", null, "minicom (process 812)"],
    ],
  );
  assert.equal(
    formatListing(listing),
    `/dev/ttyAMA0  serial port
  free
  recognise it by  "match": {"path":"/dev/ttyAMA0"}
/dev/ttyUSB0  FTDI FT232R, driver ftdi_sio
  usb 0403:6001 serial A9 at usb port 1-1.4
  is for port weather; the daemon does not run
/dev/ttyUSB1  serial port
  usb 0403:6001 at usb port 1-1.2
  held by minicom (process 812)
  recognise it by  "match": {"vendor_id":"0403","product_id":"6001","usb_port":"1-1.2"}
port valve  has no device: no device matches usb serial B7; plug it in
`,
  );
});

test("a suggested match is by the serial number only where no twin has the same", () => {
  const nothing = { vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null };
  const one = { ...nothing, ...FTDI, path: "/dev/ttyUSB0", serialNumber: "0001", usbPort: "1-1", usbInterface: "1-1:1.0" };
  const twin = { ...one, path: "/dev/ttyUSB1", usbPort: "1-2", usbInterface: "1-2:1.0" };
  const sibling = { ...one, path: "/dev/ttyUSB1", usbInterface: "1-1:1.1" };
  const ids = { vendor_id: "0403", product_id: "6001" };
  assert.deepEqual(suggestMatch(one, [one]), { ...ids, serial_number: "0001" });
  assert.deepEqual(suggestMatch(one, [one, twin]), { ...ids, usb_port: "1-1" });
  assert.deepEqual(suggestMatch(one, [one, sibling]), { ...ids, usb_port: "1-1:1.0" });
});

test("without devices the list says what to look at; settings with faults do not stop it", async () => {
  const bench = new Bench();
  bench.settings([{ name: 5 }]);
  const outcome = await bench.run(["list"]);
  assert.ok("text" in outcome);
  assert.match(outcome.text, /^no serial devices; plug one in/);
  assert.match(bench.said.join(), /the settings have \d+ faults/);
});

test("where nothing can be listed, ports that name a path are shown, and of the others the reason", async () => {
  const tty = new FakeTty();
  tty.plug({ path: "/dev/ttyAMA0" });
  tty.listFault = new Error("there is no /sys here");
  tty.onlyListFails = true;
  Object.assign(tty.listFault, { code: "ENOENT" });
  const ports = [
    serialPort({ name: "weather", match: { path: "/dev/ttyAMA0" } }),
    serialPort({ name: "valve", match: { serial_number: "B7" } }),
  ];
  assert.equal(
    formatListing(await listSerial({ tty, ports, ...NO_DAEMON })),
    `devices cannot be listed: there is no /sys here
/dev/ttyAMA0  serial port
  is for port weather; the daemon does not run
port valve  has no device: there is no /sys here
`,
  );
});

test("a port of the settings is shown decoded, as it would be published", async () => {
  const bench = new Bench();
  bench.settings([{ name: "weather", match: { serial_number: "A9" }, baud_rate: 115_200 }]);
  const device = bench.tty.plug({ path: "/dev/ttyUSB0", ...FTDI, serialNumber: "A9" });
  const running = bench.run(["listen", "weather"], { seconds: "5" });
  await bench.listening();
  assert.deepEqual(bench.said, ["/dev/ttyUSB0 at 115200 baud, opened by ourselves"]);
  device.send('{"temp":21.40}\n\u001b[2J\n');
  await bench.clock.pass(5000);
  assert.deepEqual(await running, { text: "", code: 0 });
  const [good, bad] = bench.shown.split("\n");
  assert.match(good ?? "", /^\d\d:\d\d:\d\d\.\d{3} {2}sensors\.weather\.temp {2}21\.40$/);
  assert.match(bad ?? "", /! cannot decode: not JSON {2}\(hex 1b5b324a\)$/);
  assert.equal(device.isOpen, false);
});

test("headers are shown with what they belong to, for people and as JSON", async () => {
  for (const json of [false, true]) {
    const bench = new Bench();
    const columns = [{ name: "hum", unit: "%", scale: 0.1 }];
    bench.settings([{ name: "w", match: { path: "/dev/ttyUSB0" }, decode: { type: "csv", columns } }]);
    const device = bench.tty.plug({ path: "/dev/ttyUSB0" });
    const running = bench.run(["listen", "w"], { json });
    await bench.listening();
    device.send("550\n");
    bench.ending.abort();
    await running;
    if (json) assert.deepEqual(JSON.parse(bench.shown).headers, { "Petiole-Unit": "%", "Petiole-Scale": "0.1" });
    else assert.match(bench.shown, /sensors\.w\.hum {2}55\.0 {2}\(Petiole-Unit: %, Petiole-Scale: 0\.1\)\n$/);
  }
});

test("a device without settings is shown in hex, as lines or as JSON", async () => {
  const bench = new Bench();
  const device = bench.tty.plug({ path: "/dev/ttyUSB0" });
  const running = bench.run(["listen", "/dev/ttyUSB0"], { baud: "4800" });
  await bench.listening();
  assert.equal(device.settings?.baudRate, 4800);
  device.send("0123456789abcdef!\n");
  bench.ending.abort();
  assert.deepEqual(await running, { text: "", code: 0 });
  assert.match(bench.shown, / {2}00000000 {2}30 31 32 .* 66 {2}\|0123456789abcdef\|\n/);
  assert.match(bench.shown, / {2}00000010 {2}21 0a +\|!\.\|\n$/);
});

test("a port that another program has is left to it, and that is said with its name", async () => {
  const bench = new Bench();
  bench.tty.plug({ path: "/dev/ttyUSB0" }).holder = "petiole (process 7)";
  await assert.rejects(bench.run(["listen", "/dev/ttyUSB0"]), {
    code: "SERIAL_BUSY",
    message: "busy: /dev/ttyUSB0 is held by petiole (process 7); stop that program",
  });
  await assert.rejects(bench.run(["listen", "nothing"]), {
    code: "SERIAL_PORT_UNKNOWN",
    message: /no port of the settings is called nothing/,
  });
});

test("a device that goes away ends it with exit code 1", async () => {
  const bench = new Bench();
  bench.tty.plug({ path: "/dev/ttyUSB0" });
  const running = bench.run(["listen", "/dev/ttyUSB0"]);
  await bench.listening();
  bench.tty.unplug("/dev/ttyUSB0");
  assert.deepEqual(await running, { text: "", code: 1 });
  assert.match(bench.said.at(-1) ?? "", /^\/dev\/ttyUSB0 went away/);
});

test("what is recorded can be replayed, and no recording is written over", async () => {
  const bench = new Bench();
  bench.settings([{ name: "weather", match: { path: "/dev/ttyUSB0" } }]);
  const device = bench.tty.plug({ path: "/dev/ttyUSB0" });
  const running = bench.run(["listen", "weather"], { record: "/data/morning.jsonl", seconds: "60" });
  await bench.listening();
  device.send('{"n":1}\n');
  await bench.clock.pass(1500);
  device.send('{"n":2}\n');
  bench.ending.abort();
  await running;
  assert.equal(bench.said.at(-1), "recorded 2 chunks to /data/morning.jsonl");
  await assert.rejects(bench.run(["listen", "weather"], { record: "/data/morning.jsonl" }), {
    code: "CAPTURE_NOT_WRITTEN",
    message: "cannot record to /data/morning.jsonl: it is there already; name another, or remove it",
  });
  bench.shown = "";
  const replayed = await bench.run(["replay", "/data/morning.jsonl"], { port: "weather" });
  assert.ok("code" in replayed && replayed.code === 0);
  assert.match(bench.shown, /sensors\.weather\.n {2}1\n.*sensors\.weather\.n {2}2\n/s);
});

test("a disk that is full ends the recording, which is said at once, and not the listening", async () => {
  const bench = new Bench();
  bench.settings([]);
  const device = bench.tty.plug({ path: "/dev/ttyUSB0" });
  const running = bench.run(["listen", "/dev/ttyUSB0"], { record: "/data/a.jsonl", seconds: "60" });
  await bench.listening();
  await bench.clock.pass(1);
  bench.disk.totalBytes = bench.disk.usedBytes + 10;
  device.send("0123456789\n");
  device.send("and more\n");
  await bench.clock.pass(100);
  assert.match(
    bench.said.at(-1) ?? "",
    /^recording to \/data\/a.jsonl ended, what comes later is not in it: the disk is full; free space/,
  );
  assert.match(bench.shown, /and more/, "it is shown all the same");
  bench.ending.abort();
  assert.deepEqual(await running, { text: "", code: 1 });
});

test("what is said of a framing for a replay must be an object", async () => {
  const bench = new Bench();
  bench.disk.plant("/data/a.jsonl", Buffer.from(`${CAPTURE_HEAD}\n{"t":0,"hex":"32310a"}\n`));
  for (const framing of ["null", "[1]", "5", "{"]) {
    const outcome = await bench.run(["replay", "/data/a.jsonl"], { framing });
    assert.match("misuse" in outcome ? outcome.misuse : "understood", /^--framing and --decode want a JSON object such as/);
  }
});

test("what is not understood is said with what was wanted", async () => {
  const bench = new Bench();
  for (const [words, flags, wanted] of [
    [[], {}, /wants list, listen, guess or replay, got nothing/],
    [["list", "all"], {}, /"all" was not expected/],
    [["listen"], {}, /wants a port/],
    [["listen", "a", "b"], {}, /"b" was not expected/],
    [["listen", "a"], { view: "nice" }, /--view wants raw, hex or decoded, got "nice"/],
    [["listen", "a"], { view: "raw", json: true }, /raw has no JSON/],
    [["listen", "a"], { baud: "fast" }, /--baud wants a number from 50 to 4000000/],
    [["listen", "a"], { seconds: "0" }, /--seconds wants a number from 1/],
  ] as const) {
    const outcome = await bench.run(words, flags);
    assert.match("misuse" in outcome ? outcome.misuse : "understood", wanted);
  }
});

const PORT: SerialReport = {
  name: "bus",
  match: "usb 0403:6001",
  path: "/dev/ttyUSB0",
  identity: "usb 0403:6001 at usb port 1-1.4",
  state: "open",
  since: "2026-01-01T00:00:00.000Z",
  code: null,
  cause: null,
  is_silent: false,
  degraded: "more than 60 bad frames a minute, and opening it anew did not help; check baud rate, parity, framing and the wire",
  is_paused: true,
  bytes: 9000,
  frames: 120,
  messages: 110,
  errors: 10,
  overruns: 0,
  opens: 3,
  reopens: 2,
  power_cycles: 1,
  last_frame: null,
  last_error: "not JSON",
  last_bad_frame: "2a2a",
  commands: { waiting: 1, done: 5, refused: 3, late: 2, failed: 1, last_fault: null },
  units: [
    { unit: 4, name: "pump", state: "silent", answers: 0, failures: 9, exceptions: 0, last_fault: "poll a: does not answer" },
  ],
  bus: { skipped: 2, stray_bytes: 40, stray_frames: 1, echo: null },
};

test("status says of a port what is wrong with it, what became of its commands, and which units are silent", () => {
  const health = judge([], [PORT]);
  assert.deepEqual(health.reasons, [`serial port bus: ${PORT.degraded}`]);
  const report: StatusReport = {
    version: "1.0.0",
    server_name: "gw",
    device_id: "0",
    now: "",
    uptime_seconds: 1,
    rss_bytes: 1,
    health,
    remotes: [],
    mqtt: null,
    nats: null,
    serial: [PORT],
    host: { looks: 9, messages: 7, hanging: ["/sys/a"], last_fault: null },
  };
  const lines = formatStatus(report).split("\n").slice(2);
  assert.deepEqual(lines, [
    "serial bus  open  /dev/ttyUSB0  120 frames  10 errors  not read: the outbox is full",
    "  usb 0403:6001 at usb port 1-1.4",
    "  opened anew 2 times for trouble, 1 times taken off the bus",
    '  last bad frame: not JSON: 2a2a ("**")',
    "  commands: 5 done, 3 refused (2 late), 1 failed, 1 waiting",
    "  bus: 2 questions left out, for the bus cannot keep up, 1 frames that nobody had asked for, 40 bytes that belong to no answer",
    "  unit 4 (pump) is silent: poll a: does not answer",
    "host  9 looks  7 messages",
    "  does not answer: /sys/a",
    "",
  ]);
});
