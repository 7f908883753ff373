// Horizontal bars as SVG text, readable on white and on black: a title, groups of bars with their values, nothing else.
//
//   title
//   group
//     label  ███████████ 12.3 µs
//     label  ████ 4.1 µs

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Drawn in the colour that stands out. */
  readonly isOurs: boolean;
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  readonly title: string;
  readonly unit: string;
  /** Under the bars, small. */
  readonly note: string;
  readonly groups: readonly BarGroup[];
  readonly digits?: number;
}

const WIDTH = 760;
const LABEL_WIDTH = 260;
const VALUE_WIDTH = 110;
const ROW = 22;
const MARGIN = 16;
const TEXT = "#767676";
const OURS = "#0b7a53";
const OTHERS = "#8a94a0";

/** Bars of a group share their scale; groups need not. */
export function barChart({ title, unit, note, groups, digits = 1 }: BarChart): string {
  const parts: string[] = [];
  let y = MARGIN + 14;
  parts.push(text(MARGIN, y, title, 'font-size="16" font-weight="600"'));
  y += 14;
  for (const group of groups) {
    const longest = Math.max(...group.bars.map(({ value }) => value), Number.MIN_VALUE);
    y += ROW;
    parts.push(text(MARGIN, y, group.title, 'font-weight="600"'));
    for (const { label, value, isOurs } of group.bars) {
      y += ROW;
      const width = Math.max(1, (value / longest) * (WIDTH - LABEL_WIDTH - VALUE_WIDTH - 2 * MARGIN));
      parts.push(text(MARGIN + 12, y, label));
      const fill = isOurs ? OURS : OTHERS;
      parts.push(
        `<rect x="${LABEL_WIDTH + MARGIN}" y="${y - 12}" width="${width.toFixed(1)}" height="15" rx="2" fill="${fill}"/>`,
      );
      const shown = value.toLocaleString("en", { maximumFractionDigits: digits });
      parts.push(text(LABEL_WIDTH + MARGIN + width + 6, y, `${shown} ${unit}`.trim()));
    }
    y += 6;
  }
  y += ROW;
  parts.push(text(MARGIN, y, note, 'font-size="11"'));
  const height = y + MARGIN;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="13" fill="${TEXT}">`;
  return `${head}\n${parts.join("\n")}\n</svg>\n`;
}

function text(x: number, y: number, words: string, more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y}"${more === "" ? "" : ` ${more}`}>${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
