import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { listTtyTree } from "#ingress/serial/tty-tree.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

/** A tree as Linux shows it: an FTDI, a CDC-ACM, the board's own UART, an absent one, and a virtual terminal. */
async function plant(root: string): Promise<void> {
  const facts = async (folder: string, all: Readonly<Record<string, string>>) => {
    await mkdir(`${root}/${folder}`, { recursive: true });
    for (const [name, text] of Object.entries(all)) await writeFile(`${root}/${folder}/${name}`, `${text}\n`);
  };
  const link = async (name: string, device: string | null, all: Readonly<Record<string, string>> = {}) => {
    const real = device === null ? `devices/virtual/tty/${name}` : `${device}/tty/${name}`;
    await facts(real, all);
    if (device !== null) await symlink(`${root}/${device}`, `${root}/${real}/device`);
    await mkdir(`${root}/class/tty`, { recursive: true });
    await symlink(`${root}/${real}`, `${root}/class/tty/${name}`);
  };
  const hub = "devices/pci/usb1/1-1";
  await facts("devices/pci/usb1", { idVendor: "1d6b", idProduct: "0002", serial: "the root hub" });
  await facts(hub, { idVendor: "0424", idProduct: "2514" });
  await facts(`${hub}/1-1.4`, { idVendor: "0403", idProduct: "6001", serial: "A9XYZ" });
  await facts(`${hub}/1-1.4/1-1.4:1.0`, { bInterfaceNumber: "00" });
  await link("ttyUSB0", `${hub}/1-1.4/1-1.4:1.0/ttyUSB0`);
  await facts(`${hub}/1-1.2`, { idVendor: "2341", idProduct: "0043", serial: "" });
  await facts(`${hub}/1-1.2/1-1.2:1.0`, { bInterfaceNumber: "00" });
  await link("ttyACM0", `${hub}/1-1.2/1-1.2:1.0`);
  await facts("devices/platform/fe201000.serial", {});
  await link("ttyAMA0", "devices/platform/fe201000.serial", { type: "32" });
  await facts("devices/platform/serial8250", {});
  await link("ttyS3", "devices/platform/serial8250", { type: "0" });
  await link("tty1", null);
}

test("the kernel's tree gives ids, serial number and place, and leaves out what is no device", async () => {
  await using folder = await tempFolder("petiole-sys");
  await plant(folder.path);
  assert.deepEqual(await listTtyTree(folder.path), [
    {
      path: "/dev/ttyACM0",
      vendorId: "2341",
      productId: "0043",
      serialNumber: null,
      usbPort: "1-1.2",
      usbInterface: "1-1.2:1.0",
    },
    { path: "/dev/ttyAMA0", vendorId: null, productId: null, serialNumber: null, usbPort: null, usbInterface: null },
    {
      path: "/dev/ttyUSB0",
      vendorId: "0403",
      productId: "6001",
      serialNumber: "A9XYZ",
      usbPort: "1-1.4",
      usbInterface: "1-1.4:1.0",
    },
  ]);
});

test("a system without the tree is told from one without devices", async () => {
  await using folder = await tempFolder("petiole-sys");
  assert.equal(await listTtyTree(folder.path), undefined);
  await mkdir(`${folder.path}/class/tty`, { recursive: true });
  assert.deepEqual(await listTtyTree(folder.path), []);
});
