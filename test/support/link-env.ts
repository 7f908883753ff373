// The world of a link that is tested without a spoke around it: real parts, but for those a test brings.

import type { Clock } from "#base/clock.ts";
import { systemClock } from "#base/clock.ts";
import { type Disk, systemDisk } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import type { Net } from "#base/net.ts";
import { systemNet } from "#base/net.ts";
import { systemResolver } from "#base/resolver.ts";
import { openS2Codec, type S2Codec } from "#s2/codec.ts";
import { Dialer } from "#uplink/dialer.ts";
import type { LinkEnv } from "#uplink/link-events.ts";

export interface LinkWorld {
  readonly clock?: Clock;
  /** With a fake clock: a fake disk, too. Real reads take real time, which a fake clock does not wait for. */
  readonly disk?: Disk;
  readonly net?: Net;
  readonly entropy?: Entropy;
  /** One for the process, as in the daemon. */
  readonly codec?: S2Codec;
}

export function linkEnv(world: LinkWorld = {}): LinkEnv {
  const { clock = systemClock(), disk = systemDisk(), net = systemNet() } = world;
  const { entropy = systemEntropy(), codec = openS2Codec() } = world;
  const log = silentLog();
  const dialer = new Dialer({ clock, net, resolver: systemResolver({ clock, disk }), log }, null);
  return { clock, disk, dialer, entropy, log, codec };
}
