// What a part may ask of the world. Parts receive what they need of it; nobody reaches for globals (STYLE §2).

import type { Clock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import type { Entropy } from "./entropy.ts";
import type { Log } from "./log.ts";
import type { Net } from "./net.ts";
import type { Tty } from "./tty.ts";

export interface Env {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly net: Net;
  readonly tty: Tty;
  readonly entropy: Entropy;
  readonly log: Log;
}
