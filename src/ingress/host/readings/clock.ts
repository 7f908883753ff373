// Whether the calendar can be believed: our own time keeper's judgement, and whether the system's time service has set the clock.

import { type HostValue, state } from "../host-value.ts";
import type { HostReading, ReadingContext } from "./reading.ts";

const TIMESYNC = "/run/systemd/timesync";

export const clockReading: HostReading = {
  name: "clock",
  async read({ machine, time }: ReadingContext): Promise<readonly HostValue[]> {
    const values: HostValue[] = [state("clock_trusted", time.isTrusted)];
    const told = await machine.files.list(TIMESYNC);
    if (told.length > 0) values.push(state("clock_synchronized", told.includes("synchronized")));
    return values;
  },
};
