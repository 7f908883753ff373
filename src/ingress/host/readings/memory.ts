// Memory of the system, and of this process.

import { type HostValue, quantity } from "../host-value.ts";
import type { HostReading, ReadingContext } from "./reading.ts";

const MIB = 1024 * 1024;

export const memoryReading: HostReading = {
  name: "memory",
  async read({ machine }: ReadingContext): Promise<readonly HostValue[]> {
    const { total, available, swapTotal, swapUsed } = await machine.memory();
    const values = [
      quantity("memory_total", total, "B"),
      quantity("memory_available", available, "B", 0, 8 * MIB),
      quantity("process_memory", machine.processBytes(), "B", 0, 4 * MIB),
    ];
    if (swapTotal > 0) values.push(quantity("swap_used", swapUsed, "B", 0, MIB));
    return values;
  },
};
