// Which device belongs to which port. Pure: the wishes and the devices that are there go in, one answer per wish comes out.
//
// A device is never guessed: when two fit and nothing tells them apart, the port waits and says so, because a reading under the
// wrong name is worse than none. A port keeps the device it has open; the more precise wish chooses first; no device serves two. What is
// left over is nobody's by that alone: only a device that a more precise wish names is out of the question for a vaguer one.

import type { TtyInfo } from "#base/tty.ts";
import type { SerialCode } from "./errors.ts";
import type { SerialPortOptions } from "./options.ts";

export type Match = SerialPortOptions["match"];

export interface Wish {
  readonly name: string;
  readonly match: Match;
  /** Path of the device the port has now, or null. */
  readonly held: string | null;
}

/** A fault in words, with its code. */
export interface Cause {
  readonly code: SerialCode;
  readonly text: string;
}

export type Answer = { readonly device: TtyInfo } | { readonly missing: Cause };

/** What the scan saw: all listed devices, and what each configured path leads to. */
export interface Sight {
  readonly devices: readonly TtyInfo[];
  readonly byPath: ReadonlyMap<string, TtyInfo>;
}

/** One answer per wish, in the order of the wishes. */
export function assignDevices(wishes: readonly Wish[], sight: Sight): readonly Answer[] {
  const answers = new Map<Wish, Answer>();
  const takenBy = new Map<string, Wish>();
  const choose = (wish: Wish, device: TtyInfo) => {
    answers.set(wish, { device });
    takenBy.set(device.path, wish);
  };
  for (const wish of wishes) {
    const held = candidates(wish.match, sight).find((device) => device.path === wish.held);
    if (held !== undefined) choose(wish, held);
  }
  const waiting = wishes.filter((wish) => !answers.has(wish)).sort((a, b) => precision(b.match) - precision(a.match));
  for (const wish of waiting) {
    const fitting = candidates(wish.match, sight);
    const meant = fitting.filter((device) => !isNamedBetter(wish, takenBy.get(device.path)));
    const free = meant.filter((device) => !takenBy.has(device.path));
    if (free.length === 0) answers.set(wish, { missing: explainNone(wish.match, fitting, takenBy) });
    else if (meant.length > 1) answers.set(wish, { missing: explainMany(wish.match, meant, takenBy) });
    else choose(wish, free[0]!);
  }
  return wishes.map((wish) => answers.get(wish)!);
}

/** Does the port that has the device say more clearly than this wish which one it wants? */
function isNamedBetter(wish: Wish, holder: Wish | undefined): boolean {
  return holder !== undefined && precision(holder.match) > precision(wish.match);
}

/** `usb 0403:6001 serial A9 at usb port 1-1.4`, in the words a technician finds in the settings. */
export function describeMatch(match: Match): string {
  if (match.path !== null) return match.path;
  return describeUsb(match.vendorId, match.productId, match.serialNumber, match.usbPort);
}

/**
 * The settings that recognise this device among all that are there, and again next year: by its serial number if it has one of its own,
 * else by where it is plugged in, else (a UART of the board) by its path. Keys as in the file.
 */
export function suggestMatch(device: TtyInfo, all: readonly TtyInfo[]): Readonly<Record<string, string>> {
  const { path, vendorId, productId, serialNumber, usbPort, usbInterface } = device;
  if (vendorId === null || productId === null || usbPort === null) return { path };
  const others = all.filter((each) => each.path !== path && each.vendorId === vendorId && each.productId === productId);
  const siblings = others.filter((each) => each.usbPort === usbPort); // other ports of the same adapter
  const ids = { vendor_id: vendorId, product_id: productId };
  const isOnlyOfItsNumber = serialNumber !== null && !others.some((each) => each.serialNumber === serialNumber);
  if (isOnlyOfItsNumber) return { ...ids, serial_number: serialNumber };
  return { ...ids, usb_port: siblings.length > 0 && usbInterface !== null ? usbInterface : usbPort };
}

/** The stable name of a device: by its USB ids, else by its path. */
export function identityOf(device: TtyInfo): string {
  if (device.vendorId === null) return device.path;
  return describeUsb(device.vendorId, device.productId, device.serialNumber, device.usbInterface ?? device.usbPort);
}

/** The same device in the same place; false when another was plugged in where the first had been. */
export function isSameDevice(a: TtyInfo, b: TtyInfo): boolean {
  return a.path === b.path && identityOf(a) === identityOf(b);
}

function candidates(match: Match, sight: Sight): readonly TtyInfo[] {
  if (match.path === null) return precision(match) === 0 ? [] : sight.devices.filter((device) => fits(match, device));
  const device = sight.byPath.get(match.path);
  return device !== undefined && fits(match, device) ? [device] : [];
}

/** Everything the wish names, the path aside. A USB port may be named as a whole ("1-1.4") or by interface ("1-1.4:1.2"). */
function fits(match: Match, device: TtyInfo): boolean {
  return (
    (match.vendorId === null || match.vendorId.toLowerCase() === device.vendorId?.toLowerCase()) &&
    (match.productId === null || match.productId.toLowerCase() === device.productId?.toLowerCase()) &&
    (match.serialNumber === null || match.serialNumber === device.serialNumber) &&
    (match.usbPort === null || match.usbPort === device.usbPort || match.usbPort === device.usbInterface)
  );
}

/** How much a wish names; the order of choosing. One interface is one device; a serial number may be that of all ports of an adapter. */
function precision(match: Match): number {
  const weigh = (fact: string | null, weight: number) => (fact === null ? 0 : weight);
  return (
    weigh(match.path, 32) +
    weigh(match.serialNumber, 8) +
    weigh(match.usbPort, match.usbPort?.includes(":") === true ? 16 : 4) +
    weigh(match.productId, 2) +
    weigh(match.vendorId, 1)
  );
}

function explainNone(match: Match, fitting: readonly TtyInfo[], takenBy: ReadonlyMap<string, Wish>): Cause {
  const taken = fitting[0];
  if (taken !== undefined) {
    const text = `${taken.path}, the device that matches ${describeMatch(match)}, serves port ${takenBy.get(taken.path)?.name}; plug in another or change the match`;
    return { code: "SERIAL_BUSY", text };
  }
  const text =
    match.path === null
      ? `no device matches ${describeMatch(match)}; plug it in`
      : `there is no ${match.path}; plug the device in`;
  return { code: "SERIAL_ABSENT", text };
}

function explainMany(match: Match, meant: readonly TtyInfo[], takenBy: ReadonlyMap<string, Wish>): Cause {
  const nameOf = (device: TtyInfo) => {
    const holder = takenBy.get(device.path);
    return `${device.path} (${identityOf(device)}${holder === undefined ? "" : `, serves port ${holder.name}`})`;
  };
  const names = meant.map(nameOf).join(", ");
  const text = `${meant.length} devices match ${describeMatch(match)}: ${names}; say which by serial_number or usb_port`;
  return { code: "SERIAL_AMBIGUOUS", text };
}

function describeUsb(
  vendorId: string | null,
  productId: string | null,
  serialNumber: string | null,
  port: string | null,
): string {
  const ids = vendorId === null && productId === null ? "" : ` ${vendorId ?? "*"}:${productId ?? "*"}`;
  return `usb${ids}${serialNumber === null ? "" : ` serial ${serialNumber}`}${port === null ? "" : ` at usb port ${port}`}`;
}
