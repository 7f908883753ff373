// What a link says of itself.

import type { Millis, WallMillis } from "#base/clock.ts";
import type { Link } from "./link-state.ts";
import type { UrlHealth } from "./url-list.ts";

export interface LinkStatus {
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
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Before compression. */
  readonly plainBytesIn: number;
  readonly plainBytesOut: number;
  /** Bytes handed over whose arrival is not known yet, how many there may be, and bytes per second the link has shown. */
  readonly urls: readonly UrlHealth[];
  readonly flow: { readonly underWay: number; readonly window: number; readonly rate: number } | null;
}
