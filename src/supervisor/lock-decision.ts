// When the update lock is taken and when it is let go. Pure.
//
//            wanted                        not wanted for `lingerMs`
//   free ──────────────▶ held ─────────────────────────────────────▶ free
//     ▲                   │ held for `heldMsMax`
//     └── `restMs` over ──┴──▶ resting: an update gets its chance, however much there is to drain

import type { Millis } from "#base/clock.ts";

export interface LockLimits {
  /** Kept this long after the last wish, so that commits in a row are one lock. */
  readonly lingerMs: Millis;
  /** Never held longer in one go. */
  readonly heldMsMax: Millis;
  /** Not taken again this long after it was held for the most. */
  readonly restMs: Millis;
}

export interface LockView {
  /** null: we do not hold it. */
  readonly heldSince: Millis | null;
  readonly isWanted: boolean;
  /** When it was wanted last; means something while it is not wanted. */
  readonly wantedLast: Millis;
  /** Not to be taken before: after a rest, or after somebody else had it. */
  readonly notBefore: Millis;
}

export interface Decision {
  readonly act: "take" | "release" | "rest" | "wait";
  /** Look again after this long; null: only when something happens. */
  readonly wakeMs: Millis | null;
}

export function decide({ heldSince, isWanted, wantedLast, notBefore }: LockView, limits: LockLimits, now: Millis): Decision {
  if (heldSince === null) {
    if (!isWanted) return { act: "wait", wakeMs: null };
    if (now < notBefore) return { act: "wait", wakeMs: notBefore - now };
    return { act: "take", wakeMs: null };
  }
  const heldLeft = heldSince + limits.heldMsMax - now;
  if (heldLeft <= 0) return { act: "rest", wakeMs: null };
  if (isWanted) return { act: "wait", wakeMs: heldLeft };
  const lingerLeft = wantedLast + limits.lingerMs - now;
  if (lingerLeft <= 0) return { act: "release", wakeMs: null };
  return { act: "wait", wakeMs: Math.min(lingerLeft, heldLeft) };
}
