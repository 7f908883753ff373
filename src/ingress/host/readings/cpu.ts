// How busy the processors are, and how long the system runs. Busy is a share of the time between two looks: the first look has none.
// Source: proc(5), /proc/stat and /proc/loadavg.

import { type HostValue, quantity } from "../host-value.ts";
import type { HostReading, ReadingContext } from "./reading.ts";

export class CpuReading implements HostReading {
  readonly name = "cpu";
  #busy = 0;
  #total = 0;

  async read(context: ReadingContext): Promise<readonly HostValue[]> {
    const { files } = context.machine;
    const [stat, load, uptime] = await Promise.all([
      files.read("/proc/stat"),
      files.read("/proc/loadavg"),
      files.read("/proc/uptime"),
    ]);
    const values = this.#share(stat);
    const averages = /^(\d+\.\d+) \d+\.\d+ (\d+\.\d+)/.exec(load ?? "");
    if (averages !== null) {
      values.push(quantity("load_1m", Number(averages[1]), "processes", 2, 0.2));
      values.push(quantity("load_15m", Number(averages[2]), "processes", 2, 0.1));
    }
    const seconds = Number.parseFloat(uptime ?? "");
    if (seconds >= 0) values.push(quantity("uptime", seconds, "s"));
    return values;
  }

  /** user nice system idle iowait irq softirq steal: idle and iowait are not busy. */
  #share(stat: string | undefined): HostValue[] {
    const times = /^cpu +([\d ]+)/
      .exec(stat ?? "")?.[1]
      ?.split(" ")
      .slice(0, 8)
      .map(Number);
    if (times === undefined || times.length < 5) return [];
    const total = times.reduce((sum, time) => sum + time, 0);
    const busy = total - times[3]! - times[4]!;
    const [busyBefore, totalBefore] = [this.#busy, this.#total];
    this.#busy = busy;
    this.#total = total;
    if (totalBefore === 0 || total <= totalBefore) return [];
    const share = (100 * (busy - busyBefore)) / (total - totalBefore);
    return [quantity("cpu_busy", Math.min(100, Math.max(0, share)), "%", 1, 5)];
  }
}
