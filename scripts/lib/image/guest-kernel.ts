// A kernel to boot the image's root file system with: Debian's own for arm64, unpacked and not installed, and a first root in memory
// with the modules of the devices that QEMU gives the guest. Kept in the cache folder.
//
//   linux-image-arm64 ─▶ vmlinuz
//                     └▶ modules ─┐
//   busybox of the image ─────────┼─▶ initramfs.cpio.gz
//   image/guest-init ─────────────┘
//
// MIRROR, SUITE and KEYRING as for image/rootfs.sh.

import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { runCommand } from "../command.ts";
import { ROOT } from "../suites.ts";

export interface GuestKernel {
  readonly kernel: string;
  readonly initramfs: string;
}

/** What the guest's first program is: mounts, and a shell for the test. */
const INIT = path.join(ROOT, "test/image/support/guest-init.sh");
/** What QEMU's devices need, with all that these need. */
const MODULES = [
  "virtio_pci",
  "virtio_blk",
  "virtio_net",
  "virtio_console",
  "ext4",
  "xhci_pci",
  "usbserial",
  "ftdi_sio",
  "cdc_acm",
] as const;
/** What the packet filter asks the kernel for; which it needs is its own affair. */
const FILTER_MODULES = "kernel/net/netfilter/{nf,nft}_*.ko*";
const KERNEL_PACKAGE = "linux-image-arm64";

/** `root`: the image's root file system, whose busybox is the guest's first shell. */
export async function guestKernel(root: string, say: (line: string) => void): Promise<GuestKernel> {
  const busybox = path.join(root, "usr/bin/busybox");
  const key = createHash("sha256");
  for (const file of [INIT, busybox, import.meta.filename]) key.update(await fs.readFile(file));
  const folder = path.join(ROOT, ".cache", `guest-arm64-${key.digest("hex").slice(0, 16)}`);
  const guest = { kernel: path.join(folder, "vmlinuz"), initramfs: path.join(folder, "initramfs.cpio.gz") };
  if ((await fs.stat(guest.initramfs).catch(() => undefined)) !== undefined) return guest;
  await fs.mkdir(path.dirname(folder), { recursive: true });
  const scratch = await fs.mkdtemp(`${folder}-`);
  try {
    say(`fetching Debian's ${KERNEL_PACKAGE} …`);
    const unpacked = path.join(scratch, "unpacked");
    await unpackKernel(unpacked);
    const tree = path.join(scratch, "tree");
    await layOut(unpacked, tree, busybox);
    const fresh = path.join(scratch, "fresh");
    await fs.mkdir(fresh);
    const [kernel = ""] = await Array.fromAsync(fs.glob("boot/vmlinuz-*", { cwd: unpacked }));
    await fs.copyFile(path.join(unpacked, kernel), path.join(fresh, "vmlinuz"));
    const pack = `find . -print0 | LC_ALL=C sort -z | cpio --null --create --format=newc --quiet --owner=0:0 | gzip -n -1 > "$1"`;
    await runCommand("sh", ["-c", pack, "pack", path.join(fresh, "initramfs.cpio.gz")], { cwd: tree });
    await fs.rename(fresh, folder).catch(async (error: unknown) => {
      if ((await fs.stat(guest.initramfs).catch(() => undefined)) === undefined) throw error; // else somebody was quicker
    });
  } finally {
    await fs.rm(scratch, { recursive: true, force: true });
  }
  return guest;
}

async function unpackKernel(folder: string): Promise<void> {
  const { MIRROR = "http://deb.debian.org/debian", SUITE = "trixie", KEYRING } = process.env;
  await runCommand("mmdebstrap", [
    "--quiet",
    "--variant=extract",
    "--mode=root",
    "--architectures=arm64",
    `--include=${KERNEL_PACKAGE}`,
    '--aptopt=Acquire::Languages "none"',
    ...(KEYRING === undefined ? [] : [`--keyring=${KEYRING}`]),
    SUITE,
    folder,
    `deb ${MIRROR} ${SUITE} main`,
  ]);
}

/** The first root: busybox as every command, the modules unpacked (busybox knows no xz), our init. */
async function layOut(unpacked: string, tree: string, busybox: string): Promise<void> {
  const modules = path.join(unpacked, "usr/lib/modules");
  const [version = ""] = await fs.readdir(modules);
  await runCommand("depmod", ["-b", path.join(unpacked, "usr"), version]);
  const listed = await runCommand("modprobe", [
    "-d",
    path.join(unpacked, "usr"),
    "-S",
    version,
    "-a",
    "--show-depends",
    ...MODULES,
  ]);
  const needed = [...listed.matchAll(/^insmod (\S+)/gm)].map(([, file]) => path.relative(path.join(modules, version), file!));
  const filter = await Array.fromAsync(fs.glob(FILTER_MODULES, { cwd: path.join(modules, version) }));
  const rest = await runCommand("modprobe", [
    ...["-d", path.join(unpacked, "usr"), "-S", version, "-a", "--show-depends"],
    ...filter.map((file) => path.basename(file).replace(/\.ko.*$/, "")),
  ]);
  const more = [...rest.matchAll(/^insmod (\S+)/gm)].map(([, file]) => path.relative(path.join(modules, version), file!));
  const target = path.join(tree, "lib/modules", version);
  for (const file of new Set([...needed, ...more])) {
    const copy = path.join(target, file);
    await fs.mkdir(path.dirname(copy), { recursive: true });
    await fs.copyFile(path.join(modules, version, file), copy);
    if (copy.endsWith(".xz")) await runCommand("xz", ["--decompress", copy]);
  }
  for (const name of ["modules.order", "modules.builtin", "modules.builtin.modinfo"]) {
    await fs.copyFile(path.join(modules, version, name), path.join(target, name));
  }
  await runCommand("depmod", ["-b", tree, version]);
  for (const name of ["bin", "sbin", "dev", "proc", "sys", "root"]) await fs.mkdir(path.join(tree, name), { recursive: true });
  await fs.copyFile(busybox, path.join(tree, "bin/busybox"));
  await fs.chmod(path.join(tree, "bin/busybox"), 0o755);
  for (const name of ["bin/sh", "sbin/modprobe"]) await fs.symlink("/bin/busybox", path.join(tree, name));
  await fs.writeFile(path.join(tree, "modules"), `${MODULES.join("\n")}\n`);
  await fs.copyFile(INIT, path.join(tree, "init"));
  await fs.chmod(path.join(tree, "init"), 0o755);
}
