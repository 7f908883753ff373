// The daemon as a program, with a watchdog that loses patience after seconds instead of minutes, and with faults to order:
//
//   SIGUSR2       the event loop goes round and round in `spinForEver`
//   SIGHUP        the first thread sleeps in the kernel
//   SIGWINCH      every call to the disk hangs from then on
//   SIGPROF       something is thrown that nobody catches

import { systemClock } from "#base/clock.ts";
import { type Disk, systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { createLog, formatLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { watchdogLimits } from "#watchdog/limits.ts";
import { systemWatchdogMachine } from "#watchdog/machine.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { runDaemon } from "../../src/cli/run.ts";

const tail = new LogTail();
const clock = systemClock();
const log = createLog(clock, "info", (line) => {
  process.stderr.write(`${formatLine(line)}\n`);
  tail.add(line);
});
let isHanging = false;

/** Whoever asks for the disk while it hangs never hears of it again. */
const disk = new Proxy<Disk>(systemDisk(), {
  get: (target, name) => {
    const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
    return (...args: unknown[]) => (isHanging ? Promise.withResolvers().promise : call.apply(target, args));
  },
});

/** Calls nothing, so wherever it is looked at, it is in itself. */
function spinForEver(): void {
  for (let turns = 0; ; turns = (turns + 1) % 2) if (turns < 0) return;
}

process.on("SIGUSR2", spinForEver);
process.on("SIGWINCH", () => {
  isHanging = true;
  log.info("the disk hangs from here on");
});
process.on("SIGPROF", () => {
  throw new TypeError("a bug to order");
});

const dataDir = process.argv[2]!;
const env = { clock, disk, net: systemNet(), tty: systemTty(), entropy: systemEntropy(), log };
const signals = {
  on: (name: NodeJS.Signals, listener: () => void) =>
    process.on(name, name === "SIGHUP" ? () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) : listener),
  off: (name: NodeJS.Signals, listener: () => void) => process.off(name, listener),
};
const limits = {
  ...watchdogLimits,
  beatMs: 100,
  loopLookMs: 200,
  loopMs: 4_000,
  lookMs: 200,
  diskToldMs: 600,
  diskMs: 2_000,
  recordMs: 500,
};
const machine = { ...systemWatchdogMachine(), limits };
process.exitCode = await runDaemon({ dataDir }, {}, env, signals, { tail, folder: null }, machine);
