// Steps that read kernel files and serial devices, on boards of the mind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { timestamp } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { PetioleError } from "#base/errors.ts";
import { parseConfig } from "#config/config.ts";
import type { Draft } from "#doctor/finding.ts";
import type { Scene } from "#doctor/scene.ts";
import { cardStep } from "#doctor/steps/card.ts";
import { daemonStep } from "#doctor/steps/daemon.ts";
import { diskStep } from "#doctor/steps/disk.ts";
import { interestStep } from "#doctor/steps/interest.ts";
import { interfacesStep } from "#doctor/steps/interfaces.ts";
import { isolationStep } from "#doctor/steps/isolation.ts";
import { permissionsStep } from "#doctor/steps/permissions.ts";
import { powerStep } from "#doctor/steps/power.ts";
import { sameNameStep } from "#doctor/steps/same-name.ts";
import { serialStep } from "#doctor/steps/serial.ts";
import type { StatusReport } from "#status/report.ts";
import { rejectionOf } from "#uplink/rejection.ts";
import { writeCrash } from "#watchdog/crash-record.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { fakeDisk } from "../../support/fake-disk.ts";
import { FakeHostMachine } from "../../support/fake-host-machine.ts";
import { FakeTty } from "../../support/fake-tty.ts";

const SIGNAL = new AbortController().signal;

function boardScene(texts: Readonly<Record<string, string>>, more: Partial<Scene["probe"]> = {}): Scene {
  const probe = { dataDir: "/data", machine: new FakeHostMachine(texts), interfaces: () => ({}), ...more } as Scene["probe"];
  return {
    probe,
    settings: new Error("none"),
    config: undefined,
    status: undefined,
    statusFault: undefined,
    hubs: [],
    nameless: new Set(),
  };
}

/** A running daemon that says so of itself. */
const saying = (words: object) =>
  ({
    version: "1",
    uptime_seconds: 1,
    device_id: "d",
    health: { verdict: "ok", reasons: [] },
    serial: [],
    remotes: [],
    ...words,
  }) as unknown as StatusReport;

const told = (drafts: readonly Draft[]) =>
  drafts.map(({ target, verdict, code }) => `${target ?? "device"} ${verdict} ${code ?? ""}`.trim());
const card = (life: string, spare: string) => ({
  "/sys/block/mmcblk0/size": "1000",
  "/sys/block/mmcblk0/device/life_time": life,
  "/sys/block/mmcblk0/device/pre_eol_info": spare,
});

test("a card's life: young, old, beyond it, and out of spare blocks", async () => {
  const of = async (texts: Readonly<Record<string, string>>) => told(await cardStep.run(boardScene(texts), SIGNAL));
  assert.deepEqual(await of(card("0x02 0x01", "0x01")), ["mmcblk0 fine"]);
  assert.deepEqual(await of(card("0x02 0x09", "0x01")), ["mmcblk0 warning DOCTOR_CARD_WORN"]);
  assert.deepEqual(await of(card("0x0b 0x01", "0x01")), ["mmcblk0 broken DOCTOR_CARD_WORN"]);
  assert.deepEqual(await of(card("0x01 0x01", "0x02")), ["mmcblk0 fine", "mmcblk0 warning DOCTOR_CARD_WORN"]);
  assert.deepEqual(await of(card("0x01 0x01", "0x03")), ["mmcblk0 fine", "mmcblk0 broken DOCTOR_CARD_WORN"]);
  assert.deepEqual(await of({ "/sys/block/mmcblk0/size": "1000" }), ["device skipped"]);
});

test("the power supply: good, weak now, weak earlier, and too hot", async () => {
  const of = async (bits: string) =>
    told(await powerStep.run(boardScene({ "/sys/devices/platform/soc/soc:firmware/get_throttled": bits }), SIGNAL));
  assert.deepEqual(await of("0"), ["device fine"]);
  assert.deepEqual(await of("50005"), ["device broken DOCTOR_UNDER_VOLTAGE"]);
  assert.deepEqual(await of("10000"), ["device warning DOCTOR_UNDER_VOLTAGE"]);
  assert.deepEqual(await of("40004"), ["device warning DOCTOR_THROTTLED"]);
  assert.deepEqual(await of("80000"), ["device warning DOCTOR_THROTTLED"]);
  assert.deepEqual(told(await powerStep.run(boardScene({}), SIGNAL)), ["device skipped"]);
});

