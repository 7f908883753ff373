// A state's history from left to right. For eyes; `summary` says it to the rest.

import type { Tone } from "./badge.tsx";

export interface Span {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly tone: Tone;
  /** "ready, 02:10 to 05:40" */
  readonly text: string;
}

interface RibbonProps {
  readonly summary: string;
  readonly from: number;
  readonly to: number;
  readonly spans: readonly Span[];
}

export function Ribbon({ summary, from, to, spans }: RibbonProps) {
  const width = Math.max(1, to - from);
  const place = (at: number) => Math.min(100, Math.max(0, ((at - from) / width) * 100));
  return (
    <svg class="ribbon" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={summary}>
      <rect class="ribbon-ground" width="100" height="10" />
      {spans.map((span) => (
        <rect
          key={`${span.from}-${span.text}`}
          class={`ribbon-span tone-${span.tone}`}
          x={place(span.from)}
          // Bad states reach the top, good ones stay low: told apart without colour.
          y={HEIGHTS[span.tone]}
          width={Math.max(0.3, place(span.to) - place(span.from))}
          height={10 - HEIGHTS[span.tone]}
        >
          <title>{span.text}</title>
        </rect>
      ))}
    </svg>
  );
}

const HEIGHTS: Readonly<Record<Tone, number>> = { good: 5, idle: 8, look: 2.5, bad: 0 };
