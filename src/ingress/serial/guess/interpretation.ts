// One way to read what was heard: how to cut it, what it means, and how sure that is.

import type { Json } from "#base/schema.ts";

/** As in the settings: snake_case, durations and sizes as texts. */
export type SettingsJson = { readonly [key: string]: Json };

export interface Interpretation {
  /** 0 … 1. Beyond 0.9 only where something proves it: a checksum, a grammar. */
  readonly score: number;
  /** In words, for people: "24 of 24 lines are JSON objects". */
  readonly why: string;
  readonly framing: SettingsJson;
  readonly decode: SettingsJson;
  /** Does a frame have fields, so that the subject may hold {field}? */
  readonly hasFields: boolean;
  /** Bytes that it explains. */
  readonly explained: number;
  /** Where the bytes show that the line's characters are others than those it was listened to with. */
  readonly line?: { readonly dataBits: 7; readonly parity: "even" | "odd" };
}

/** How much a number of frames proves: one is half a proof, ten are nearly all of it. */
export function weight(frames: number): number {
  return frames / (frames + 0.5);
}
