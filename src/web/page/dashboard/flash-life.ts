// How long the card lasts, in the words there are for it.

import type { FlashReport } from "#status/history-report.ts";
import type { flashWords } from "./flash-words.ts";

export interface FlashLife {
  readonly key: keyof typeof flashWords;
  readonly years: number;
  readonly tone: "good" | "look" | "bad" | "idle";
}

const LONG_YEARS = 50;
const SOON_YEARS = 3;

export function flashLife({ life }: FlashReport): FlashLife {
  const years = life?.years_left ?? null;
  if (years === null) return { key: "unknown", years: 0, tone: "idle" };
  if (years < 1) return { key: "short", years: 0, tone: "bad" };
  if (years > LONG_YEARS) return { key: "long", years: LONG_YEARS, tone: "good" };
  const whole = Math.floor(years);
  return {
    key: life.from === "mmc life_time" ? "years_measured" : "years",
    years: whole,
    tone: years < SOON_YEARS ? "look" : "good",
  };
}
