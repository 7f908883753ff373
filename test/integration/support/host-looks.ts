// A process that does nothing but look at its own machine, for test/integration/host.test.ts: LOOKS times, then says what it saw and how
// long its event loop stood still at most. A file that hangs is a named pipe nobody writes to, in place of a kernel file.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { payloadOf } from "#core/batch.ts";
import { HostIngress } from "#ingress/host/host-ingress.ts";
import { systemHostMachine } from "#ingress/host/host-machine.ts";
import { AccountRouter } from "#router/router.ts";

const LOOKS = 20;
const [hanging] = process.argv.slice(2);

const account = new AccountRouter("EDGE", systemEntropy());
let lastReport = "";
account.subscribe({
  filter: ">",
  queue: null,
  mayReceive: () => true,
  sink: {
    deliver: (batch, index) => {
      lastReport = payloadOf(batch, index).toString();
    },
    flush: () => undefined,
  },
});
const real = systemHostMachine(systemDisk());
const files = { ...real.files, read: (path: string) => real.files.read(path === "/proc/loadavg" ? (hanging ?? path) : path) };
const host = new HostIngress(
  { interval: 30_000, subject: "host.{server_name}", deadband: 2, fullEvery: 1 },
  {
    account,
    serverName: "bench",
    dataDir: "/",
    time: { isTrusted: true, fault: null },
    machine: { ...real, files },
    clock: systemClock(),
    log: silentLog(),
  },
);
const awake = setInterval(() => undefined, 1000); // the clock's timers do not keep a process alive
await host.look(); // loads what is loaded once
await sleep(100);
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
for (let i = 0; i < LOOKS; i++) {
  await host.look();
  await sleep(10);
}
delay.disable();
const { hanging: hangs } = host.status();
await host[Symbol.asyncDispose]();
clearInterval(awake);
process.stdout.write(
  `${JSON.stringify({ report: JSON.parse(lastReport) as unknown, hangs, p50Ms: delay.percentile(50) / 1e6, p99Ms: delay.percentile(99) / 1e6, maxMs: delay.max / 1e6 })}\n`,
);
process.exit(0); // a thread may still wait for the pipe
