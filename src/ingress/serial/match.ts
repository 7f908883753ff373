// Which device belongs to which port. Pure: the wishes and the devices that are there go in, one answer per wish comes out.
//
// A device is never guessed: when two fit and nothing tells them apart, the port waits and says so, because a reading under the
// wrong name is worse than none. A port keeps the device it has open; the more precise wish chooses first; no device serves two.

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
  const takenBy = new Map<string, string>();
  const choose = (wish: Wish, device: TtyInfo) => {
    answers.set(wish, { device });
    takenBy.set(device.path, wish.name);
  };
  for (const wish of wishes) {
    const held = candidates(wish.match, sight).find((device) => device.path === wish.held);
    if (held !== undefined) choose(wish, held);
  }
  const waiting = wishes.filter((wish) => !answers.has(wish)).sort((a, b) => precision(b.match) - precision(a.match));
  for (const wish of waiting) {
    const fitting = candidates(wish.match, sight);
    const free = fitting.filter((device) => !takenBy.has(device.path));
    if (free.length === 1) choose(wish, free[0]!);
    else
      answers.set(wish, {
        missing: free.length === 0 ? explainNone(wish.match, fitting, takenBy) : explainMany(wish.match, free),
      });
  }
  return wishes.map((wish) => answers.get(wish)!);
}

/** `usb 0403:6001 serial A9 at usb port 1-1.4`, in the words a technician finds in the settings. */
export function describeMatch(match: Match): string {
  if (match.path !== null) return match.path;
  return describeUsb(match.vendorId, match.productId, match.serialNumber, match.usbPort);
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

/** How much a wish names; the order of choosing. */
function precision(match: Match): number {
  const weigh = (fact: string | null, weight: number) => (fact === null ? 0 : weight);
  return (
    weigh(match.path, 16) +
    weigh(match.serialNumber, 8) +
    weigh(match.usbPort, 4) +
    weigh(match.productId, 2) +
    weigh(match.vendorId, 1)
  );
}

function explainNone(match: Match, fitting: readonly TtyInfo[], takenBy: ReadonlyMap<string, string>): Cause {
  const taken = fitting[0];
  if (taken !== undefined) {
    const text = `${taken.path}, the device that matches ${describeMatch(match)}, serves port ${takenBy.get(taken.path)}; plug in another or change the match`;
    return { code: "SERIAL_BUSY", text };
  }
  const text =
    match.path === null
      ? `no device matches ${describeMatch(match)}; plug it in`
      : `there is no ${match.path}; plug the device in`;
  return { code: "SERIAL_ABSENT", text };
}

function explainMany(match: Match, free: readonly TtyInfo[]): Cause {
  const names = free.map((device) => `${device.path} (${identityOf(device)})`).join(", ");
  const text = `${free.length} devices match ${describeMatch(match)}: ${names}; say which by serial_number or usb_port`;
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
