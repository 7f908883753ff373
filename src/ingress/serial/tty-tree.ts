// The serial devices as the kernel's own tree shows them: no udev, no helper program, the same in every container.
//
//   /sys/class/tty/ttyUSB0 ─▶ …/usb1/1-1/1-1.4/1-1.4:1.0/ttyUSB0/tty/ttyUSB0
//                                   │     │    └ interface      └ `device` leads here
//                                   │     └ the folder with idVendor, idProduct, serial: its name is the USB port
//
// Climbs from `device` towards the root and takes what it passes. A UART that the board only might have says type 0.

import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { systemCode } from "#base/errors.ts";
import type { TtyInfo } from "#base/tty.ts";

type Usb = Omit<TtyInfo, "path">;

const NO_USB: Usb = { vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null };

/** All serial devices, sorted by name; undefined when this system has no such tree. `sys` is "/sys" unless under test. */
export async function listTtyTree(sys: string): Promise<readonly TtyInfo[] | undefined> {
  let names: string[];
  try {
    names = await readdir(`${sys}/class/tty`);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const infos = await Promise.all(names.sort().map((name) => describeTty(sys, name)));
  return infos.filter((info) => info !== undefined);
}

/** The device of this name, such as "ttyUSB0", or undefined when it is a console, a pty, an absent UART, or went away meanwhile. */
export async function describeTty(sys: string, name: string): Promise<TtyInfo | undefined> {
  const entry = `${sys}/class/tty/${name}`;
  let device: string;
  try {
    device = await realpath(`${entry}/device`);
  } catch {
    return undefined; // virtual terminals and ptys have no device; one just unplugged has none any more
  }
  if ((await readFact(`${entry}/type`)) === "0") return undefined;
  return { path: `/dev/${name}`, ...(await findUsb(device, await realpath(sys))) };
}

async function findUsb(device: string, root: string): Promise<Usb> {
  let usbInterface: string | null = null;
  for (let folder = device; folder.length > root.length; folder = dirname(folder)) {
    if (usbInterface === null && (await readFact(`${folder}/bInterfaceNumber`)) !== null) usbInterface = basename(folder);
    const vendorId = await readFact(`${folder}/idVendor`);
    if (vendorId === null) continue;
    const [productId, serialNumber] = await Promise.all([readFact(`${folder}/idProduct`), readFact(`${folder}/serial`)]);
    return { vendorId, productId, serialNumber, usbPort: basename(folder), usbInterface };
  }
  return NO_USB;
}

/** One line of a kernel file, or null when there is none or it is empty. What a device says of itself is cut to a sane length. */
async function readFact(path: string): Promise<string | null> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    return text === "" ? null : text.slice(0, 256);
  } catch {
    return null; // absent, or the device went away between two looks
  }
}
