import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "#base/log.ts";
import { BATCH_MAX, type Batch, FLAG_DURABLE, flagsOf, payloadOf, QOS_UNSTATED, qosOf, subjectOf } from "#core/batch.ts";
import type { Origin, Sink, Subscription, Upstream } from "#core/sink.ts";
import { SerialError } from "#ingress/serial/errors.ts";
import type { SerialPortOptions } from "#ingress/serial/options.ts";
import type { SerialPortStatus } from "#ingress/serial/port-status.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { AccountRouter } from "#router/router.ts";
import { FakeClock, turn } from "../../../support/fake-clock.ts";
import { FakeTty } from "../../../support/fake-tty.ts";
import { serialPort } from "../../../support/serial-options.ts";

const NOBODY = { vendorId: null, productId: null, serialNumber: null, usbPort: null, path: null };
const FTDI = { vendorId: "0403", productId: "6001" };

type Wanted = Partial<Omit<SerialPortOptions, "match">> & { readonly match?: Partial<SerialPortOptions["match"]> };

function options(wanted: Wanted = {}): SerialPortOptions {
  return {
    ...serialPort({ name: "weather", match: { vendor_id: "0403" }, silence_after: null, error_budget: null }),
    framing: { type: "line", maxFrame: 64 },
    ...wanted,
    match: { ...NOBODY, ...(wanted.match ?? FTDI) },
  };
}

/** A bench with a router, somebody who hears everything, and devices of the mind. */
class Bench implements Sink {
  readonly clock = new FakeClock();
  readonly tty = new FakeTty();
  readonly log: string[] = [];
  readonly messages: string[] = [];
  /** Messages per publish. */
  readonly batches: number[] = [];
  flags = 0;
  readonly account = new AccountRouter("EDGE", { random: () => 0, bytes: (count) => Buffer.alloc(count) });
  #count = 0;

  constructor() {
    this.account.subscribe({ filter: ">", queue: null, sink: this, mayReceive: () => true });
  }

  open(...ports: readonly SerialPortOptions[]): Promise<SerialIngress> {
    const log = createLog(this.clock, "info", (line) => this.log.push(`${line.level} ${line.message}`));
    return openSerial(
      ports,
      { account: this.account, env: { clock: this.clock, tty: this.tty, log } },
      AbortSignal.timeout(60_000),
    );
  }

  deliver(batch: Batch, index: number, _: readonly Subscription[], origin: Origin): void {
    assert.equal(origin.kind, "serial");
    this.messages.push(`${subjectOf(batch, index)} ${payloadOf(batch, index)}`);
    this.flags = flagsOf(batch, index);
    this.#count += 1;
  }

