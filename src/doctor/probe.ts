// What the doctor may ask of the world, as a seam: the real one is system-probe.ts, tests bring their own clock, kernel files, DNS port.
//
// A probe only looks. What it dials it closes, what it writes it removes, and it never speaks in the daemon's name (hub/leaf-visit.ts).

import type { NetworkInterfaceInfo } from "node:os";
import type { Millis } from "#base/clock.ts";
import type { Env } from "#base/env.ts";
import type { Fault } from "#base/fault.ts";
import type { Resolver } from "#base/resolver.ts";
import type { Config } from "#config/config.ts";
import type { HostMachine } from "#ingress/host/host-machine.ts";
import type { StatusReport } from "#status/report.ts";

export interface SettingsLook {
  readonly file: string;
  /** false: no such file, so the defaults were looked at. */
  readonly isThere: boolean;
  readonly faults: readonly Fault[];
  /** undefined: the faults leave nothing to run with. */
  readonly config: Config | undefined;
}

export interface Probe {
  readonly env: Env;
  readonly dataDir: string;
  readonly version: string;
  readonly resolver: Resolver;
  readonly machine: HostMachine;
  readonly limits: DoctorLimits;
  readonly places: DoctorPlaces;
  settings(): Promise<SettingsLook>;
  /** Of the running daemon; throws a PetioleError where none answers. */
  status(): Promise<StatusReport>;
  /** The program that holds the data directory's lock, such as "node (process 812)"; undefined: nobody, as far as we can know. */
  lockHolder(): Promise<string | undefined>;
  interfaces(): Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
  /** One datagram to nobody in particular there, so that the kernel has to find out who has the address. */
  nudge(address: string): Promise<void>;
}

export interface DoctorLimits {
  /** TCP, all addresses of a name together. */
  readonly dial: Millis;
  /** Silence of a port before it is tried otherwise. */
  readonly greeting: Millis;
  /** TLS handshake; each step of the introduction. */
  readonly phase: Millis;
  /** One DNS server, one name. */
  readonly dns: Millis;
  /** The neighbour table, after a nudge. */
  readonly neighbour: Millis;
  /** JetStream's API, all questions of one hub. */
  readonly streams: Millis;
  /** One step as a whole, whatever it does. */
  readonly step: Millis;
}

export const DOCTOR_LIMITS: DoctorLimits = Object.freeze({
  dial: 10_000,
  greeting: 3_000,
  phase: 10_000,
  dns: 4_000,
  neighbour: 1_500,
  streams: 6_000,
  step: 120_000,
});

export interface DoctorPlaces {
  readonly resolvConf: string;
  readonly hosts: string;
  /** Other than 53: for tests. */
  readonly dnsPort: number;
}

export const DOCTOR_PLACES: DoctorPlaces = Object.freeze({
  resolvConf: "/etc/resolv.conf",
  hosts: "/etc/hosts",
  dnsPort: 53,
});
