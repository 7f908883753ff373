// When the cable between spoke and hub is cut, and when it is whole.

interface Rhythm {
  /** One round: whole, cut, whole again. */
  readonly periodMs: number;
  readonly cutFromMs: number;
  readonly cutUntilMs: number;
}

const ROUND_MS = 20_000;

/** With an end in sight, whole rounds of about 20 s fill the time; without one, they follow each other for ever. */
export function rhythmFor(seconds: number | null): Rhythm {
  const totalMs = (seconds ?? ROUND_MS / 1000) * 1000;
  const periodMs = totalMs / Math.max(1, Math.round(totalMs / ROUND_MS));
  return { periodMs, cutFromMs: periodMs * 0.3, cutUntilMs: periodMs * 0.7 };
}

export function isCut(rhythm: Rhythm, elapsedMs: number): boolean {
  const at = elapsedMs % rhythm.periodMs;
  return at >= rhythm.cutFromMs && at < rhythm.cutUntilMs;
}
