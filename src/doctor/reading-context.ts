// The device's own readings (ingress/host/readings), looked at once by the doctor.

import type { ReadingContext } from "#ingress/host/readings/reading.ts";
import type { Scene } from "./scene.ts";

export function readingContext({ probe, status }: Scene): ReadingContext {
  const time = { isTrusted: status?.clock?.trusted ?? true, fault: status?.clock?.fault ?? null };
  return { machine: probe.machine, time, dataDir: probe.dataDir };
}
