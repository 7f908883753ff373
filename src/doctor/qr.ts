// The compact result as a QR code: for a terminal, in half blocks that two rows share, and as SVG.

import { generate } from "lean-qr";

interface Code {
  readonly size: number;
  /** false outside. */
  get(x: number, y: number): boolean;
}

/** Light modules around the code that readers want (ISO 18004 §9.1). */
const QUIET = 4;
/** On terminals two are enough, and rows are dear. */
const QUIET_TERMINAL = 2;

/** Light on dark and dark on light both read: the colours are set, not taken from the terminal. */
export function qrText(text: string): string {
  const code: Code = generate(text);
  const lines: string[] = [];
  for (let y = -QUIET_TERMINAL; y < code.size + QUIET_TERMINAL; y += 2) {
    let line = "\u001b[30;107m";
    for (let x = -QUIET_TERMINAL; x < code.size + QUIET_TERMINAL; x++) {
      const [upper, lower] = [code.get(x, y), code.get(x, y + 1)];
      line += upper ? (lower ? "█" : "▀") : lower ? "▄" : " ";
    }
    lines.push(`${line}\u001b[0m`);
  }
  return `${lines.join("\n")}\n`;
}

/** A document of its own, `modulePixels` for each module. */
export function qrSvg(text: string, modulePixels = 8): string {
  const code: Code = generate(text);
  const side = code.size + 2 * QUIET;
  let path = "";
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (!code.get(x, y)) continue;
      let run = 1;
      while (x + run < code.size && code.get(x + run, y)) run += 1;
      path += `M${x + QUIET} ${y + QUIET}h${run}v1h-${run}z`;
      x += run - 1;
    }
  }
  const pixels = side * modulePixels;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${pixels}" height="${pixels}" viewBox="0 0 ${side} ${side}" shape-rendering="crispEdges">` +
    `<rect width="${side}" height="${side}" fill="#fff"/><path d="${path}" fill="#000"/></svg>\n`
  );
}
