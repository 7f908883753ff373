// A text as a QR code: dark on light in both appearances, because cameras want it so.

import { generate } from "lean-qr";
import { useMemo } from "preact/hooks";

interface QrProps {
  readonly text: string;
  /** What it is, for who does not see it. */
  readonly label: string;
}

const QUIET = 4;

export function Qr({ text, label }: QrProps) {
  const { size, path } = useMemo(() => drawn(text), [text]);
  const box = size + 2 * QUIET;
  return (
    <svg class="qr" viewBox={`${-QUIET} ${-QUIET} ${box} ${box}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect x={-QUIET} y={-QUIET} width={box} height={box} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}

function drawn(text: string): { readonly size: number; readonly path: string } {
  const code = generate(text);
  let path = "";
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) {
      let width = 0;
      while (x + width < code.size && code.get(x + width, y)) width += 1;
      if (width > 0) path += `M${x} ${y}h${width}v1h-${width}z`;
      x += width;
    }
  }
  return { size: code.size, path };
}
