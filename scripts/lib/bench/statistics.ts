// Medians, spreads and percentiles of a handful of figures.

/** A figure over rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** In the order of the rounds. */
  readonly values: readonly number[];
}

/** Undefined when nothing was measured: an absent figure is never a zero. */
export function spreadOf(values: readonly (number | null)[]): Spread | undefined {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return undefined;
  const sorted = Float64Array.from(known).sort();
  return { median: percentile(sorted, 50), min: sorted[0]!, max: sorted.at(-1)!, values: known };
}

/** Of ascending figures, at least one: linear between neighbours. */
export function percentile(sorted: Float64Array, percent: number): number {
  const at = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}
