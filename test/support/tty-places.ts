// A kernel's tree of serial devices in a folder: plug and unplug what a test wants, while a real pty carries the bytes.
//
//   <root>/sys/class/tty/ttyUSB0 ─▶ …/1-1.4/1-1.4:1.0/ttyUSB0/tty/ttyUSB0     as Linux shows it (src/ingress/serial/tty-tree.ts)
//   <root>/dev/ttyUSB0           ─▶ the pty
//   <root>/lock, <root>/proc                                                   lock files; processes (the real ones unless told otherwise)

import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import * as path from "node:path";
import type { TtyPlaces } from "#ingress/serial/system-tty.ts";
import { type TempFolder, tempFolder } from "./temp-folder.ts";

export interface FakeUsb {
  readonly usbPort: string;
  readonly vendorId?: string;
  readonly productId?: string;
  readonly serialNumber?: string;
  readonly product?: string;
  /** Number of the interface: "1" makes `1-1.4:1.1`. */
  readonly interface?: string;
}

export class FakeTtyPlaces implements TtyPlaces, AsyncDisposable {
  readonly #folder: TempFolder;
  readonly sys: string;
  readonly dev: string;
  readonly lockFolder: string;
  readonly proc = "/proc";

  static async open(): Promise<FakeTtyPlaces> {
    const places = new FakeTtyPlaces(await tempFolder("petiole-tty"));
    await mkdir(`${places.sys}/class/tty`, { recursive: true });
    for (const folder of [places.dev, places.lockFolder, `${places.sys}/bus/usb/devices`])
      await mkdir(folder, { recursive: true });
    return places;
  }

  private constructor(folder: TempFolder) {
    this.#folder = folder;
    this.sys = `${folder.path}/sys`;
    this.dev = `${folder.path}/dev`;
    this.lockFolder = `${folder.path}/lock`;
  }

  /** A folder beside the tree, for the ends of cables. */
  get root(): string {
    return this.#folder.path;
  }

  /** A USB adapter appears as `name`; `pty`: where its bytes go. */
  async plugUsb(name: string, usb: FakeUsb, pty?: string): Promise<void> {
    const { usbPort, vendorId = "0403", productId = "6001", serialNumber, product, interface: number = "0" } = usb;
    const device = `${this.sys}/devices/usb1/${usbPort}`;
    const facts = {
      idVendor: vendorId,
      idProduct: productId,
      ...(serialNumber && { serial: serialNumber }),
      ...(product && { product }),
    };
    await this.#facts(device, facts);
    await this.#facts(`${device}/${usbPort}:1.${number}`, { bInterfaceNumber: `0${number}` });
    await this.#entry(name, `${device}/${usbPort}:1.${number}/${name}`, {});
    await this.#node(name, pty);
  }

  /** A UART of the board. */
  async plugUart(name: string, pty?: string, facts: Readonly<Record<string, string>> = { type: "32" }): Promise<void> {
    await this.#entry(name, `${this.sys}/devices/platform/${name}.serial`, facts);
    await this.#node(name, pty);
  }

  async plugConsole(name: string): Promise<void> {
    await this.#facts(`${this.sys}/devices/virtual/tty/${name}`, {});
    await symlink(`${this.sys}/devices/virtual/tty/${name}`, `${this.sys}/class/tty/${name}`);
  }

  /** The device file goes first, then the entry, as the kernel does it. */
  async unplug(name: string): Promise<void> {
    await rm(`${this.dev}/${name}`, { force: true });
    await rm(`${this.sys}/class/tty/${name}`, { force: true });
    for (const folder of ["usb1", "platform"]) await rm(`${this.sys}/devices/${folder}`, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }

  async #entry(name: string, device: string, facts: Readonly<Record<string, string>>): Promise<void> {
    const real = `${device}/tty/${name}`;
    await this.#facts(real, facts);
    await symlink(device, `${real}/device`);
    await symlink(real, `${this.sys}/class/tty/${name}`);
  }

  async #node(name: string, pty: string | undefined): Promise<void> {
    if (pty === undefined) return;
    await symlink(pty, `${this.dev}/.${name}`);
    await rename(`${this.dev}/.${name}`, path.join(this.dev, name)); // it appears in one go
  }

  async #facts(folder: string, all: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const [name, text] of Object.entries(all)) await writeFile(`${folder}/${name}`, `${text}\n`);
  }
}
