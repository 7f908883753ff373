// The device's own readings on boards of the mind: what they show, what has changed enough, what hangs.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "#base/log.ts";
import { flagsOf, headersOf, payloadOf, subjectOf } from "#core/batch.ts";
import { type HostIngress, openHost } from "#ingress/host/host-ingress.ts";
import type { HostOptions } from "#ingress/host/options.ts";
import { PATIENCE_MS, PatientMachine } from "#ingress/host/patient-machine.ts";
import { AccountRouter } from "#router/router.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeHostMachine, JETSON, PI } from "../../../support/fake-host-machine.ts";

type Report = Readonly<Record<string, { readonly value: unknown; readonly unit?: string }>> & { readonly full: boolean };

class Rig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly machine: FakeHostMachine;
  readonly messages: string[] = [];
  readonly subjects: string[] = [];
  readonly headers: string[] = [];
  readonly flags = new Set<number>();
  readonly said: string[] = [];
  readonly account = new AccountRouter("EDGE", { bytes: (length: number) => Buffer.alloc(length), fraction: () => 0.5 } as never);
  ingress!: HostIngress;

  static async open(texts: Readonly<Record<string, string>>, wanted: Partial<HostOptions> = {}): Promise<Rig> {
    const rig = new Rig(texts);
    const options = { interval: 30_000, subject: "host.{server_name}", deadband: 2, fullEvery: 10, ...wanted };
    const say = (message: string) => void rig.said.push(message);
    const log: Log = { debug: say, info: say, warn: say, error: say, part: () => log };
    const { account, machine, clock } = rig;
    const time = { isTrusted: true, fault: null };
    rig.ingress = await openHost(options, { account, serverName: "gw-7", dataDir: "/data", time, machine, clock, log });
    return rig;
  }

  private constructor(texts: Readonly<Record<string, string>>) {
    this.machine = new FakeHostMachine(texts);
    this.account.subscribe({
      filter: ">",
      queue: null,
      mayReceive: () => true,
      sink: {
        deliver: (batch, index) => {
          this.subjects.push(subjectOf(batch, index));
          this.messages.push(payloadOf(batch, index).toString());
          this.headers.push(headersOf(batch, index).toString());
          this.flags.add(flagsOf(batch, index));
        },
        flush: () => undefined,
      },
    });
  }

  get last(): Report {
    return JSON.parse(this.messages.at(-1)!) as Report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ingress[Symbol.asyncDispose]();
    assert.equal(this.clock.pending, 0, "a timer was left behind");
  }
}

test("a Raspberry Pi tells all that its kernel shows, with units, and asks nobody to keep it", async () => {
  await using rig = await Rig.open(PI);
  await rig.clock.pass(1000);
  assert.deepEqual(rig.messages, [], "the first report comes after one interval");
  rig.machine.texts.set("/proc/stat", "cpu  200 0 150 850 0 0 0 0 0 0");
  await rig.clock.pass(29_000);
  assert.deepEqual(rig.subjects, ["host.gw-7"]);
  assert.deepEqual([...rig.flags], [3 << 2], "no QoS stated, not durable");
  assert.deepEqual(rig.last, {
    full: true,
    cpu_busy: { value: 75, unit: "%" },
    load_1m: { value: 0.42, unit: "processes" },
    load_15m: { value: 0.25, unit: "processes" },
    uptime: { value: 86_401, unit: "s" },
    memory_total: { value: 4e9, unit: "B" },
    memory_available: { value: 3e9, unit: "B" },
    process_memory: { value: 70e6, unit: "B" },
    temperature_cpu: { value: 61.2, unit: "°C" },
    under_voltage: { value: true },
    under_voltage_since_boot: { value: true },
    frequency_capped: { value: false },
    frequency_capped_since_boot: { value: false },
    throttled: { value: true },
    throttled_since_boot: { value: true },
    temperature_limited: { value: false },
    temperature_limited_since_boot: { value: false },
    disk_free: { value: 3e9, unit: "B" },
    disk_used: { value: 25, unit: "%" },
    mmcblk0_written: { value: 2048 * 512, unit: "B" },
    mmcblk0_life_used: { value: 20, unit: "%" },
    mmcblk0_spare_blocks: { value: "normal" },
    eth0_received: { value: 1_000_000, unit: "B" },
    eth0_sent: { value: 500_000, unit: "B" },
    eth0_errors: { value: 1, unit: "packets" },
    eth0_drops: { value: 5, unit: "packets" },
    wlan0_received: { value: 1, unit: "B" },
    wlan0_sent: { value: 2, unit: "B" },
    wlan0_errors: { value: 0, unit: "packets" },
    wlan0_drops: { value: 0, unit: "packets" },
    wwan0_received: { value: 77, unit: "B" },
    wwan0_sent: { value: 88, unit: "B" },
    wwan0_errors: { value: 0, unit: "packets" },
    wwan0_drops: { value: 0, unit: "packets" },
    eth0_state: { value: "up" },
    wlan0_state: { value: "up" },
    wwan0_state: { value: "down" },
    wlan0_quality: { value: 54, unit: "of 70" },
    wlan0_signal: { value: -56, unit: "dBm" },
    clock_trusted: { value: true },
    clock_synchronized: { value: true },
  });
});

