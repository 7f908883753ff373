// Durations and sizes as two inputs, a number and a unit, and back to the text that the settings have: "250ms", "512MiB".

export const DURATION_UNITS = ["ms", "s", "m", "h", "d"] as const;
export const SIZE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
export type Unit = (typeof DURATION_UNITS)[number] | (typeof SIZE_UNITS)[number];

export interface Quantity {
  /** As typed: whole digits when it is right. */
  readonly count: string;
  readonly unit: Unit;
}

export function unitsOf(kind: "duration" | "size"): readonly Unit[] {
  return kind === "duration" ? DURATION_UNITS : SIZE_UNITS;
}

/** What does not end in a unit keeps its text and gets `fallback`, so that somebody can mend it. */
export function parseQuantity(text: string, kind: "duration" | "size", fallback: Unit): Quantity {
  const units = unitsOf(kind);
  const unit = units.toSorted((a, b) => b.length - a.length).find((each) => text.endsWith(each));
  return unit === undefined ? { count: text, unit: fallback } : { count: text.slice(0, -unit.length), unit };
}

export function formatQuantity({ count, unit }: Quantity): string {
  const bare = count.trim();
  return bare === "" ? "" : `${bare}${unit}`;
}
