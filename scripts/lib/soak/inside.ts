// Loaded into the daemon under soak (`node --import`): on SIGUSR2 it collects all garbage and writes what is still held, one line of
// JSON, to the file that SOAK_FILE names. The daemon itself knows nothing of it.

import { appendFileSync, readdirSync } from "node:fs";
import { getHeapStatistics } from "node:v8";

/** What the daemon holds after a full collection. */
export interface Held {
  readonly heap_bytes: number;
  /** Buffers and whatever else lies outside the heap. */
  readonly external_bytes: number;
  readonly rss_bytes: number;
  readonly open_files: number;
  /** Sockets, timers, requests: what keeps an event loop alive. */
  readonly handles: number;
  /** On the process itself: signals, warnings, rejections. */
  readonly listeners: number;
  /** MaxListenersExceededWarning and its like, since the start. */
  readonly warnings: number;
}

/** What it says: what it holds, and what of its memory is V8's. */
export interface Said extends Held {
  readonly v8_bytes: number;
}

const file = process.env["SOAK_FILE"];
let warnings = 0;
process.on("warning", () => {
  warnings += 1;
});
process.on("SIGUSR2", () => {
  for (let i = 0; i < 3; i++) globalThis.gc?.(); // what finalizers let go is collected by the next one
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  const held: Said = {
    heap_bytes: heapUsed,
    external_bytes: external + arrayBuffers,
    rss_bytes: rss,
    open_files: readdirSync("/proc/self/fd").length - 1, // this listing's own
    handles: process.getActiveResourcesInfo().length,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    warnings,
    v8_bytes: getHeapStatistics().total_physical_size,
  };
  appendFileSync(file!, `${JSON.stringify(held)}\n`);
});
