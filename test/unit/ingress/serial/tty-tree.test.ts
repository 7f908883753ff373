import assert from "node:assert/strict";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { isSameDevice } from "#ingress/serial/match.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { TtyTree } from "#ingress/serial/tty-tree.ts";
import { cycleUsbPower } from "#ingress/serial/usb-power.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { FakeTtyPlaces } from "../../../support/tty-places.ts";

const NO_USB = {
  vendorId: null,
  productId: null,
  serialNumber: null,
  usbPort: null,
  usbInterface: null,
  product: null,
  driver: null,
};

test("the kernel's tree gives ids, serial number, place and words, and leaves out what is no device", async () => {
  await using places = await FakeTtyPlaces.open();
  await places.plugUsb("ttyUSB0", { usbPort: "1-1.4", serialNumber: "A9XYZ", product: "FT232R \u001b[31mUART" });
  await places.plugUsb("ttyACM0", { usbPort: "1-1.2", vendorId: "2341", productId: "0043" });
  await places.plugUart("ttyAMA0");
  await places.plugUart("ttyTHS1", undefined, {});
  await places.plugUart("ttyS3", undefined, { type: "0" });
  await places.plugConsole("tty1");
  const [acm, ama, ths, usb, ...more] = (await new TtyTree(places).list()) ?? [];
  assert.deepEqual(more, []);
  assert.deepEqual(ama, { ...NO_USB, path: `${places.dev}/ttyAMA0` });
  assert.deepEqual(ths, { ...NO_USB, path: `${places.dev}/ttyTHS1` });
  assert.deepEqual(acm, {
    ...NO_USB,
    path: `${places.dev}/ttyACM0`,
    vendorId: "2341",
    productId: "0043",
    usbPort: "1-1.2",
    usbInterface: "1-1.2:1.0",
  });
  assert.deepEqual(usb, {
    ...NO_USB,
    path: `${places.dev}/ttyUSB0`,
    vendorId: "0403",
    productId: "6001",
    serialNumber: "A9XYZ",
    usbPort: "1-1.4",
    usbInterface: "1-1.4:1.0",
    product: "FT232R ?[31mUART",
  });
});

test("a system without the tree is told from one without devices", async () => {
  await using folder = await tempFolder("petiole-sys");
  const tree = new TtyTree({ sys: folder.path, dev: "/dev" });
  assert.equal(await tree.list(), undefined);
  const blind = systemTty(new FakeClock(), { sys: folder.path, dev: "/dev", proc: "/proc", lockFolder: folder.path });
  await assert.rejects(blind.list(), (error: Error) => /no .*class\/tty here; give this container .* "path"/.test(error.message));
  await mkdir(`${folder.path}/class/tty`, { recursive: true });
  assert.deepEqual(await tree.list(), []);
});

test("what is known of an entry is not read again, and what took its place is", async () => {
  await using places = await FakeTtyPlaces.open();
  await places.plugUsb("ttyUSB0", { usbPort: "1-1.4", serialNumber: "A1" });
  const tree = new TtyTree(places);
  const first = (await tree.list())![0]!;
  await writeFile(`${places.sys}/devices/usb1/1-1.4/serial`, "written over\n");
  const again = (await tree.list())![0]!;
  assert.equal(again, first, "the very object: nothing was read");
  await places.unplug("ttyUSB0");
  await places.plugUsb("ttyUSB0", { usbPort: "1-1.4", serialNumber: "B2" });
  const swapped = (await tree.list())![0]!;
  assert.equal(swapped.serialNumber, "B2");
  assert.equal(isSameDevice(first, swapped), false);
});

test("a device that goes away while the tree is read is left out", async () => {
  await using places = await FakeTtyPlaces.open();
  await places.plugUsb("ttyUSB0", { usbPort: "1-1.4" });
  await symlink(`${places.sys}/devices/usb1/9-9/gone`, `${places.sys}/class/tty/ttyUSB9`);
  assert.deepEqual(
    (await new TtyTree(places).list())?.map(({ path }) => path),
    [`${places.dev}/ttyUSB0`],
  );
});

test("a USB device is let go and taken again, and the switch of its port goes before", async () => {
  await using places = await FakeTtyPlaces.open();
  const devices = `${places.sys}/bus/usb/devices`;
  await mkdir(`${devices}/1-1.4`);
  const authorized = `${devices}/1-1.4/authorized`;
  await writeFile(authorized, "1");
  const clock = new FakeClock();
  const { signal } = new AbortController();
  const cycling = cycleUsbPower(places.sys, "1-1.4", clock, signal);
  while ((await readFile(authorized, "utf8")) !== "0" || clock.pending === 0) await clock.pass(0);
  await clock.pass(2000);
  await cycling;
  assert.equal(await readFile(authorized, "utf8"), "1");
  const hub = `${devices}/1-1:1.0/1-1-port4`;
  await mkdir(hub, { recursive: true });
  await writeFile(`${hub}/disable`, "0");
  const switched = cycleUsbPower(places.sys, "1-1.4", clock, signal);
  while ((await readFile(`${hub}/disable`, "utf8")) !== "1" || clock.pending === 0) await clock.pass(0);
  assert.equal(await readFile(authorized, "utf8"), "1", "the other way is not needed");
  await clock.pass(2000);
  await switched;
  assert.equal(await readFile(`${hub}/disable`, "utf8"), "0");
});

test("an aborted power cycle leaves the device on the bus; one that is impossible says why", async () => {
  await using places = await FakeTtyPlaces.open();
  const authorized = `${places.sys}/bus/usb/devices/2-1/authorized`;
  await mkdir(`${places.sys}/bus/usb/devices/2-1`);
  await writeFile(authorized, "1");
  const clock = new FakeClock();
  const abort = new AbortController();
  const cycling = assert.rejects(cycleUsbPower(places.sys, "2-1", clock, abort.signal), /enough/);
  while ((await readFile(authorized, "utf8")) !== "0" || clock.pending === 0) await clock.pass(0);
  abort.abort(new Error("enough"));
  await cycling;
  assert.equal(await readFile(authorized, "utf8"), "1");
  assert.equal(clock.pending, 0);
  await rename(authorized, `${authorized}.gone`);
  await assert.rejects(cycleUsbPower(places.sys, "2-1", clock, new AbortController().signal), {
    code: "SERIAL_POWER_CYCLE_FAILED",
    message: "cannot take USB port 2-1 off the bus: the device is not there any more",
  });
  await rm(places.sys, { recursive: true });
});
