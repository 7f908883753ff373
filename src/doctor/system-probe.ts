// The real probe: this machine, its files, its network.

import * as dgram from "node:dgram";
import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import type { Disk } from "#base/disk.ts";
import { diskWith } from "#base/disk-with.ts";
import type { Env } from "#base/env.ts";
import { silentLog } from "#base/log.ts";
import { systemResolver } from "#base/resolver.ts";
import { systemHostMachine } from "#ingress/host/host-machine.ts";
import { findLockHolder } from "#ingress/serial/lock-holder.ts";
import { DOCTOR_LIMITS, DOCTOR_PLACES, type DoctorLimits, type DoctorPlaces, type Probe } from "./probe.ts";

export interface ProbeSources extends Pick<Probe, "dataDir" | "version" | "settings" | "status"> {
  readonly env: Env;
  readonly limits?: Partial<DoctorLimits>;
  readonly places?: Partial<DoctorPlaces>;
}

/** Discard (RFC 863): whoever listens there throws away what comes; hardly anybody does. */
const DISCARD_PORT = 9;

export function systemProbe(sources: ProbeSources): Probe {
  const places = { ...DOCTOR_PLACES, ...sources.places };
  // What parts log on the way is said by the findings; a diagnosis is no place for a second telling.
  const disk = leavingModes(sources.env.disk);
  const env = { ...sources.env, disk, log: silentLog() };
  const { clock } = env;
  return {
    ...sources,
    env,
    places,
    limits: { ...DOCTOR_LIMITS, ...sources.limits },
    resolver: systemResolver({
      clock,
      disk,
      hostsPath: places.hosts,
      resolvConfPath: places.resolvConf,
      dnsPort: places.dnsPort,
    }),
    machine: systemHostMachine(disk),
    lockHolder: () => findLockHolder(`${sources.dataDir}/lock`),
    interfaces: networkInterfaces,
    nudge,
  };
}

/** The daemon takes others' rights from the secrets it reads; whoever only looks leaves them as they are. */
function leavingModes(disk: Disk): Disk {
  return diskWith(disk, { setMode: () => Promise.resolve() });
}

async function nudge(address: string): Promise<void> {
  const socket = dgram.createSocket(isIPv6(address) ? "udp6" : "udp4");
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("error", () => resolve()); // no route: the neighbour table says so as well
  socket.send(Buffer.alloc(1), DISCARD_PORT, address, () => resolve());
  await promise;
  socket.close();
}