test("interfaces: connected with an address, without one, with one it gave itself, unplugged, and none at all", async () => {
  const address = (text: string) => [
    { address: text, cidr: `${text}/24`, internal: false, family: "IPv4", mac: "", netmask: "" },
  ];
  const interfaces = () =>
    ({ eth0: address("192.168.1.7"), wlan0: address("169.254.3.4") }) as ReturnType<Scene["probe"]["interfaces"]>;
  const files = {
    "/sys/class/net/eth0/operstate": "up",
    "/sys/class/net/wlan0/operstate": "up",
    "/sys/class/net/usb0/operstate": "down",
    "/sys/class/net/docker0/operstate": "up",
  };
  assert.deepEqual(told(await interfacesStep.run(boardScene(files, { interfaces }), SIGNAL)), [
    "eth0 fine",
    "usb0 fine",
    "wlan0 warning DOCTOR_NO_ADDRESS",
  ]);
  const nothing = { "/sys/class/net/wlan0/operstate": "up" }; // what it gave itself leads nowhere
  assert.deepEqual(told(await interfacesStep.run(boardScene(nothing, { interfaces }), SIGNAL)), [
    "wlan0 warning DOCTOR_NO_ADDRESS",
    "device broken DOCTOR_NO_ADDRESS",
  ]);
  assert.deepEqual(told(await interfacesStep.run(boardScene({ "/sys/class/net/lo/operstate": "unknown" }), SIGNAL)), [
    "device broken DOCTOR_NO_INTERFACE",
  ]);
});

test("a serial device that another program has is named with that program; a free one is fine; it is never opened", async () => {
  const tty = new FakeTty();
  const free = tty.plug({ path: "/dev/ttyUSB0", vendorId: "0403", productId: "6001" });
  tty.plug({ path: "/dev/ttyUSB1", vendorId: "10c4", productId: "ea60" }).holder = "minicom (process 812)";
  const port = (name: string, vendor: string, product: string) => ({
    name,
    match: { vendor_id: vendor, product_id: product },
    framing: { type: "line" },
    decode: { type: "text" },
    subject: name,
  });
  const document = { serial: [port("free", "0403", "6001"), port("busy", "10c4", "ea60"), port("gone", "1a86", "7523")] };
  const { config, faults } = parseConfig(document, { deviceId: "0000000000", dataDir: "/data" });
  assert.deepEqual(faults, []);
  const scene = { ...boardScene({}, { env: { tty } as unknown as Scene["probe"]["env"] }), config };
  const drafts = await serialStep.run(scene, SIGNAL);
  assert.deepEqual(told(drafts), ["free fine", "busy broken DOCTOR_SERIAL_BUSY", "gone broken SERIAL_ABSENT"]);
  assert.equal(free.isOpen, false);
  assert.match(drafts[1]!.cause, /in use by minicom \(process 812\)/);
});

test("two doctors at a time, on the page and in a terminal, do not call each other's disk unusable", async () => {
  const disk = fakeDisk();
  await disk.makeDirectory("/data");
  const env = { disk, clock: new FakeClock(), entropy: { bytes: (count: number) => Buffer.alloc(count) } };
  const shared: Pick<Disk, "open" | "remove" | "space"> = {
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      await disk.remove(path); // the other one clears it away as left behind
      return file;
    },
    remove: (path) => disk.remove(path),
    space: (path) => disk.space(path),
  };
  const scene = boardScene({}, { env: { ...env, disk: shared } as unknown as Scene["probe"]["env"] });
  assert.deepEqual(
    (await diskStep.run(scene, SIGNAL)).map(({ verdict, cause }) => `${verdict} ${cause}`).at(-1),
    "fine the disk makes a message safe within 0 ms",
  );
});

test("where devices cannot be listed, ports that name a path are looked at all the same", async () => {
  const tty = new FakeTty();
  tty.plug({ path: "/dev/ttyS0" });
  tty.listFault = new PetioleError("SERIAL_LIST_FAILED", "there is no /sys/class/tty here; give this container /sys");
  tty.onlyListFails = true;
  const port = (name: string, match: object) => ({
    name,
    match,
    framing: { type: "line" },
    decode: { type: "text" },
    subject: name,
  });
  const look = async (...serial: readonly object[]) => {
    const { config, faults } = parseConfig({ serial } as never, { deviceId: "0000000000", dataDir: "/data" });
    assert.deepEqual(faults, []);
    const scene = { ...boardScene({}, { env: { tty } as unknown as Scene["probe"]["env"] }), config };
    return told(await serialStep.run(scene, SIGNAL));
  };
  const named = port("named", { path: "/dev/ttyS0" });
  assert.deepEqual(await look(named), ["named fine"]);
  assert.deepEqual(await look(named, port("usb", { vendor_id: "0403" })), ["named fine", "usb broken SERIAL_LIST_FAILED"]);
});

test("what the running daemon says of its ports counts more than what could be seen without it", async () => {
  const port = {
    name: "weather",
    path: "/dev/ttyUSB0",
    state: "open",
    code: null,
    cause: null,
    degraded: null,
    is_silent: false,
  };
  const serial = [
    port,
    { ...port, is_silent: true },
    { ...port, degraded: "half of its frames are broken; check the wire" },
    { ...port, code: "SERIAL_BUSY", cause: "/dev/ttyUSB0 is busy; end minicom", state: "waiting" },
  ];
  const document = {
    serial: [
      { name: "weather", match: { path: "/dev/ttyUSB0" }, framing: { type: "line" }, decode: { type: "text" }, subject: "w" },
    ],
  };
  const { config } = parseConfig(document, { deviceId: "0000000000", dataDir: "/data" });
  const drafts = await serialStep.run({ ...boardScene({}), config, status: saying({ serial }) }, SIGNAL);
  assert.deepEqual(told(drafts), [
    "weather fine",
    "weather warning DOCTOR_SERIAL",
    "weather warning DOCTOR_SERIAL",
    "weather broken SERIAL_BUSY",
  ]);
  assert.deepEqual([drafts[3]!.cause, drafts[3]!.remedy], ["/dev/ttyUSB0 is busy", "end minicom"]);
});

