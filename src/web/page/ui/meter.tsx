// biome-ignore-all lint/a11y/useSemanticElements: the native meter cannot be drawn alike in all browsers
// How full something is: a bar and the words that say the same.

import { useId } from "preact/hooks";
import type { Tone } from "./badge.tsx";

interface MeterProps {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  /** "3.1 of 8 GB" */
  readonly text: string;
  readonly tone?: Tone;
}

export function Meter({ label, value, max, text, tone = "good" }: MeterProps) {
  const id = useId();
  const share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
  return (
    <div class={`meter tone-${tone}`}>
      <div class="meter-words">
        <span id={id}>{label}</span>
        <span>{text}</span>
      </div>
      <div
        class="meter-bar"
        role="meter"
        aria-labelledby={id}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-valuetext={text}
      >
        <div style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}
