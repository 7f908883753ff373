// The arithmetic of a plot: round figures for its axes, and lines through what was measured. Pure.

/** Round figures from 0, or below it, to at least the largest: 0, 20, 40, 60. */
export function valueTicks(largest: number, smallest: number, wanted: number): readonly number[] {
  const low = Math.min(0, smallest);
  const high = largest > low ? largest : low + 1;
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999)!;
  const first = Math.floor(low / step);
  const last = Math.ceil((high / step) * 0.999999);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

const TIME_STEPS_S = [5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400] as const;

/** Round times of day between two instants, in seconds since 1970; `offset`: of local time, in seconds. */
export function timeTicks(from: number, to: number, wanted: number, offset: number): readonly number[] {
  const step = TIME_STEPS_S.find((each) => (to - from) / each <= Math.max(1, wanted)) ?? TIME_STEPS_S.at(-1)!;
  const ticks: number[] = [];
  for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step) ticks.push(at);
  return ticks;
}

type Scale = (value: number) => number;

/** An SVG path with a gap where nothing was measured. A lone point is a dash, or nobody would see it. */
export function linePath(at: readonly number[], values: readonly (number | null)[], x: Scale, y: Scale): string {
  let path = "";
  let isOpen = false;
  for (let i = 0; i < at.length; i += 1) {
    const value = values[i] ?? null;
    if (value === null) {
      isOpen = false;
      continue;
    }
    const isLone = !isOpen && (values[i + 1] ?? null) === null;
    path += `${isOpen ? "L" : "M"}${round(x(at[i]!))} ${round(y(value))}${isLone ? "h2" : ""}`;
    isOpen = true;
  }
  return path;
}

/** The same, down to the ground between the gaps. */
export function areaPath(at: readonly number[], values: readonly (number | null)[], x: Scale, y: Scale): string {
  let path = "";
  let start = -1;
  for (let i = 0; i <= at.length; i += 1) {
    const isThere = i < at.length && (values[i] ?? null) !== null;
    if (isThere && start === -1) start = i;
    if (isThere || start === -1) continue;
    const top = linePath(at.slice(start, i), values.slice(start, i), x, y);
    path += `${top}L${round(x(at[i - 1]!))} ${round(y(0))}L${round(x(at[start]!))} ${round(y(0))}z`;
    start = -1;
  }
  return path;
}

/** Index of what was measured nearest to that instant; -1: nothing was. */
export function nearest(at: readonly number[], wanted: number): number {
  let best = -1;
  for (let i = 0; i < at.length; i += 1) if (best === -1 || Math.abs(at[i]! - wanted) < Math.abs(at[best]! - wanted)) best = i;
  return best;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
