// What the process spends: pauses of its event loop, garbage collection, CPU, memory, bytes written to flash.

import { readFile } from "node:fs/promises";
import { constants, monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";

/** The event loop is looked at this often; what a look comes later than that is its delay. Each look is a wake-up of an idle box. */
const RESOLUTION_MS = 100;
const NS_PER_SECOND = 1e9;

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weak",
};

export interface RuntimeReport {
  /** Since the last report, in seconds; null if there was no time to look. */
  readonly eventLoopDelay: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number } | null;
  /** Since the start, per kind. */
  readonly pauses: readonly { readonly kind: string; readonly count: number; readonly seconds: number }[];
  readonly cpuSeconds: { readonly user: number; readonly system: number };
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
  /** Bytes this process had written to storage; null where the kernel does not say. */
  readonly storageWrittenBytes: number | null;
}

export class RuntimeFigures implements Disposable {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #observer: PerformanceObserver;
  readonly #pauses = new Map<string, { count: number; seconds: number }>();

  /** Looks from now on, until disposed. */
  constructor() {
    this.#delay.enable();
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.#onPause(entry, entry.duration);
    });
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  async report(): Promise<RuntimeReport> {
    const storageWrittenBytes = await storageWritten();
    const { user, system } = process.cpuUsage();
    const { heapUsed, external } = process.memoryUsage();
    return {
      eventLoopDelay: this.#takeDelay(),
      pauses: [...this.#pauses].map(([kind, pauses]) => ({ kind, ...pauses })),
      cpuSeconds: { user: user / 1e6, system: system / 1e6 },
      heapUsedBytes: heapUsed,
      externalBytes: external,
      storageWrittenBytes,
    };
  }

  [Symbol.dispose](): void {
    this.#delay.disable();
    this.#observer.disconnect();
  }

  #takeDelay(): RuntimeReport["eventLoopDelay"] {
    const delay = this.#delay;
    if (delay.count === 0) return null;
    const late = (ns: number) => Math.max(0, ns / NS_PER_SECOND - RESOLUTION_MS / 1000);
    const taken = {
      p50: late(delay.percentile(50)),
      p90: late(delay.percentile(90)),
      p99: late(delay.percentile(99)),
      max: late(delay.max),
    };
    delay.reset();
    return taken;
  }

  #onPause(entry: object, ms: number): void {
    const { detail } = entry as { readonly detail?: { readonly kind?: number } }; // of gc entries, says Node's documentation
    const kind = GC_KINDS[detail?.kind ?? -1] ?? "other";
    const pauses = this.#pauses.get(kind) ?? { count: 0, seconds: 0 };
    pauses.count += 1;
    pauses.seconds += ms / 1000;
    this.#pauses.set(kind, pauses);
  }
}

async function storageWritten(): Promise<number | null> {
  try {
    const found = /^write_bytes: (\d+)$/m.exec(await readFile("/proc/self/io", "utf8"))?.[1];
    return found === undefined ? null : Number(found);
  } catch {
    return null; // a kernel without task accounting, or not Linux
  }
}
