// Can the calendar be believed? A board without a battery wakes up in 1970, and then no certificate and no JWT is valid.
//
// The running daemon knows best; without it, the floor that it left on flash decides (base/time-keeper-trust.ts).

import { explain } from "#base/errors.ts";
import { TimeKeeperFile } from "#base/time-keeper-file.ts";
import { ClockTrust, clockFault } from "#base/time-keeper-trust.ts";
import { instantText } from "#base/wall-clock.ts";
import { DOCTOR_CLOCK } from "../errors.ts";
import { apart } from "../fault-words.ts";
import { broken, DEVICE, type Draft, fine, warning } from "../finding.ts";
import type { Scene, Step } from "../scene.ts";

export const clockStep: Step = {
  id: "clock",
  title: "the clock",
  async run({ probe, status }: Scene): Promise<readonly Draft[]> {
    const { clock, disk } = probe.env;
    const wall = clock.wall();
    const { memory, fault: damage } = await new TimeKeeperFile(disk, probe.dataDir).load();
    const trust = new ClockTrust(memory, undefined, clock.now());
    trust.look(clock.now(), wall);
    const facts = { now: instantText(wall), floor: instantText(trust.floor) };
    const fault = status?.clock?.fault ?? (trust.doubted === undefined ? null : clockFault(trust.doubted, trust.floor));
    if (fault !== null) return [broken(DEVICE, { code: DOCTOR_CLOCK, ...apart(fault) }, facts)];
    if (damage !== null)
      return [
        warning(
          DEVICE,
          {
            code: DOCTOR_CLOCK,
            cause: `what the device knew about the time cannot be used: ${explain(damage)}`,
            remedy: "start the daemon, which writes it anew; see the step disk if that fails",
          },
          facts,
        ),
      ];
    return [fine(DEVICE, `the clock says ${instantText(wall)}, which can be`, facts)];
  },
};
