// Hot-plug, identity, locks and commands on real ptys behind a kernel's tree of the mind: what is plugged is plugged in the tree, and a
// pty carries the bytes. socat makes the cables; the far end is the device.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type FileHandle, open, readdir, readFile, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { type Batch, flagsFor, payloadOf, QOS_UNSTATED, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin, Sink } from "#core/sink.ts";
import type { SerialPortOptions } from "#ingress/serial/options.ts";
import type { SerialPortStatus } from "#ingress/serial/port-status.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { dialTapSocket, openTapSocket, type TapSource } from "#ingress/serial/tap-socket.ts";
import { AccountRouter, type Door } from "#router/router.ts";
import { SpawnedProcess } from "../support/processes.ts";
import { serialPort } from "../support/serial-options.ts";
import { FakeTtyPlaces } from "../support/tty-places.ts";

/** A device is noticed within this, in both directions (DESIGN §7). */
const NOTICED_MS = 2000;

/** A cable: `near` is what a plugged device file leads to, `far` the device's own end. */
class Cable implements AsyncDisposable {
  readonly near: string;
  readonly #far: FileHandle;
  readonly #socat: SpawnedProcess;

  static async lay(places: FakeTtyPlaces, name: string): Promise<Cable> {
    const [near, far] = [`${places.root}/${name}-near`, `${places.root}/${name}-far`];
    const end = (link: string) => `pty,raw,echo=0,link=${link}`;
    const socat = await SpawnedProcess.start("socat", ["-d", "-d", end(near), end(far)]);
    await socat.says(/starting data transfer loop/);
    return new Cable(near, await open(far, "r+"), socat);
  }

  private constructor(near: string, far: FileHandle, socat: SpawnedProcess) {
    this.near = near;
    this.#far = far;
    this.#socat = socat;
  }

  async send(text: string): Promise<void> {
    await this.#far.write(text);
  }

