// Compression of one link: who compresses at all, and at which level we do. Source: spec/leafnode-protocol.md §7.
//
// Negotiation settles only whether both sides use S2; each side then chooses the level of what it sends, and may change it at any flush.

import type { Millis } from "#base/clock.ts";
import type { S2Level } from "#s2/codec.ts";

import type { CompressionOptions } from "./options.ts";

export type CompressionMode = CompressionOptions["mode"];

export interface Agreement {
  /** The mode our INFO names; null: no compression, no INFO. */
  readonly announce: Exclude<CompressionMode, "off" | "accept"> | null;
  /** `compress_mode` of CONNECT. */
  readonly compressMode: string;
}

/** Both directions of one connection, compressed: compressed-stream.ts. */
export interface Compression {
  readonly level: string;
  onRoundTrip(rtt: Millis): void;
  write(plain: Buffer, emit: (bytes: Buffer) => void): void;
  /** Stops once `plainBytesMax` bytes have been lent; returns how much of the chunk was taken. */
  read(chunk: Buffer, onPlain: (view: Buffer) => void, plainBytesMax: number): number;
}

const S2_MODES = ["s2_auto", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"] as const;

/** What comes of our mode and the `compression` of the hub's INFO (null: absent). Source: spec §7.2. */
export function agree(ours: CompressionMode, hubs: string | null): Agreement {
  const none = { announce: null, compressMode: hubs === null || hubs === "not supported" ? "not supported" : "off" };
  if (ours === "off" || hubs === null) return none;
  const theirs = S2_MODES.find((mode) => mode === hubs);
  if (ours === "accept") {
    // Two sides that only accept would wait for each other: nobody asks, nobody compresses.
    if (theirs === undefined) return none;
    const announce = theirs === "s2_auto" ? "s2_fast" : theirs;
    return { announce, compressMode: announce };
  }
  return theirs === undefined && hubs !== "accept" ? none : { announce: ours, compressMode: ours };
}

/** The level for a round trip time; a threshold of 0 skips its level. Source: spec §7.7. */
export function levelFor(rtt: Millis, thresholds: readonly number[]): S2Level {
  const levels = ["uncompressed", "fast", "better"] as const;
  for (const [i, level] of levels.entries()) {
    const threshold = thresholds[i] ?? 0;
    if (threshold > 0 && rtt <= threshold) return level;
  }
  return "best";
}
