// The serial devices as the kernel's own tree shows them: no udev, no helper program, the same in every container.
//
//   /sys/class/tty/ttyUSB0 ─▶ …/usb1/1-1/1-1.4/1-1.4:1.0/ttyUSB0/tty/ttyUSB0
//                                   │     │    └ interface      └ `device` leads here
//                                   │     └ the folder with idVendor, idProduct, serial: its name is the USB port
//
// Climbs from `device` towards the root and takes what it passes. A UART that the board only might have says type 0.
//
// A look costs one listing and one `stat` an entry that may be a device: what it is, is read when it is new. The kernel never gives the
// folder of a device the number of another, so a device that was swapped for its twin between two looks is seen, too.

import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { systemCode } from "#base/errors.ts";
import type { TtyInfo } from "#base/tty.ts";

type Usb = Omit<TtyInfo, "path" | "driver">;

const NO_USB: Usb = { vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null, product: null };

/** Sixty-odd entries that are never a device: not worth a call each, every second. */
const VIRTUAL = /^(tty\d*|console|ptmx)$/;
/** What of a device's own words is shown. */
const WORDS_CHARS_MAX = 128;

/** `sys`, `dev`: where the kernel's tree and the device files are; other than "/sys" and "/dev" only under test. */
export interface TreePlaces {
  readonly sys: string;
  readonly dev: string;
}

export class TtyTree {
  readonly #places: TreePlaces;
  /** By name; what was read of an entry, and which one it was. */
  #known = new Map<string, { readonly mark: string; readonly info: TtyInfo | undefined }>();

  constructor(places: TreePlaces) {
    this.#places = places;
  }

  /** All serial devices, sorted by name; undefined when this system has no such tree. */
  async list(): Promise<readonly TtyInfo[] | undefined> {
    let names: string[];
    try {
      names = await readdir(`${this.#places.sys}/class/tty`);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    }
    const before = this.#known;
    const known = new Map<string, { readonly mark: string; readonly info: TtyInfo | undefined }>();
    for (const name of names.sort()) {
      if (VIRTUAL.test(name)) continue;
      const mark = await markOf(`${this.#places.sys}/class/tty/${name}`);
      if (mark === undefined) continue; // it went away between the listing and here
      const old = before.get(name);
      known.set(name, old?.mark === mark ? old : { mark, info: await describeTty(this.#places, name) });
    }
    this.#known = known;
    return [...known.values()].map(({ info }) => info).filter((info) => info !== undefined);
  }
}

/** Tells one folder of the tree from another that has its name. */
async function markOf(entry: string): Promise<string | undefined> {
  try {
    const { ino, ctimeNs } = await stat(entry, { bigint: true });
    return `${ino} ${ctimeNs}`;
  } catch {
    return undefined;
  }
}

/** The device of this name, such as "ttyUSB0", or undefined when it is a console, a pty, an absent UART, or went away meanwhile. */
export async function describeTty({ sys, dev }: TreePlaces, name: string): Promise<TtyInfo | undefined> {
  const entry = `${sys}/class/tty/${name}`;
  let device: string;
  try {
    device = await realpath(`${entry}/device`);
  } catch {
    return undefined; // virtual terminals and ptys have no device; one just unplugged has none any more
  }
  if ((await readFact(`${entry}/type`)) === "0") return undefined;
  const root = await realpath(sys);
  return { path: `${dev}/${name}`, ...(await findUsb(device, root)), driver: await findDriver(device, root) };
}

async function findUsb(device: string, root: string): Promise<Usb> {
  let usbInterface: string | null = null;
  for (let folder = device; folder.length > root.length; folder = dirname(folder)) {
    if (usbInterface === null && (await readFact(`${folder}/bInterfaceNumber`)) !== null) usbInterface = basename(folder);
    const vendorId = await readFact(`${folder}/idVendor`);
    if (vendorId === null) continue;
    const [productId, serialNumber, maker, product] = await Promise.all(
      ["idProduct", "serial", "manufacturer", "product"].map((fact) => readFact(`${folder}/${fact}`)),
    );
    return {
      vendorId,
      productId: productId ?? null,
      serialNumber: serialNumber ?? null,
      usbPort: basename(folder),
      usbInterface,
      product: wordsOf(maker ?? null, product ?? null),
    };
  }
  return NO_USB;
}

function wordsOf(maker: string | null, product: string | null): string | null {
  const words = [maker, product].filter((word) => word !== null).join(" ");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is being removed
  return words === "" ? null : words.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "?").slice(0, WORDS_CHARS_MAX);
}

/** Newer kernels put two levels of their own between a UART and its driver: a `port` of a `ctrl`. */
async function findDriver(device: string, root: string): Promise<string | null> {
  for (let folder = device; folder.length > root.length; folder = dirname(folder)) {
    const driver = await realpath(`${folder}/driver`).then(basename, () => null);
    if (driver !== null && driver !== "port" && driver !== "ctrl") return driver;
  }
  return null;
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