test("a Jetson tells its rails and over-currents, and passes over a zone that is switched off", async () => {
  await using rig = await Rig.open(JETSON);
  await rig.clock.pass(30_000);
  const { last } = rig;
  assert.deepEqual(last["power_vdd_in"], { value: 7.46, unit: "W" });
  assert.deepEqual(last["over_current_events"], { value: 4, unit: "events" });
  assert.deepEqual(last["temperature_tj"], { value: 48, unit: "°C" });
  assert.equal(last["temperature_gpu"], undefined);
  assert.equal(last["under_voltage"], undefined);
});

test("a Pi without get_throttled tells under-voltage by its voltage monitor", async () => {
  const { "/sys/devices/platform/soc/soc:firmware/get_throttled": _, ...files } = PI;
  await using rig = await Rig.open(files);
  await rig.clock.pass(30_000);
  assert.deepEqual(rig.last["under_voltage"], { value: true });
  assert.equal(rig.last["throttled"], undefined);
});

test("a board that shows nothing still tells what every board has", async () => {
  await using rig = await Rig.open({});
  await rig.clock.pass(30_000);
  const names = Object.keys(rig.last);
  const wanted = ["full", "memory_total", "memory_available", "process_memory", "disk_free", "disk_used", "clock_trusted"];
  assert.deepEqual(names, wanted);
});

test("garbage in kernel files is absent, never a wrong number", async () => {
  const garbage = Object.fromEntries(Object.keys(PI).map((path) => [path, "\u0000 -- ~ 99999999999999999999999 NaN: x"]));
  await using rig = await Rig.open(garbage);
  await rig.clock.pass(90_000);
  for (const [name, entry] of Object.entries(rig.last)) {
    if (typeof entry === "object") assert.notEqual(entry.value, null, name);
  }
  assert.equal(rig.last["temperature_cpu"], undefined);
});

test("what has not changed is not told again, a drift is told once it amounts to something, and every tenth report is full", async () => {
  await using rig = await Rig.open(PI);
  await rig.clock.pass(30_000);
  await rig.clock.pass(60_000);
  assert.equal(rig.messages.length, 1, "nothing has changed");
  for (const milli of [61_500, 61_800, 62_100, 62_500]) {
    rig.machine.texts.set("/sys/class/thermal/thermal_zone0/temp", String(milli));
    await rig.clock.pass(30_000);
  }
  assert.deepEqual(rig.last, { full: false, temperature_cpu: { value: 62.5, unit: "°C" } });
  assert.equal(rig.messages.length, 2);
  rig.machine.texts.set("/sys/class/net/eth0/operstate", "down");
  await rig.clock.pass(30_000);
  assert.deepEqual(rig.last, { full: false, eth0_state: { value: "down" } });
  await rig.clock.pass(90_000);
  assert.equal(rig.last.full, true);
  assert.equal(rig.messages.length, 4);
});

test("without a deadband every change is told, with full_every 1 everything each time", async () => {
  await using rig = await Rig.open(PI, { deadband: 0 });
  await rig.clock.pass(30_000);
  rig.machine.texts.set("/proc/uptime", "86402.00 1.0");
  await rig.clock.pass(30_000);
  assert.deepEqual(rig.last, { full: false, uptime: { value: 86_402, unit: "s" } });
  await using all = await Rig.open(PI, { fullEvery: 1 });
  await all.clock.pass(90_000);
  assert.deepEqual(
    all.messages.map((text) => (JSON.parse(text) as Report).full),
    [true, true, true],
  );
});

