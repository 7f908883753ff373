// What the readings look at, as a seam: kernel files, the disk, the system's message bus, and what systeminformation
// knows. The real one is here.
//
// Of systeminformation we ask what it reads from files: on Linux, `mem` is one of few. Most of its functions start a shell
// (`currentLoad` even waits for it, and nothing else runs meanwhile); what those tell is in kernel files too, and readings/ reads it
// there. Nothing from outside is ever handed to it. test/integration/host.test.ts shows that no process is started.
// Its whole costs 75 ms at the start and 1.5 MB of the bundle; the one file that knows `mem` is loaded when it is first asked.

import type { Disk } from "#base/disk.ts";
import { type KernelFiles, systemKernelFiles } from "#base/kernel-files.ts";
import { type SystemBus, systemBus } from "./bus/system-bus.ts";

/** In bytes. */
export interface MemoryFacts {
  readonly total: number;
  readonly available: number;
  readonly swapTotal: number;
  readonly swapUsed: number;
}

export interface HostMachine {
  readonly files: KernelFiles;
  readonly disk: Pick<Disk, "space">;
  readonly bus: SystemBus;
  memory(): Promise<MemoryFacts>;
  /** Bytes of memory that this process holds. */
  processBytes(): number;
}

export function systemHostMachine(disk: Pick<Disk, "space">): HostMachine {
  return {
    files: systemKernelFiles(),
    disk,
    bus: systemBus(),
    async memory() {
      const { mem } = await import("systeminformation/lib/memory.js");
      const { total, available, swaptotal: swapTotal, swapused: swapUsed } = await mem();
      return { total, available, swapTotal, swapUsed };
    },
    processBytes: () => process.memoryUsage.rss(),
  };
}
