import assert from "node:assert/strict";
import { test } from "node:test";
import type { TtyInfo } from "#base/tty.ts";
import {
  assignDevices,
  describeMatch,
  identityOf,
  isSameDevice,
  type Match,
  type Sight,
  type Wish,
} from "#ingress/serial/match.ts";

const ANY: Match = { vendorId: null, productId: null, serialNumber: null, usbPort: null, path: null };

function device(path: string, usb: Partial<TtyInfo> = {}): TtyInfo {
  return { path, vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null, ...usb };
}

function ftdi(path: string, usbPort: string, serialNumber: string | null = null): TtyInfo {
  return device(path, { vendorId: "0403", productId: "6001", usbPort, usbInterface: `${usbPort}:1.0`, serialNumber });
}

function wish(name: string, match: Partial<Match>, held: string | null = null): Wish {
  return { name, match: { ...ANY, ...match }, held };
}

function sight(devices: readonly TtyInfo[], links: Readonly<Record<string, TtyInfo>> = {}): Sight {
  return { devices, byPath: new Map([...devices.map((info) => [info.path, info] as const), ...Object.entries(links)]) };
}

/** Each wish's device path, or the code of why not. */
function assigned(wishes: readonly Wish[], seen: Sight): string[] {
  return assignDevices(wishes, seen).map((answer) => ("device" in answer ? answer.device.path : answer.missing.code));
}

const FTDI = { vendorId: "0403", productId: "6001" };
const LEFT = ftdi("/dev/ttyUSB0", "1-1.2", "A1");
const RIGHT = ftdi("/dev/ttyUSB1", "1-1.4", "B2");

test("a device is found by its USB ids, in either case of the letters", () => {
  const arduino = device("/dev/ttyACM0", { vendorId: "2a03", productId: "004e" });
  assert.deepEqual(assigned([wish("a", { vendorId: "2A03", productId: "004E" })], sight([LEFT, arduino])), ["/dev/ttyACM0"]);
});

test("no device is a state in words that say what to do", () => {
  const [answer] = assignDevices([wish("a", FTDI)], sight([]));
  assert.deepEqual(answer, { missing: { code: "SERIAL_ABSENT", text: "no device matches usb 0403:6001; plug it in" } });
  const [byPath] = assignDevices([wish("a", { path: "/dev/ttyUSB7" })], sight([]));
  assert.deepEqual(byPath, { missing: { code: "SERIAL_ABSENT", text: "there is no /dev/ttyUSB7; plug the device in" } });
});

test("two equal adapters are not guessed between; the words name both and the settings that tell them apart", () => {
  const [answer] = assignDevices([wish("a", FTDI)], sight([LEFT, RIGHT]));
  assert.ok(answer !== undefined && "missing" in answer);
  assert.equal(answer.missing.code, "SERIAL_AMBIGUOUS");
  assert.match(
    answer.missing.text,
    /2 devices match usb 0403:6001: \/dev\/ttyUSB0 .*A1.*\/dev\/ttyUSB1 .*B2.*serial_number or usb_port/,
  );
});

test("two equal adapters are told apart by serial number, by usb port, by interface", () => {
  const seen = sight([LEFT, RIGHT]);
  const bySerial = [wish("b", { ...FTDI, serialNumber: "B2" }), wish("a", { ...FTDI, serialNumber: "A1" })];
  assert.deepEqual(assigned(bySerial, seen), ["/dev/ttyUSB1", "/dev/ttyUSB0"]);
  assert.deepEqual(assigned([wish("b", { usbPort: "1-1.4" }), wish("a", { usbPort: "1-1.2:1.0" })], seen), [
    "/dev/ttyUSB1",
    "/dev/ttyUSB0",
  ]);
});

test("the more precise wish chooses first, so a vague one gets what is left", () => {
  assert.deepEqual(assigned([wish("vague", FTDI), wish("exact", { ...FTDI, serialNumber: "A1" })], sight([LEFT, RIGHT])), [
    "/dev/ttyUSB1",
    "/dev/ttyUSB0",
  ]);
});

