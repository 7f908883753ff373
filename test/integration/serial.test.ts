// Real ptys through the real node-serialport: what a fake tty cannot prove. socat makes the pairs; killing it is the unplugging.

import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import type { TtySettings } from "#base/tty.ts";
import { type Batch, payloadOf, subjectOf } from "#core/batch.ts";
import type { Sink } from "#core/sink.ts";
import { SerialError } from "#ingress/serial/errors.ts";
import type { SerialPortOptions } from "#ingress/serial/options.ts";
import type { SerialPortStatus } from "#ingress/serial/port-status.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { AccountRouter } from "#router/router.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { serialPort } from "../support/serial-options.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SENSOR = path.resolve(import.meta.dirname, "../../scripts/simulate-sensor.ts");
const LINE: TtySettings = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1, rtscts: false };

/** Two ends of a cable at `near` and `far`, until disposed. */
async function cable(near: string, far: string): Promise<SpawnedProcess> {
  const end = (link: string) => `pty,raw,echo=0,link=${link}`;
  const socat = await SpawnedProcess.start("socat", ["-d", "-d", end(near), end(far)]);
  await socat.says(/starting data transfer loop/);
  return socat;
}

function options(device: string, wanted: Partial<SerialPortOptions> = {}): SerialPortOptions {
  return {
    ...serialPort({ name: "bench", match: { path: device }, baud_rate: 115_200, silence_after: null, error_budget: null }),
    ...wanted,
  };
}

/** Hears everything in the account. */
class Ear implements Sink {
  readonly messages: string[] = [];
  #woken: () => void = () => undefined;

  deliver(batch: Batch, index: number): void {
    this.messages.push(`${subjectOf(batch, index)} ${payloadOf(batch, index)}`);
  }

  flush(): void {
    this.#woken();
  }

  async hears(message: string): Promise<void> {
    while (!this.messages.includes(message)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#woken = resolve;
      await promise;
    }
  }
}

async function listen(...ports: readonly SerialPortOptions[]): Promise<{ ingress: SerialIngress; ear: Ear }> {
  const ear = new Ear();
  const account = new AccountRouter("EDGE", systemEntropy());
  account.subscribe({ filter: ">", queue: null, sink: ear, mayReceive: () => true });
  const env = { clock: systemClock(), tty: systemTty(), log: silentLog() };
  return { ingress: await openSerial(ports, { account, env }, AbortSignal.timeout(10_000)), ear };
}

async function until(ingress: SerialIngress, isWanted: (status: SerialPortStatus) => boolean): Promise<SerialPortStatus> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _ = ingress.watch(() => isWanted(ingress.status()[0]!) && resolve());
  if (!isWanted(ingress.status()[0]!)) await promise;
  return ingress.status()[0]!;
}

const isOpen = (status: SerialPortStatus) => status.state === "open";

async function send(device: string, bytes: Buffer | string): Promise<void> {
  await using tty = await open(device, "r+");
  await tty.write(Buffer.from(bytes));
}

// The clock's timers do not keep a process alive; a test that waits for one of them needs something that does.
const awake = { timeout: 30_000 };

test("readings of a simulated sensor arrive one by one, in order, none lost", awake, async () => {
  await using folder = await tempFolder("petiole-tty");
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  await using _socat = await cable(near, far);
  const { ingress, ear } = await listen(options(near));
  await using _ = ingress;
  await until(ingress, isOpen);
  await using sensor = await SpawnedProcess.start(process.execPath, [
    "scripts/simulate-sensor.ts",
    far,
    "--rate",
    "400",
    "--count",
    "200",
  ]);
  await sensor.says(/\{"written":200\}/);
  await ear.hears("sensors.bench.n 200");
  const numbers = ear.messages.filter((message) => message.startsWith("sensors.bench.n "));
  assert.deepEqual(
    numbers,
    Array.from({ length: 200 }, (_, i) => `sensors.bench.n ${i + 1}`),
  );
  const status = ingress.status()[0]!;
  assert.deepEqual([status.frames, status.messages, status.decodeErrors, status.torn], [200, 600, 0, 0]);
});

test("the simulated sensor says on SIGTERM how many lines it wrote", awake, async () => {
  await using folder = await tempFolder("petiole-tty");
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  await using _socat = await cable(near, far);
  const { ingress, ear } = await listen(options(near));
  await using _ = ingress;
  await until(ingress, isOpen);
  await using sensor = await SpawnedProcess.start(process.execPath, [SENSOR, far, "--rate", "100"]);
  await ear.hears("sensors.bench.n 5");
  sensor.signal("SIGTERM");
  const said = await sensor.says(/\{"written":(\d+)\}/);
  assert.equal((await sensor.exited).code, 0);
  await ear.hears(`sensors.bench.n ${said[1]}`);
  assert.equal(ingress.status()[0]!.frames, Number(said[1]));
});

test("a reading is passed on when it arrives, not when something else wakes the process", awake, async () => {
  await using folder = await tempFolder("petiole-tty");
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  await using _socat = await cable(near, far);
  const tty = systemTty();
  const device = await tty.find(near);
  assert.ok(device !== undefined);
  await using port = await tty.open(device.path, LINE);
  const chunks: string[] = [];
  port.onData((chunk) => chunks.push(String(chunk)));
  // Lines come from another process; nothing of ours runs in between that could push them along.
  await using sensor = await SpawnedProcess.start(process.execPath, [
    "scripts/simulate-sensor.ts",
    far,
    "--rate",
    "20",
    "--count",
    "10",
  ]);
  await sensor.says(/"written":10/);
  assert.ok(chunks.length >= 5, `10 lines, 50 ms apart, came in ${chunks.length} chunks`);
});