  flush(): void {
    this.batches.push(this.#count);
    this.#count = 0;
  }

  plugFtdi(path = "/dev/ttyUSB0", serialNumber: string | null = null) {
    return this.tty.plug({ path, ...FTDI, serialNumber, usbPort: `1-1.${path.at(-1)}` });
  }
}

/** The only port's status, once it is as wanted. */
async function until(
  ingress: SerialIngress,
  isWanted: (status: SerialPortStatus) => boolean,
  index = 0,
): Promise<SerialPortStatus> {
  const look = () => ingress.status()[index]!;
  if (!isWanted(look())) {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _ = ingress.watch(() => isWanted(look()) && resolve());
    await promise;
  }
  return look();
}

const isOpen = (status: SerialPortStatus) => status.state === "open";

/** Past the moment in which a first byte may lie in the middle of a frame. */
const SETTLED_MS = 100;

test("readings of one chunk arrive in one batch, each field under its own subject, asked to be kept", async () => {
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(options());
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

test("opening waits for no device; one that is plugged in later is open within two seconds", async () => {
  const bench = new Bench();
  await using ingress = await bench.open(options());
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
  const bench = new Bench();
  const before = bench.plugFtdi();
  await using ingress = await bench.open(options());
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
  const bench = new Bench();
  bench.plugFtdi();
  await using ingress = await bench.open(options());
  await until(ingress, isOpen);
  bench.tty.unplug("/dev/ttyUSB0", { silently: true });
  await bench.clock.pass(2000);
  assert.equal(ingress.status()[0]!.state, "absent");
});

test("an adapter that is swapped for an equal one between two looks is opened anew", async () => {
  const bench = new Bench();
  bench.plugFtdi("/dev/ttyUSB0", "A1");
  await using ingress = await bench.open(options());
  await until(ingress, isOpen);
  bench.tty.unplug("/dev/ttyUSB0", { silently: true });
  const swapped = bench.plugFtdi("/dev/ttyUSB0", "B2");
  await bench.clock.pass(3000);
  assert.equal(ingress.status()[0]!.state, "open");
  assert.equal(swapped.isOpen, true);
});

test("two equal adapters each serve the port that names their serial number", async () => {
  const bench = new Bench();
  const [a, b] = [bench.plugFtdi("/dev/ttyUSB0", "A1"), bench.plugFtdi("/dev/ttyUSB1", "B2")];
  await using ingress = await bench.open(
    options({ name: "right", match: { ...FTDI, serialNumber: "B2" } }),
    options({ name: "left", match: { ...FTDI, serialNumber: "A1" } }),
  );
  await until(ingress, isOpen, 0);
  await until(ingress, isOpen, 1);
  a.send('{"n":1}\n');
  b.send('{"n":2}\n');
  assert.deepEqual(bench.messages, ["sensors.left.n 1", "sensors.right.n 2"]);
});

test("two equal adapters and nothing to tell them apart: neither is opened, and the page can say why", async () => {
  const bench = new Bench();
  bench.plugFtdi("/dev/ttyUSB0");
  bench.plugFtdi("/dev/ttyUSB1");
  await using ingress = await bench.open(options());
  const status = ingress.status()[0]!;
  assert.equal(status.code, "SERIAL_AMBIGUOUS");
  assert.match(status.cause ?? "", /^2 devices match/);
  assert.deepEqual(bench.tty.opened, []);
  bench.tty.unplug("/dev/ttyUSB1");
  await bench.clock.pass(1000);
  assert.equal(ingress.status()[0]!.state, "open");
});

test("a busy port is named with its holder, tried again, and open soon after it is free", async () => {
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  sensor.holder = "minicom (process 812)";
  await using ingress = await bench.open(options());
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
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  sensor.openFault = new Error("the moon is full");
  await using ingress = await bench.open(options());
  const failed = await until(ingress, (status) => status.state === "waiting");
  assert.deepEqual([failed.code, failed.cause], ["SERIAL_OPEN_FAILED", "the moon is full"]);
  await bench.clock.pass(1000);
  assert.equal(ingress.status()[0]!.state, "open");
});

test("a list of devices that cannot be read leaves open ports alone and is said once", async () => {
  const bench = new Bench();
  bench.plugFtdi();
  await using ingress = await bench.open(options(), options({ name: "other", match: { vendorId: "10c4" } }));
  await until(ingress, isOpen);
  bench.tty.listFault = new Error("no /sys here");
  await bench.clock.pass(5000);
  assert.equal(ingress.status()[0]!.state, "open");
  assert.equal(ingress.status()[1]!.cause, "cannot list the serial devices: no /sys here");
  assert.equal(bench.log.filter((line) => line.startsWith("warn cannot list")).length, 1);
});

test("without a list, as in a container without /sys, ports that name a path are served", async () => {
  const bench = new Bench();
  bench.plugFtdi();
  bench.tty.plug({ path: "/dev/pts/3" });
  await using ingress = await bench.open(options(), options({ name: "other", match: { path: "/dev/pts/3" } }));
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
  const bench = new Bench();
  bench.tty.plug({ path: "/dev/pts/3" });
  bench.tty.link("/dev/serial/by-id/it", "/dev/pts/3");
  await using ingress = await bench.open(options({ match: { path: "/dev/serial/by-id/it" } }));
  assert.equal((await until(ingress, isOpen)).path, "/dev/pts/3");
  bench.tty.plug({ path: "/dev/pts/4" });
  bench.tty.link("/dev/serial/by-id/it", "/dev/pts/4");
  await bench.clock.pass(2000);
  assert.equal((await until(ingress, isOpen)).path, "/dev/pts/4");
});

test("garbage ends nothing: it is counted, shown in hex, said once a minute, and good frames still arrive", async () => {
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(options());
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
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(options({ framing: { type: "line", maxFrame: 4096 } }));
  await until(ingress, isOpen);
  bench.clock.advance(SETTLED_MS);
  sensor.send(`${"x".repeat(4000)}\n`);
  assert.equal(ingress.status()[0]!.lastBadFrame, `${"78".repeat(64)}…`);
});

test("a line that may have begun before we listened is not taken for a reading", async () => {
  const bench = new Bench();
  const scale = bench.plugFtdi();
  await using ingress = await bench.open(options({ decode: { type: "text" }, subject: "scale" }));
  await until(ingress, isOpen);
  scale.send("1.4\n21.5\n");
  assert.deepEqual(bench.messages, ["scale 21.5"]);
  assert.equal(ingress.status()[0]!.torn, 1);
});

test("a line that begins after a silence is whole, the first one too", async () => {
  const bench = new Bench();
  const scanner = bench.plugFtdi();
  await using ingress = await bench.open(options({ decode: { type: "text" }, subject: "scanner" }));
  await until(ingress, isOpen);
  bench.clock.advance(SETTLED_MS);
  scanner.send("4006381333931\r\n");
  assert.deepEqual(bench.messages, ["scanner 4006381333931"]);
});

test("a silent device is reported once and cleared by its next frame; bytes that make no frame are no sign of life", async () => {
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(options({ silenceAfter: 60_000 }));
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
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(options({ framing: { type: "line", maxFrame: 1 << 20 } }));
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
  const bench = new Bench();
  const outbox = new Outbox(HUB);
  using slot = bench.account.addUpstream(outbox);
  const sensor = bench.plugFtdi();
  await using ingress = await bench.open(options({ silenceAfter: 2000 }));
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
  const bench = new Bench();
  const outbox = new Outbox(HUB);
  using slot = bench.account.addUpstream(outbox);
  const before = bench.plugFtdi();
  await using ingress = await bench.open(options());
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
  const bench = new Bench();
  const outbox = new Outbox(HUB);
  using _slot = bench.account.addUpstream(outbox);
  const sensor = bench.plugFtdi();
  const ingress = await bench.open(options());
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
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  const gate = Promise.withResolvers<void>();
  sensor.gate = gate.promise;
  const ingress = await bench.open(options());
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
  const bench = new Bench();
  bench.tty.listFault = new Error("nobody should ask");
  await using ingress = await bench.open();
  await bench.clock.pass(5000);
  assert.deepEqual(ingress.status(), []);
  assert.deepEqual(bench.log, []);
});

test("a subject that cannot work is refused before any device is touched", async () => {
  const bench = new Bench();
  bench.plugFtdi();
  await assert.rejects(bench.open(options({ decode: { type: "text" } })), (error) => {
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
  const bench = new Bench();
  const sensor = bench.plugFtdi();
  const abort = new AbortController();
  const log = createLog(bench.clock, "error", () => undefined);
  const opening = openSerial(
    [options()],
    { account: bench.account, env: { clock: bench.clock, tty: bench.tty, log } },
    abort.signal,
  );
  abort.abort(new Error("not now"));
  await assert.rejects(opening, /not now/);
  assert.equal(sensor.isOpen, false);
  assert.equal(bench.clock.pending, 0);
});