test("a port keeps the device it has when an equal one is plugged in", () => {
  assert.deepEqual(assigned([wish("a", FTDI, "/dev/ttyUSB0")], sight([LEFT, RIGHT])), ["/dev/ttyUSB0"]);
  assert.deepEqual(assigned([wish("a", FTDI, "/dev/ttyUSB0")], sight([RIGHT])), ["/dev/ttyUSB1"]);
});

test("what other ports have left over is no answer: a vague port waits, unless a more precise one names the other device", () => {
  const left = wish("left", FTDI, "/dev/ttyUSB0");
  const [, answer] = assignDevices([left, wish("right", FTDI)], sight([LEFT, RIGHT]));
  assert.ok(answer !== undefined && "missing" in answer);
  assert.equal(answer.missing.code, "SERIAL_AMBIGUOUS");
  assert.match(answer.missing.text, /ttyUSB0 \(.*, serves port left\), \/dev\/ttyUSB1/);
  const vendorOnly = wish("any", { vendorId: "0403" }, "/dev/ttyUSB0");
  assert.deepEqual(assigned([vendorOnly, wish("right", FTDI)], sight([LEFT, RIGHT])), ["/dev/ttyUSB0", "SERIAL_AMBIGUOUS"]);
  const third = ftdi("/dev/ttyUSB2", "1-1.3", "C3");
  const exact = wish("exact", { ...FTDI, serialNumber: "A1" });
  assert.deepEqual(assigned([exact, wish("vague", FTDI)], sight([LEFT, RIGHT])), ["/dev/ttyUSB0", "/dev/ttyUSB1"]);
  assert.deepEqual(assigned([exact, wish("vague", FTDI)], sight([LEFT, RIGHT, third])), ["/dev/ttyUSB0", "SERIAL_AMBIGUOUS"]);
});

test("a held path whose device is another kind now is given up", () => {
  const other = device("/dev/ttyUSB0", { vendorId: "10c4", productId: "ea60" });
  assert.deepEqual(assigned([wish("a", FTDI, "/dev/ttyUSB0")], sight([other])), ["SERIAL_ABSENT"]);
});

test("no device serves two ports; the second is told who has it", () => {
  const answers = assignDevices([wish("first", FTDI), wish("second", FTDI)], sight([LEFT]));
  assert.deepEqual(assigned([wish("first", FTDI), wish("second", FTDI)], sight([LEFT])), ["/dev/ttyUSB0", "SERIAL_BUSY"]);
  assert.ok(answers[1] !== undefined && "missing" in answers[1]);
  assert.match(answers[1].missing.text, /serves port first/);
});

test("two paths that lead to one device are one device", () => {
  const link = "/dev/serial/by-id/usb-FTDI";
  const wishes = [wish("a", { path: "/dev/ttyUSB0" }), wish("b", { path: link })];
  assert.deepEqual(assigned(wishes, sight([LEFT], { [link]: LEFT })), ["/dev/ttyUSB0", "SERIAL_BUSY"]);
});

test("a path with ids takes the device only if they agree", () => {
  assert.deepEqual(assigned([wish("a", { path: "/dev/ttyUSB0", serialNumber: "A1" })], sight([LEFT])), ["/dev/ttyUSB0"]);
  assert.deepEqual(assigned([wish("a", { path: "/dev/ttyUSB0", serialNumber: "B2" })], sight([LEFT])), ["SERIAL_ABSENT"]);
});

test("a wish that names nothing takes nothing", () => {
  assert.deepEqual(assigned([wish("a", {})], sight([LEFT])), ["SERIAL_ABSENT"]);
});

test("a device without USB is known by its path, one with USB by its ids and place", () => {
  assert.equal(identityOf(device("/dev/ttyAMA0")), "/dev/ttyAMA0");
  assert.equal(identityOf(LEFT), "usb 0403:6001 serial A1 at usb port 1-1.2:1.0");
  assert.equal(describeMatch({ ...ANY, vendorId: "0403" }), "usb 0403:*");
  assert.equal(describeMatch({ ...ANY, usbPort: "1-1.2" }), "usb at usb port 1-1.2");
});

test("another adapter under the old name is another device", () => {
  assert.equal(isSameDevice(LEFT, { ...LEFT }), true);
  assert.equal(isSameDevice(LEFT, { ...RIGHT, path: LEFT.path }), false);
});
