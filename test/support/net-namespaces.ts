// Two machines that are none: network namespaces joined by a virtual cable. `box` is where the firewall is, `peer` where a stranger sits.
//
//   box  10.77.0.1, fd77::1  ─ lan0 ═══ lan0 ─  10.77.0.2, fd77::2  peer
//
// What runs "in" one is started through `ip netns exec`. Disposing removes both and all that runs in them.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Exec, openExec } from "#base/exec.ts";
import { SpawnedProcess } from "./processes.ts";

const execute = promisify(execFile);

export const cannotMakeNamespaces = process.getuid?.() === 0 ? undefined : "making network namespaces needs root";

export type Side = "box" | "peer";

/** Accepts on the ports given and says so; answers every connection with its port. */
const LISTENER = `
const net = require("node:net");
let left = process.argv.length - 1;
for (const port of process.argv.slice(1)) net.createServer((s) => { s.on("error", () => {}); s.end(port); })
  .listen(Number(port), "::", () => { left -= 1; if (left === 0) console.log("listening"); });
`;

/** Reads "address port" lines; says "open", or why not, a line each. A connection that nobody answers is given up after a while. */
const PROBER = `
const net = require("node:net");
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [id, host, port, patience] = line.split(" ");
  const say = (word) => { if (!said) console.log(id + " " + word); said = true; socket.destroy(); };
  let said = false;
  const socket = net.connect({ host, port: Number(port) });
  socket.setTimeout(Number(patience), () => say("silence")).on("connect", () => say("open")).on("error", (error) => say(error.code));
});
console.log("ready");
`;

export class NetNamespaces implements AsyncDisposable {
  readonly #names: Readonly<Record<Side, string>>;
  readonly #scope = new AsyncDisposableStack();
  #prober: SpawnedProcess | undefined;
  #probes = 0;

  static async make(): Promise<NetNamespaces> {
    const made = new NetNamespaces();
    try {
      await made.#make();
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor() {
    const tail = `${process.pid}-${Math.floor(performance.now())}`;
    this.#names = { box: `ptl-box-${tail}`, peer: `ptl-peer-${tail}` };
  }

  /** What a command line begins with that shall run on that side. */
  command(side: Side): readonly ["ip", ...string[]] {
    return ["ip", "netns", "exec", this.#names[side]];
  }

  /** File that stands for the namespace: what a container is told to join. */
  place(side: Side): string {
    return `/run/netns/${this.#names[side]}`;
  }

  /** Programs run on that side; the seam that parts get. */
  exec(side: Side): Exec {
    const inner = openExec(process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin");
    const name = this.#names[side];
    return {
      run: (request, signal) =>
        inner.run({ ...request, file: "ip", args: ["netns", "exec", name, request.file, ...request.args] }, signal),
    };
  }

  /** Runs a program on that side and gives what it printed; rejects when it fails. */
  async run(side: Side, file: string, ...args: readonly string[]): Promise<string> {
    const { stdout } = await execute("ip", ["netns", "exec", this.#names[side], file, ...args]);
    return stdout;
  }

  /** Listens on these TCP ports in the box. */
  async listen(...ports: readonly number[]): Promise<void> {
    const args = ["netns", "exec", this.#names.box, process.execPath, "-e", LISTENER, ...ports.map(String)];
    const listener = this.#scope.use(await SpawnedProcess.start("ip", args));
    await listener.says(/^listening$/m);
  }

  /** From the peer: "open", "silence" after `patienceMs`, or the system's code. */
  async probe(host: string, port: number, patienceMs: number): Promise<string> {
    if (this.#prober === undefined) {
      const args = ["netns", "exec", this.#names.peer, process.execPath, "-e", PROBER];
      this.#prober = this.#scope.use(await SpawnedProcess.start("ip", args));
      await this.#prober.says(/^ready$/m);
    }
    this.#probes += 1;
    const id = `p${this.#probes}`;
    this.#prober.write(`${id} ${host} ${port} ${patienceMs}\n`);
    const [, word] = await this.#prober.says(new RegExp(`^${id} (\\S+)$`, "m"));
    return word!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
    for (const name of Object.values(this.#names)) await execute("ip", ["netns", "del", name]).catch(() => undefined);
  }

  async #make(): Promise<void> {
    const { box, peer } = this.#names;
    const ip = (...args: readonly string[]) => execute("ip", args);
    await ip("netns", "add", box);
    await ip("netns", "add", peer);
    await ip("-n", box, "link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", peer);
    for (const [name, last] of [
      [box, 1],
      [peer, 2],
    ] as const) {
      await ip("-n", name, "addr", "add", `10.77.0.${last}/24`, "dev", "lan0");
      await ip("-n", name, "addr", "add", `fd77::${last}/64`, "dev", "lan0", "nodad");
      await ip("-n", name, "link", "set", "lan0", "up");
      await ip("-n", name, "link", "set", "lo", "up");
    }
  }
}
