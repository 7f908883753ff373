// Every temperature the kernel watches, by the name of its zone. Source: Linux Documentation/driver-api/thermal/sysfs-api.rst.

import { type HostValue, quantity } from "../host-value.ts";
import { type HostReading, type ReadingContext, readNumber } from "./reading.ts";

const ZONES_MAX = 32;
const ZONES = "/sys/class/thermal";

export const temperatureReading: HostReading = {
  name: "temperature",
  async read(context: ReadingContext): Promise<readonly HostValue[]> {
    const names = await context.machine.files.list(ZONES);
    const zones = names.filter((name) => name.startsWith("thermal_zone")).slice(0, ZONES_MAX);
    const values = new Map<string, HostValue>();
    for (const found of await Promise.all(zones.map((zone) => readZone(context, zone)))) {
      if (found !== undefined && !values.has(found.name)) values.set(found.name, found); // two zones of one kind: the first
    }
    return [...values.values()];
  },
};

/** A zone that is switched off says so by an error, or by a number no board survives. */
async function readZone(context: ReadingContext, zone: string): Promise<HostValue | undefined> {
  const [kind, milli] = await Promise.all([
    context.machine.files.read(`${ZONES}/${zone}/type`),
    readNumber(context, `${ZONES}/${zone}/temp`),
  ]);
  if (kind === undefined || milli === undefined || milli < -100_000 || milli > 200_000) return undefined;
  return quantity(`temperature_${kind.replace(/[-_](?:thermal|therm)$/, "")}`, milli / 1000, "°C", 1, 0.5);
}
