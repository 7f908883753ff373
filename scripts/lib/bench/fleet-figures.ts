// When a fleet came back: pure figures over instants, and the text histogram they are shown as.

/** Instants are milliseconds since the fleet lost its hub. */
export interface Curve {
  readonly name: string;
  readonly count: number;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly lastMs: number;
  /** The largest part of the fleet in any window of WINDOW_MS, and where that window begins. */
  readonly peak: { readonly share: number; readonly atMs: number };
  /** Per row of `rowMs`, from zero. */
  readonly rows: readonly number[];
  readonly rowMs: number;
}

export const WINDOW_MS = 100;
/** No more of the fleet than this in any window: what a hub that has just started should have to bear. */
export const SHARE_MAX = 0.1;
const ROWS_MAX = 40;
const BAR_WIDTH = 50;

/** Of a fleet of `links`; several instants of one link count as often as they came. */
export function curveOf(name: string, instants: readonly number[], links: number): Curve {
  const sorted = Float64Array.from(instants).sort();
  const lastMs = sorted.at(-1) ?? 0;
  const rowMs = Math.max(1, Math.ceil((lastMs + 1) / ROWS_MAX / WINDOW_MS)) * WINDOW_MS;
  const rows = Array.from({ length: sorted.length === 0 ? 0 : Math.floor(lastMs / rowMs) + 1 }, () => 0);
  for (const at of sorted) rows[Math.floor(at / rowMs)]! += 1;
  const medianMs = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return { name, count: sorted.length, firstMs: sorted[0] ?? 0, medianMs, lastMs, peak: peakOf(sorted, links), rows, rowMs };
}

/** Slides a window along ascending instants. */
function peakOf(sorted: Float64Array, links: number): Curve["peak"] {
  let most = 0;
  let atMs = 0;
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while (sorted[to]! - sorted[from]! >= WINDOW_MS) from += 1;
    if (to - from + 1 <= most) continue;
    most = to - from + 1;
    atMs = sorted[from]!;
  }
  return { share: most / links, atMs };
}

/** A line of facts, and from the first instant on a bar per row. */
export function formatCurve(curve: Curve, withBars: boolean): string {
  const { name, count, firstMs, medianMs, lastMs, peak, rows, rowMs } = curve;
  if (count === 0) return `  ${name}: none\n`;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const share = `${(peak.share * 100).toFixed(1)} % of the fleet in the ${WINDOW_MS} ms from ${seconds(peak.atMs)}`;
  const facts = `  ${name}: ${count}, first ${seconds(firstMs)}, half ${seconds(medianMs)}, last ${seconds(lastMs)}; most: ${share}\n`;
  if (!withBars) return facts;
  const most = Math.max(...rows);
  const bars = rows.map((row, i) => {
    const bar = "█".repeat(Math.ceil((row / most) * BAR_WIDTH));
    return `    ${seconds(i * rowMs).padStart(7)} ${String(row).padStart(5)} ${bar}`.trimEnd();
  });
  return `${facts}${bars.slice(rows.findIndex((row) => row > 0)).join("\n")}\n`;
}