test("the daemon: well, degraded, failed, not ours to ask, not there, and after a run that did not end well", async () => {
  const disk = fakeDisk();
  await disk.makeDirectory("/data");
  const clock = new FakeClock();
  const probe = { lockHolder: () => Promise.resolve(undefined), env: { disk, clock } as unknown as Scene["probe"]["env"] };
  const look = (status: StatusReport | undefined, statusFault?: Error) =>
    daemonStep.run({ ...boardScene({}, probe), status, statusFault }, SIGNAL);
  const verdictOf = async (status: StatusReport | undefined, statusFault?: Error) => told(await look(status, statusFault));
  const health = (verdict: string) => saying({ health: { verdict, reasons: ["no link to the hub of EDGE"] } });
  assert.deepEqual(await verdictOf(saying({})), ["device fine"]);
  assert.deepEqual(await verdictOf(health("degraded")), ["device warning DOCTOR_DAEMON_DEGRADED"]);
  assert.deepEqual(await verdictOf(health("failed")), ["device broken DOCTOR_DAEMON_FAILED"]);
  const fault = (code: string) =>
    new PetioleError("NONE", "it is not yours to ask; run this as root", { cause: Object.assign(new Error(code), { code }) });
  assert.deepEqual(await verdictOf(undefined, fault("EACCES")), ["/data broken DOCTOR_DAEMON_SILENT"]);
  assert.deepEqual(await verdictOf(undefined, fault("ENOENT")), ["/data warning DOCTOR_DAEMON_STOPPED"]);

  const crash = {
    kind: "disk",
    reason: "the disk hangs: …",
    version: "0.1.0",
    uptimeSeconds: 7,
    inRow: 1,
    log: ["a line"],
  } as const;
  const day = 86_400_000;
  await writeCrash(disk, "/data", { ...crash, at: timestamp(clock.wall() - day) });
  const both = await look(undefined, fault("ENOENT"));
  assert.deepEqual(told(both), ["/data warning DOCTOR_DAEMON_STOPPED", "device warning DOCTOR_LAST_RUN"]);
  assert.match(both[1]!.cause, /an earlier run did not end well \(2025-12-31T\S+\): the disk hangs/);
  assert.match(both[1]!.remedy ?? "", /look at the card .* \/data\/last-crash\.json/);
  for (const at of [timestamp(clock.wall() - 8 * day), timestamp(clock.wall() + 8 * day), "never"]) {
    await writeCrash(disk, "/data", { ...crash, at });
    assert.deepEqual(await verdictOf(saying({})), ["device fine"], at);
  }
});

test("a name used twice is told while the links are throwing each other out, and no longer when ours has held for minutes", async () => {
  const url = {
    url: "tls://hub:7422",
    last_error: rejectionOf("tls://hub:7422", "Duplicate Remote LeafNode Connection").error.message,
  };
  const of = async (link: object) => {
    const status = saying({
      now: "2026-11-22T12:10:00.000Z",
      server_name: "gw-1",
      remotes: [{ name: "EDGE", link: { last_error: null, urls: [url], ...link } }],
    });
    return told(await sameNameStep.run({ ...boardScene({}), hubs: [{}] as unknown as Scene["hubs"], status }, SIGNAL));
  };
  assert.deepEqual(await of({ state: "waiting", since: "2026-11-22T12:09:58.000Z" }), ["EDGE broken LEAF_DUPLICATE"]);
  assert.deepEqual(await of({ state: "ready", since: "2026-11-22T12:09:50.000Z" }), ["EDGE broken LEAF_DUPLICATE"]);
  assert.deepEqual(await of({ state: "ready", since: "2026-11-22T12:00:00.000Z" }), ["device fine"]);
  assert.deepEqual(await of({ state: "ready", since: "2026-11-22T12:09:50.000Z", urls: [{ ...url, last_error: null }] }), [
    "device fine",
  ]);
});

test("steps behind the login, taken without it, are skipped and say why", async () => {
  const hubs = [
    { target: "tls://hub:7422", ref: "0.0", endedAt: null, visit: null, remote: { isolated: true } },
  ] as unknown as Scene["hubs"];
  const { config } = parseConfig({}, { deviceId: "0000000000", dataDir: "/data" });
  for (const step of [permissionsStep, isolationStep, interestStep]) {
    const [draft] = await step.run({ ...boardScene({}), config, hubs }, SIGNAL);
    assert.equal(draft!.verdict, "skipped", step.id);
    assert.match(draft!.cause, /the step "login" was left out/);
  }
});