  /** What the device hears next, of this length. */
  async hears(bytes: number): Promise<string> {
    const heard = Buffer.alloc(bytes);
    for (let got = 0; got < bytes; ) got += (await this.#far.read(heard, got, bytes - got, null)).bytesRead;
    return heard.toString("latin1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#far.close();
    await this.#socat.stop();
  }
}

/** Ports of a spoke, whoever listens to their readings, and whoever sends them commands. */
class Bench implements Sink, AsyncDisposable {
  readonly places: FakeTtyPlaces;
  readonly account = new AccountRouter("EDGE", systemEntropy());
  readonly messages: string[] = [];
  ingress!: SerialIngress;
  readonly #door: Door;
  readonly #waiting: (() => void)[] = [];

  static async open(places: FakeTtyPlaces, ...ports: readonly SerialPortOptions[]): Promise<Bench> {
    const bench = new Bench(places);
    const env = { clock: systemClock(), tty: systemTty(systemClock(), places), log: silentLog() };
    bench.ingress = await openSerial(ports, { account: bench.account, env }, AbortSignal.timeout(10_000));
    return bench;
  }

  private constructor(places: FakeTtyPlaces) {
    this.places = places;
    for (const filter of ["sensors.>", "inbox.>"])
      this.account.subscribe({ filter, queue: null, sink: this, mayReceive: () => true });
    const nothing = () => undefined;
    const origin: Origin = {
      kind: "nats",
      label: "somebody",
      mayPublish: () => true,
      onDenied: nothing,
      onSafe: nothing,
      pause: nothing,
      resume: nothing,
    };
    this.#door = this.account.open(origin);
  }

  deliver(batch: Batch, index: number): void {
    this.messages.push(`${subjectOf(batch, index)} ${payloadOf(batch, index)}`);
  }

  flush(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  send(subject: string, payload: string): void {
    const builder = new BatchBuilder();
    builder.beginOwn();
    builder.add({ subject, reply: "inbox.1", payload: Buffer.from(payload), flags: flagsFor(QOS_UNSTATED, false, false) });
    this.#door.publish(builder);
  }

  async hears(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.messages.find((message) => pattern.test(message));
      if (found !== undefined) return found;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
  }

  /** Resolves when the port of this name is as wanted; says how long that took. */
  async until(name: string, isWanted: (status: SerialPortStatus) => boolean): Promise<{ status: SerialPortStatus; ms: number }> {
    const began = performance.now();
    const look = () => this.ingress.status().find((status) => status.name === name)!;
    const { promise, resolve } = Promise.withResolvers<void>();
    using _ = this.ingress.watch(() => isWanted(look()) && resolve());
    if (!isWanted(look())) await promise;
    return { status: look(), ms: performance.now() - began };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ingress[Symbol.asyncDispose]();
  }
}

const isOpen = (status: SerialPortStatus) => status.state === "open";
const isAbsent = (status: SerialPortStatus) => status.state === "absent";

function port(name: string, match: Readonly<Record<string, string>>, more: Readonly<Record<string, unknown>> = {}) {
  return serialPort({ name, match, subject: "sensors.{name}.{field}", silence_after: null, error_budget: null, ...more });
}

const awake = { timeout: 40_000 };

test("plugged and unplugged, both noticed within two seconds, under another name of the kernel's too", awake, async () => {
  await using places = await FakeTtyPlaces.open();
  await using cable = await Cable.lay(places, "a");
  await using bench = await Bench.open(places, port("weather", { serial_number: "A9" }));
  assert.equal(bench.ingress.status()[0]!.cause, "no device matches usb serial A9; plug it in");
  for (const [i, name] of ["ttyUSB0", "ttyUSB1", "ttyACM3"].entries()) {
    await places.plugUsb(name, { usbPort: `1-1.${i}`, serialNumber: "A9" }, cable.near);
    const arrival = await bench.until("weather", isOpen);
    assert.ok(arrival.ms < NOTICED_MS, `arrival after ${arrival.ms} ms`);
    assert.equal(arrival.status.path, `${places.dev}/${name}`);
    await cable.send(`{"n":${i}}\n`);
    await bench.hears(new RegExp(`sensors.weather.n ${i}`));
    await places.unplug(name);
    const removal = await bench.until("weather", isAbsent);
    assert.ok(removal.ms < NOTICED_MS, `removal after ${removal.ms} ms`);
  }
  assert.equal(bench.ingress.status()[0]!.opens, 3);
});

test(
  "two equal adapters without serial numbers are told apart by where they are plugged in, whatever their order",
  awake,
  async () => {
    await using places = await FakeTtyPlaces.open();
    await using left = await Cable.lay(places, "left");
    await using right = await Cable.lay(places, "right");
    await using bench = await Bench.open(places, port("left", { usb_port: "1-1.1" }), port("right", { usb_port: "1-1.2" }));
    for (const [first, second] of [
      ["ttyUSB0", "ttyUSB1"],
      ["ttyUSB1", "ttyUSB0"],
    ] as const) {
      bench.messages.length = 0;
      await places.plugUsb(first, { usbPort: "1-1.1" }, left.near);
      await places.plugUsb(second, { usbPort: "1-1.2" }, right.near);
      await Promise.all([bench.until("left", isOpen), bench.until("right", isOpen)]);
      await left.send('{"n":1}\n');
      await right.send('{"n":2}\n');
      await Promise.all([bench.hears(/^sensors.left.n 1$/), bench.hears(/^sensors.right.n 2$/)]);
      assert.equal(bench.messages.length, 2);
      await places.unplug(first);
      await places.unplug(second);
      await Promise.all([bench.until("left", isAbsent), bench.until("right", isAbsent)]);
    }
  },
);

test("two ports of one adapter are told apart by interface, and a UART of the board by its name", awake, async () => {
  await using places = await FakeTtyPlaces.open();
  await using a = await Cable.lay(places, "a");
  await using b = await Cable.lay(places, "b");
  await using c = await Cable.lay(places, "c");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1", serialNumber: "S", interface: "0" }, a.near);
  await places.plugUsb("ttyUSB1", { usbPort: "1-1", serialNumber: "S", interface: "1" }, b.near);
  await places.plugUart("ttyAMA0", c.near);
  await using bench = await Bench.open(
    places,
    port("second", { usb_port: "1-1:1.1" }),
    port("first", { serial_number: "S", usb_port: "1-1:1.0" }),
    port("board", { path: `${places.dev}/ttyAMA0` }),
    port("vague", { serial_number: "S" }),
  );
  await Promise.all(["first", "second", "board"].map((name) => bench.until(name, isOpen)));
  for (const [i, cable] of [a, b, c].entries()) await cable.send(`{"n":${i}}\n`);
  await Promise.all([
    bench.hears(/^sensors.first.n 0$/),
    bench.hears(/^sensors.second.n 1$/),
    bench.hears(/^sensors.board.n 2$/),
  ]);
  assert.equal(bench.ingress.status()[3]!.code, "SERIAL_BUSY", "both are taken by those who name them more precisely");
});

test("an adapter swapped for its twin between two looks is opened anew", awake, async () => {
  await using places = await FakeTtyPlaces.open();
  await using cable = await Cable.lay(places, "a");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1", serialNumber: "OLD" }, cable.near);
  await using bench = await Bench.open(places, port("any", { vendor_id: "0403" }));
  await bench.until("any", isOpen);
  await places.unplug("ttyUSB0");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1", serialNumber: "NEW" }, cable.near);
  const { status } = await bench.until("any", (each) => each.identity?.includes("NEW") === true && each.state === "open");
  assert.equal(status.opens, 2);
});

test("commands reach the device byte for byte, and its answer comes back", awake, async () => {
  await using places = await FakeTtyPlaces.open();
  await using cable = await Cable.lay(places, "a");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1" }, cable.near);
  const settings = { write_subject: "cmd.{name}", write_payload: { type: "hex" }, write_answer: "5s", baud_rate: 115_200 };
  await using bench = await Bench.open(places, port("valve", { usb_port: "1-1" }, settings));
  await bench.until("valve", isOpen);
  bench.send("cmd.valve", "02 31 0D 0A 80 FF");
  assert.equal(await cable.hears(6), "\x021\r\n\x80\xff");
  await cable.send('{"valve":"open"}\n');
  assert.equal(await bench.hears(/^inbox/), 'inbox.1 {"valve":"open"}');
});

test("a large command goes out whole, through the system's small buffer", awake, async () => {
  await using places = await FakeTtyPlaces.open();
  await using cable = await Cable.lay(places, "a");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1" }, cable.near);
  await using bench = await Bench.open(
    places,
    port("valve", { usb_port: "1-1" }, { write_subject: "cmd", baud_rate: 4_000_000 }),
  );
  await bench.until("valve", isOpen);
  const bytes = "0123456789abcdef".repeat(4096);
  bench.send("cmd", bytes);
  assert.equal(await cable.hears(bytes.length), bytes);
  assert.match(await bench.hears(/^inbox/), /"ok":true,"port":"valve","bytes":65536/);
});

test("a device that goes while it is written to is said to be gone, and the command with it", awake, async () => {
  await using places = await FakeTtyPlaces.open();
  const cable = await Cable.lay(places, "a");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1" }, cable.near);
  await using bench = await Bench.open(places, port("valve", { usb_port: "1-1" }, { write_subject: "cmd", baud_rate: 50 }));
  await bench.until("valve", isOpen);
  bench.send("cmd", "x".repeat(1000)); // 200 s at 50 baud
  assert.equal(await cable.hears(1000), "x".repeat(1000));
  await cable[Symbol.asyncDispose]();
  await places.unplug("ttyUSB0");
  assert.match(await bench.hears(/^inbox/), /"ok":false,.*"error":"SERIAL_LOST"/);
  bench.messages.length = 0;
  await bench.until("valve", isAbsent);
  bench.send("cmd", "y");
  assert.match(
    await bench.hears(/^inbox/),
    /"error":"SERIAL_ABSENT","message":"not carried out: port valve is not open: no device/,
  );
});

test(
  "a lock file that was left behind holds nobody up; ours is there while the port is open, and gone after",
  awake,
  async () => {
    await using places = await FakeTtyPlaces.open();
    await using cable = await Cable.lay(places, "a");
    const pty = (await systemTty(systemClock(), places).find(cable.near))!.path;
    const lockFile = `${places.lockFolder}/LCK..${pty.split("/").at(-1)}`;
    const gone = await SpawnedProcess.start("true", []);
    await gone.exited;
    await writeFile(lockFile, `${String(gone.pid).padStart(10)}\n`);
    await places.plugUsb("ttyUSB0", { usbPort: "1-1" }, cable.near);
    {
      await using bench = await Bench.open(places, port("a", { usb_port: "1-1" }));
      await bench.until("a", isOpen);
      assert.equal(Number(await readFile(lockFile, "utf8")), process.pid);
    }
    assert.deepEqual(await readdir(places.lockFolder), []);
  },
);

test("a device that takes no bytes is given up after two seconds, and closing does not wait for it either", awake, async () => {
  await using places = await FakeTtyPlaces.open();
  await using cable = await Cable.lay(places, "a");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1" }, cable.near);
  await using bench = await Bench.open(
    places,
    port("valve", { usb_port: "1-1" }, { write_subject: "cmd", baud_rate: 4_000_000 }),
  );
  await bench.until("valve", isOpen);
  const began = performance.now();
  bench.send("cmd", "x".repeat(65_536)); // nobody reads at the other end
  assert.match(
    await bench.hears(/^inbox/),
    /"error":"SERIAL_WRITE_FAILED","message":"the device takes no bytes; check flow control/,
  );
  const { status } = await bench.until("valve", (each) => each.opens === 2 && each.state === "open");
  assert.equal(status.reopens, 1);
  bench.send("cmd", "x".repeat(65_536));
  await bench.ingress[Symbol.asyncDispose]();
  assert.ok(performance.now() - began < 6000, `${performance.now() - began} ms`);
});

test("onlookers see the bytes of an open port without taking it", awake, async () => {
  await using places = await FakeTtyPlaces.open();
  await using cable = await Cable.lay(places, "a");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1" }, cable.near);
  await using bench = await Bench.open(places, port("weather", { usb_port: "1-1" }));
  await bench.until("weather", isOpen);
  const socketPath = `${places.root}/serial.sock`;
  assert.equal(await dialTapSocket(socketPath, "weather"), undefined, "no daemon");
  const socket = await openTapSocket(socketPath, bench.ingress, { disk: systemDisk(), log: silentLog() });
  await using _ = socket;
  await assert.rejects(dialTapSocket(socketPath, "nobody"), {
    code: "SERIAL_ABSENT",
    message: 'the daemon has no port "nobody"',
  });
  const byName = (await dialTapSocket(socketPath, "weather"))!;
  const byDevice = (await dialTapSocket(socketPath, `${places.dev}/ttyUSB0`))!;
  assert.deepEqual(byName.facts.port, "weather");
  assert.equal(byDevice.facts.baud_rate, 9600);
  const heard = [byName, byDevice].map(async ({ socket: stream }) => {
    let text = "";
    for await (const chunk of stream) {
      text += String(chunk);
      if (text.endsWith("\n")) return text;
    }
    return text;
  });
  await cable.send('{"n":7}\n');
  assert.deepEqual(await Promise.all(heard), ['{"n":7}\n', '{"n":7}\n']);
  await bench.hears(/^sensors.weather.n 7$/);
  await socket[Symbol.asyncDispose]();
});

test(
  "an onlooker that reads too slowly, says nonsense or nothing at all is cut off, and the port does not wait for it",
  awake,
  async () => {
    await using places = await FakeTtyPlaces.open();
    const path = `${places.root}/serial.sock`;
    const given = Promise.withResolvers<(chunk: Buffer) => void>();
    const ended = Promise.withResolvers<void>();
    const facts = { port: "a", path: null, baud_rate: 9600, data_bits: 8, parity: "none", stop_bits: 1, cause: null } as const;
    const source: TapSource = {
      listen(port, onChunk) {
        if (port !== "a") return undefined;
        given.resolve(onChunk);
        return { facts, end: { [Symbol.dispose]: () => ended.resolve() } };
      },
    };
    await using _ = await openTapSocket(path, source, { disk: systemDisk(), log: silentLog() });
    const { socket } = (await dialTapSocket(path, "a"))!; // and reads no further
    const give = await given.promise;
    for (let i = 0; i < 64; i++) give(Buffer.alloc(64 * 1024)); // 4 MiB at once: the system takes a part, 1 MiB may wait
    await ended.promise;
    socket.destroy();
    for (const nonsense of ["\n", "[]\n", '{"port":7}\n', `${"x".repeat(2000)}\n`, "{"]) {
      const fool = createConnection(path);
      const answer: Buffer[] = [];
      fool.on("data", (chunk: Buffer) => answer.push(chunk)).on("error", () => undefined);
      fool.end(nonsense);
      await once(fool, "close");
      assert.ok(!Buffer.concat(answer).includes('"ok":true'), nonsense.slice(0, 20));
    }
  },
);
