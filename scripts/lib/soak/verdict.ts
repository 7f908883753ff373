// Does it grow? Slopes by Theil and Sen: the median of the slopes between all pairs of samples, so that a single odd one moves nothing.
//
// Samples are taken at the same moment of every minute, and the first ones are left out: caches fill, code is compiled.

import type { Held } from "./inside.ts";
import type { MemoryKinds } from "./memory-kinds.ts";

export interface Sample extends Held {
  readonly minute: number;
  /** What its RSS was made of. */
  readonly memory?: MemoryKinds;
}

interface Limit {
  readonly perHour: number;
  readonly noise: number;
  /** In place of `noise` within the first quarter of an hour, while code is still compiled. */
  readonly shortNoise?: number;
}

const SHORT_MINUTES = 15;

/**
 * What each figure may grow by in an hour, and the step below which a short soak cannot tell growth from noise. In its first hour the
 * heap still gains compiled code, a log of 1,000 lines and the rings of the history, some 2 MiB in all (snapshots of two minutes
 * compared); what is kept of every message, 16 bytes of it, would be 3.5 MiB.
 */
const LIMITS: Readonly<Record<keyof Held, Limit>> = {
  heap_bytes: { perHour: 3 << 20, noise: 1 << 20, shortNoise: 4 << 20 },
  external_bytes: { perHour: 1 << 20, noise: 2 << 20 },
  rss_bytes: { perHour: 4 << 20, noise: 8 << 20 },
  open_files: { perHour: 0, noise: 0.5 },
  handles: { perHour: 0, noise: 2 },
  listeners: { perHour: 0, noise: 0.5 },
  warnings: { perHour: 0, noise: 0.5 },
};

export interface Growth {
  readonly first: number;
  readonly last: number;
  readonly per_hour: number;
  readonly grows: boolean;
}

export type Growths = Readonly<Record<keyof Held, Growth>>;

/** Minutes at the start that prove nothing: a third of a short soak, ten minutes of a long one. */
export function warmUpMinutes(minutes: number): number {
  return Math.min(10, Math.floor(minutes / 3));
}

/** Throws when there are too few samples to tell. */
export function judgeGrowth(samples: readonly Sample[]): Growths {
  if (samples.length < 2) throw new Error(`the soak has ${samples.length} samples, too few to see what grows: it was too short`);
  const names = Object.keys(LIMITS) as (keyof Held)[];
  return Object.fromEntries(
    names.map((name) => [
      name,
      growthOf(
        samples.map((sample) => [sample.minute, sample[name]]),
        LIMITS[name],
      ),
    ]),
  ) as Growths;
}

function growthOf(points: readonly (readonly [number, number])[], limit: Limit): Growth {
  const slope = slopeOf(points);
  const [from, to] = [points[0]!, points.at(-1)!];
  const risen = slope * (to[0] - from[0]);
  const perHour = slope * 60;
  const noise = to[0] < SHORT_MINUTES ? (limit.shortNoise ?? limit.noise) : limit.noise;
  return { first: from[1], last: to[1], per_hour: Math.round(perHour), grows: perHour > limit.perHour && risen > noise };
}

/** Per minute. */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const slopes: number[] = [];
  for (const [i, [x, y]] of points.entries())
    for (const [x2, y2] of points.slice(i + 1)) if (x2 !== x) slopes.push((y2 - y) / (x2 - x));
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
}