test("unplugged, the port says so; plugged in again, it is open within two seconds and reads on", awake, async () => {
  await using folder = await tempFolder("petiole-tty");
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  const first = await cable(near, far);
  const { ingress, ear } = await listen(options(near));
  await using _ = ingress;
  await until(ingress, isOpen);
  await send(far, '{"n":1}\n');
  await ear.hears("sensors.bench.n 1");
  await first.stop();
  const gone = await until(ingress, (status) => status.state === "absent");
  assert.equal(gone.cause, `there is no ${near}; plug the device in`);
  await using _second = await cable(near, far);
  const pluggedAt = performance.now();
  await until(ingress, isOpen);
  assert.ok(performance.now() - pluggedAt < 2000, `open after ${performance.now() - pluggedAt} ms`);
  await send(far, '{"n":2}\n');
  await ear.hears("sensors.bench.n 2");
  assert.equal(ingress.status()[0]!.opens, 2);
});

test("an unplugged device is noticed by the open port itself, once", awake, async () => {
  await using folder = await tempFolder("petiole-tty");
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  const socat = await cable(near, far);
  const tty = systemTty();
  await using port = await tty.open((await tty.find(near))!.path, LINE);
  const ends: (Error | undefined)[] = [];
  const ended = Promise.withResolvers<void>();
  port.onClose((fault) => {
    ends.push(fault);
    ended.resolve();
  });
  port.onData(() => undefined);
  await socat.stop();
  await ended.promise;
  await port[Symbol.asyncDispose]();
  assert.deepEqual(
    ends.map((fault) => fault?.message),
    ["unplugged"],
  );
});

test("garbage, as a wrong baud rate makes it, ends nothing and grows nothing", awake, async () => {
  await using folder = await tempFolder("petiole-tty");
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  await using _socat = await cable(near, far);
  const { ingress, ear } = await listen(options(near, { framing: { type: "line", maxFrame: 64 } }));
  await using _ = ingress;
  await until(ingress, isOpen);
  const garbage = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 167 + (i >> 8) * 13) & 0xff));
  await send(far, garbage);
  await send(far, '\n{"n":7}\n');
  await ear.hears("sensors.bench.n 7");
  const status = ingress.status()[0]!;
  assert.equal(status.state, "open");
  assert.ok(status.decodeErrors + status.oversized > 0);
  assert.deepEqual(ear.messages, ["sensors.bench.n 7"]);
});

test("a port has one holder: the next opening is refused and told by whom, before it can disturb the line", awake, async () => {
  await using folder = await tempFolder("petiole-tty");
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  await using _socat = await cable(near, far);
  const tty = systemTty();
  const device = await tty.find(near);
  assert.ok(device !== undefined);
  const port = await tty.open(device.path, LINE);
  await assert.rejects(tty.open(device.path, { ...LINE, dataBits: 7, parity: "even" }), (error) => {
    assert.ok(error instanceof SerialError);
    assert.equal(error.code, "SERIAL_BUSY");
    assert.match(error.message, new RegExp(`held by .*process ${process.pid}`));
    return true;
  });
  await port[Symbol.asyncDispose]();
  await using _again = await tty.open(device.path, LINE); // the lock ended with the closing
});

test("what the system has received is handed over before the port closes, and bytes go out as well", awake, async () => {
  await using folder = await tempFolder("petiole-tty");
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  await using _socat = await cable(near, far);
  const tty = systemTty();
  const [here, there] = [await tty.open((await tty.find(near))!.path, LINE), await tty.open((await tty.find(far))!.path, LINE)];
  await using _there = there;
  const heard: string[] = [];
  const ends: (Error | undefined)[] = [];
  here.onData((chunk) => heard.push(String(chunk)));
  here.onClose((fault) => ends.push(fault));
  here.pause();
  await there.write(Buffer.from("last words"));
  // socat serves both directions in each of its rounds: when the second word is through, a round with ours in it is over.
  for (const word of ["hello", "again"]) {
    const echo = Promise.withResolvers<string>();
    there.onData((chunk) => echo.resolve(String(chunk)));
    await here.write(Buffer.from(word));
    assert.equal(await echo.promise, word);
  }
  assert.deepEqual(heard, []);
  await here[Symbol.asyncDispose]();
  await here[Symbol.asyncDispose]();
  assert.deepEqual(heard, ["last words"]);
  assert.deepEqual(ends, [undefined]);
});

test("what is no serial device is refused with a sentence", awake, async () => {
  const tty = systemTty();
  await assert.rejects(tty.open("/dev/petiole-is-not-here", LINE), { code: "SERIAL_ABSENT" });
  await assert.rejects(tty.open("/dev/null", LINE), { code: "SERIAL_OPEN_FAILED" });
  assert.equal(await tty.find("/dev/petiole-is-not-here"), undefined);
  assert.equal(await tty.find("/tmp"), undefined);
  assert.ok((await tty.list()).every((device) => device.path.startsWith("/dev/")));
});