test("with {field} each reading is a message of its own, its unit in a header", async () => {
  await using rig = await Rig.open(PI, { subject: "host.{server_name}.{field}" });
  await rig.clock.pass(30_000);
  const at = rig.subjects.indexOf("host.gw-7.temperature_cpu");
  assert.equal(rig.messages[at], "61.2");
  assert.equal(rig.headers[at], "NATS/1.0\r\nPetiole-Unit: °C\r\n\r\n");
  assert.equal(rig.messages[rig.subjects.indexOf("host.gw-7.eth0_state")], '"up"');
});

test("files that hang are absent, asked once, and the others are told in time", async () => {
  await using rig = await Rig.open(PI);
  await rig.clock.pass(30_000);
  rig.machine.hang.add("/sys/class/thermal/thermal_zone0/temp").add("room");
  await rig.clock.pass(30_000 * 9 + PATIENCE_MS + 100);
  await rig.clock.pass(30_000);
  assert.equal(rig.last.full, true);
  assert.equal(rig.last["temperature_cpu"], undefined);
  assert.equal(rig.last["disk_free"], undefined);
  assert.deepEqual(rig.last["eth0_state"], undefined, "with two of four threads hanging no further file is asked");
  assert.equal(rig.machine.asked.get("room"), 2, "once for the first report, once when it hung");
  assert.equal(rig.said.filter((line) => /disk room/.test(line)).length, 1);
  assert.deepEqual([...rig.ingress.status().hanging].sort(), ["/sys/class/thermal/thermal_zone0/temp", "room /data"]);
  rig.machine.answer();
  await rig.clock.pass(30_000 * 10);
  assert.deepEqual(rig.last["disk_free"], { value: 3e9, unit: "B" });
  assert.deepEqual(rig.ingress.status().hanging, []);
});

test("one file that hangs costs nobody else anything", async () => {
  await using rig = await Rig.open(PI, { fullEvery: 1 });
  rig.machine.hang.add("/sys/class/thermal/thermal_zone0/temp");
  await rig.clock.pass(30_000 + PATIENCE_MS + 10);
  await rig.clock.pass(30_000);
  assert.equal(rig.last["temperature_cpu"], undefined);
  assert.deepEqual(rig.last["eth0_state"], { value: "up" });
  assert.deepEqual(rig.last["disk_used"], { value: 25, unit: "%" });
  assert.ok(rig.machine.atOnceMax <= 3, "two at once, and one that hangs");
});

test("a file that hung for two who asked leaves as few questions at once as before, when it has answered", async () => {
  const [clock, board] = [new FakeClock(), new FakeHostMachine()];
  using machine = new PatientMachine(board, clock);
  board.hang.add("/slow");
  const asked = Promise.all([machine.files.read("/slow"), machine.files.read("/slow")]);
  await clock.pass(3_000);
  assert.deepEqual(await asked, [undefined, undefined]);
  assert.deepEqual(machine.hanging, ["/slow"]);
  board.answer();
  await clock.pass(1);
  assert.deepEqual(machine.hanging, []);
  const names = ["/a", "/b", "/c", "/d"];
  for (const name of names) board.hang.add(name);
  const others = Promise.all(names.map((name) => machine.files.read(name)));
  await clock.pass(1);
  assert.equal(names.filter((name) => board.asked.has(name)).length, 2, "two at once");
  board.answer();
  await clock.pass(1);
  board.answer();
  await others;
  assert.equal(clock.pending, 0);
});

test("a failing disk is told once in the log and leaves the rest alone", async () => {
  await using rig = await Rig.open(PI, { fullEvery: 1 });
  rig.machine.room = Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  await rig.clock.pass(90_000);
  assert.equal(rig.last["disk_free"], undefined);
  assert.deepEqual(rig.last["eth0_state"], { value: "up" });
  assert.equal(rig.said.length, 1);
});

test("closing while a look hangs waits for nobody and publishes nothing more", async () => {
  const rig = await Rig.open(PI);
  await rig.clock.pass(1000);
  rig.machine.hang.add("/proc/stat");
  await rig.clock.pass(29_500);
  await rig[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
  rig.machine.answer();
  await rig.clock.pass(60_000);
  assert.deepEqual(rig.messages, []);
});
