// A whole arm64 machine that runs the image's root file system: QEMU, Debian's kernel, two disks, a network card in the box's namespace,
// and a USB controller that serial adapters are plugged into while it runs.
//
//   test ── QMP ──▶ qemu: plug in, pull out             sensor ── socket ──▶ usb-serial (an FTDI adapter) ──▶ /dev/ttyUSB0
//        ── hvc0 ─▶ a shell inside                      tap0 ─ br0 ─ lan0 ═══ lan0  peer
//        ◀ ttyAMA0  what the daemon says

import * as fs from "node:fs/promises";
import * as net from "node:net";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { runCommand } from "../../../scripts/lib/command.ts";
import type { GuestKernel } from "../../../scripts/lib/image/guest-kernel.ts";
import type { NetNamespaces } from "../../support/net-namespaces.ts";
import { SpawnedProcess } from "../../support/processes.ts";
import { type TempFolder, tempFolder } from "../../support/temp-folder.ts";

export interface GuestOptions {
  readonly kernel: GuestKernel;
  /** Images of two disks: the root file system, never written, and /data. */
  readonly rootDisk: string;
  readonly dataDisk: string;
  readonly net: NetNamespaces;
  /** What the clock chip shows at power-on: `2015-01-01T00:00:00`. Absent: the right time. */
  readonly rtc?: string;
}

/** Emulated, everything takes some twenty times as long. */
const PATIENCE_MS = 150_000;
const DATA_BYTES = "192M";

/** An ext4 disk image with what is in the folder. */
export async function makeDisk(file: string, folder: string, size: string = DATA_BYTES): Promise<void> {
  await fs.rm(file, { force: true });
  await runCommand("mke2fs", ["-q", "-t", "ext4", "-d", folder, "-E", "root_owner=0:0", file, size]);
}

/** The box's end of the virtual cable goes to the guest, once for all guests of this network. */
export async function giveNetwork(network: NetNamespaces): Promise<void> {
  for (const line of [
    "addr flush dev lan0",
    "link add br0 type bridge",
    "link set br0 up",
    "link set lan0 master br0",
    "tuntap add tap0 mode tap",
    "link set tap0 master br0",
    "link set tap0 up",
  ])
    await network.run("box", "ip", ...line.split(" "));
}

