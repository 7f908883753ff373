// What a link says of itself.

import type { Millis, WallMillis } from "#base/clock.ts";
import type { Attempt } from "./attempt.ts";
import type { Link } from "./link-state.ts";
import type { UrlHealth } from "./url-list.ts";

export interface LinkBytes {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Before compression. */
  readonly plainBytesIn: number;
  readonly plainBytesOut: number;
}

export interface LinkStatus extends LinkBytes {
  readonly state: Link["at"];
  readonly url: string;
  readonly sinceWall: WallMillis;
  readonly attempt: number;
  readonly rttMs: Millis | null;
  readonly hub: {
    readonly id: string;
    readonly name: string;
    readonly version: string;
    readonly cluster: string | null;
    readonly account: string | null;
  } | null;
  readonly isTls: boolean;
  readonly isWebSocket: boolean;
  /** Mode agreed on (`s2_auto`, `off`, …) and the level we compress with now. */
  readonly compression: { readonly mode: string; readonly level: string | null } | null;
  readonly lastError: { readonly code: string; readonly message: string; readonly wall: WallMillis } | null;
  readonly connects: number;
  /** Bytes handed over whose arrival is not known yet, how many there may be, and bytes per second the link has shown. */
  readonly urls: readonly UrlHealth[];
  readonly flow: { readonly underWay: number; readonly window: number; readonly rate: number } | null;
}

export const NO_BYTES: LinkBytes = { bytesIn: 0, bytesOut: 0, plainBytesIn: 0, plainBytesOut: 0 };

export function bytesOf(attempt: Attempt | undefined): LinkBytes {
  return attempt?.connection ?? NO_BYTES;
}

export function plus(a: LinkBytes, b: LinkBytes): LinkBytes {
  return {
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    plainBytesIn: a.plainBytesIn + b.plainBytesIn,
    plainBytesOut: a.plainBytesOut + b.plainBytesOut,
  };
}

/** What belongs to the attempt under way; nothing of the last one is shown while we wait. */
export function attemptStatus(
  attempt: Attempt | undefined,
): Pick<LinkStatus, "rttMs" | "hub" | "isTls" | "compression" | "flow"> {
  const { info = null, connection, isTls = false, compressionMode = "off" } = attempt ?? {};
  const flow = connection?.flow;
  return {
    rttMs: flow?.rtt == null ? null : Math.round(flow.rtt * 1000) / 1000,
    hub:
      info === null
        ? null
        : { id: info.serverId, name: info.name, version: info.version, cluster: info.cluster, account: info.remoteAccount },
    isTls,
    compression: info === null ? null : { mode: compressionMode, level: connection?.compression?.level ?? null },
    flow: flow === undefined ? null : { underWay: flow.underWay, window: flow.window, rate: Math.round(flow.rate) },
  };
}