/** The other end of an adapter's wire. */
export class Sensor implements AsyncDisposable {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket.on("error", () => undefined); // pulled out
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** Resolves with what was sent to the device, when it is all there. */
  async hears(text: string): Promise<void> {
    let heard = "";
    for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
      heard += String(chunk);
      if (heard.includes(text)) return;
    }
    throw new Error(`waited for ${JSON.stringify(text)} on the wire, heard ${JSON.stringify(heard)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }
}

export class Guest implements AsyncDisposable {
  /** Its console: the kernel's last words, the entry script's and the daemon's. */
  readonly console: SpawnedProcess;
  readonly #folder: TempFolder;
  readonly #qmp: LineTalk;
  readonly #shell: LineTalk;
  #plugged = 0;

  /** Resolves when the daemon says that it is running. */
  static async boot(options: GuestOptions): Promise<Guest> {
    await using scope = new AsyncDisposableStack();
    const folder = scope.use(await tempFolder("petiole-guest"));
    const [command, ...inBox] = options.net.command("box");
    const file = (name: string) => path.join(folder.path, name);
    const { kernel, rtc = "utc" } = options;
    const args = [
      ...[
        "-M",
        "virt",
        "-cpu",
        "cortex-a72",
        "-smp",
        "2",
        "-m",
        "1024",
        "-accel",
        "tcg,thread=multi",
        "-nodefaults",
        "-no-reboot",
      ],
      ...["-kernel", kernel.kernel, "-initrd", kernel.initramfs, "-append", "console=ttyAMA0 quiet panic=-1 rdinit=/init"],
      ...["-display", "none", "-serial", "stdio", "-rtc", `base=${rtc}`],
      ...["-drive", `if=none,id=root,file=${options.rootDisk},format=raw,readonly=on`, "-device", "virtio-blk-pci,drive=root"],
      ...["-drive", `if=none,id=data,file=${options.dataDisk},format=raw`, "-device", "virtio-blk-pci,drive=data"],
      ...["-netdev", "tap,id=lan,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=lan,romfile="],
      ...["-device", "virtio-serial-pci", "-chardev", `socket,id=shell,path=${file("shell")},server=on,wait=off`],
      ...["-device", "virtconsole,chardev=shell", "-device", "qemu-xhci,id=xhci"],
      ...["-qmp", `unix:${file("qmp")},server=on,wait=off`],
    ];
    const console = scope.use(await SpawnedProcess.start(command!, [...inBox, "qemu-system-aarch64", ...args]));
    await console.says(/guest: booted/, PATIENCE_MS);
    const qmp = scope.use(await LineTalk.to(file("qmp")));
    await qmp.hears(/"QMP"/);
    await qmp.asks('{"execute":"qmp_capabilities"}', /"return"/);
    const shell = scope.use(await LineTalk.to(file("shell")));
    await console.says(/ running /, PATIENCE_MS);
    return new Guest(folder, console, qmp, shell, scope.move());
  }

  readonly #scope: AsyncDisposableStack;

  private constructor(folder: TempFolder, console: SpawnedProcess, qmp: LineTalk, shell: LineTalk, scope: AsyncDisposableStack) {
    this.#folder = folder;
    this.console = console;
    this.#qmp = qmp;
    this.#shell = shell;
    this.#scope = scope;
  }

  /** A new USB serial adapter (0403:6001) with a wire to somebody. Pulling it out is `unplug`. */
  async plug(): Promise<{ readonly sensor: Sensor; unplug(): Promise<void> }> {
    this.#plugged += 1;
    const id = `adapter${this.#plugged}`;
    const wire = path.join(this.#folder.path, id);
    const backend = { type: "socket", data: { addr: { type: "unix", data: { path: wire } }, server: true, wait: false } };
    await this.#does("chardev-add", { id, backend });
    const socket = net.connect(wire);
    await new Promise<void>((resolve, reject) => void socket.once("connect", resolve).once("error", reject));
    await this.#does("device_add", { driver: "usb-serial", chardev: id, id, bus: "xhci.0" });
    return {
      sensor: new Sensor(socket),
      unplug: async () => {
        await this.#does("device_del", { id });
        await this.#qmp.hears(new RegExp(`"DEVICE_DELETED".*"${id}"`));
        socket.destroy();
      },
    };
  }

  /** Runs a line in the guest, outside the container; what it said. */
  async run(line: string): Promise<string> {
    this.#shell.write(`${line}\n`);
    const heard = await this.#shell.hears(/~~done (\d+)/, PATIENCE_MS);
    const said = heard.text.slice(0, heard.index);
    if (heard[1] !== "0") throw new Error(`in the guest, ${line} ended with ${heard[1]}: ${said}`);
    return said;
  }

  /** From one moment to the next, with all that was not on the disks. */
  async cutPower(): Promise<void> {
    await this.console.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }

  async #does(execute: string, args: Readonly<Record<string, unknown>>): Promise<void> {
    const answer = await this.#qmp.asks(JSON.stringify({ execute, arguments: args }), /"(return|error)": .*/);
    if (answer[1] === "error") throw new Error(`QEMU would not ${execute}: ${answer[0]}`);
  }
}

/** Lines to and from a socket; what was understood once is not heard again. */
class LineTalk implements AsyncDisposable {
  readonly #socket: net.Socket;
  readonly #listeners = new Set<() => void>();
  #heard = "";

  static async to(file: string): Promise<LineTalk> {
    const socket = net.connect(file);
    await new Promise<void>((resolve, reject) => void socket.once("connect", resolve).once("error", reject));
    return new LineTalk(socket);
  }

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on("error", () => undefined); // the machine was switched off
    createInterface({ input: socket }).on("line", (line) => {
      this.#heard += `${line}\n`;
      for (const listener of [...this.#listeners]) listener();
    });
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  async asks(line: string, answer: RegExp): Promise<Heard> {
    this.write(`${line}\n`);
    return await this.hears(answer);
  }

  /** What was said up to what the pattern matches is forgotten then. */
  async hears(pattern: RegExp, patienceMs = 30_000): Promise<Heard> {
    const { promise, resolve, reject } = Promise.withResolvers<Heard>();
    const look = () => {
      const found = pattern.exec(this.#heard);
      if (found === null) return;
      const text = this.#heard;
      this.#heard = text.slice(found.index + found[0].length);
      resolve(Object.assign(found, { text }));
    };
    const timer = setTimeout(() => reject(new Error(`waited for ${pattern}, heard ${this.#heard.slice(-2000)}`)), patienceMs);
    this.#listeners.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(look);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }
}

type Heard = RegExpExecArray & { readonly text: string };
