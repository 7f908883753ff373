// Lines over time, in the theme's colours and as wide as their place. A finger or a pointer on it reads the values of that instant;
// else the legend says the latest. `summary` says to those who do not see it what it shows.

import { useEffect, useRef, useState } from "preact/hooks";
import { useFormat } from "../words/format.ts";
import { areaPath, linePath, nearest, timeTicks, valueTicks } from "./plot-scale.ts";

export interface PlotSeries {
  readonly label: string;
  readonly color?: "accent" | "good" | "look" | "bad" | "idle" | "ink";
  /** Dashes tell two lines apart without colour. */
  readonly dash?: boolean;
  readonly fill?: boolean;
}

interface PlotProps {
  readonly summary: string;
  readonly series: readonly PlotSeries[];
  /** The first row is the time in seconds since 1970, then a row per series. */
  readonly data: readonly (readonly (number | null)[])[];
  readonly unit: (value: number) => string;
  readonly height?: number;
}

const BOTTOM = 24;
const TOP = 10;
const RIGHT = 12;
const TICK_GAP = 88;
const CHAR_WIDTH = 7.4;
const EDGE = 24;

export function Plot({ summary, series, data, unit, height = 180 }: PlotProps) {
  const format = useFormat();
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState(-1);
  useEffect(() => {
    const element = place.current!;
    const watcher = new ResizeObserver(() => setWidth(element.clientWidth));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);

  const at = (data[0] ?? []) as readonly number[];
  const rows = series.map((_, index) => data[index + 1] ?? []);
  const known = rows.flat().filter((value) => value !== null);
  const ticks = valueTicks(
    known.reduce((a, b) => Math.max(a, b), 0),
    known.reduce((a, b) => Math.min(a, b), 0),
    height / 48,
  );
  const left = Math.max(...ticks.map((tick) => unit(tick).length)) * CHAR_WIDTH + 10;
  const [from, to] = [at[0] ?? 0, at.at(-1) ?? 1];
  const x = (time: number) => left + ((time - from) / Math.max(1, to - from)) * (width - left - RIGHT);
  const y = (value: number) => TOP + (1 - (value - ticks[0]!) / (ticks.at(-1)! - ticks[0]!)) * (height - TOP - BOTTOM);
  const offset = -new Date(from * 1_000).getTimezoneOffset() * 60;
  const times = timeTicks(from, to, (width - left) / TICK_GAP, offset);
  const hasSeconds = to - from < 180;
  const shown = pointed === -1 ? at.length - 1 : Math.min(pointed, at.length - 1);

  const point = (clientX: number) => {
    const box = place.current!.getBoundingClientRect();
    const share = (clientX - box.left - left) / Math.max(1, width - left - RIGHT);
    setPointed(nearest(at, from + share * (to - from)));
  };
  return (
    <figure class="plot">
      <div
        ref={place}
        class="plot-place"
        style={{ height: `${height}px` }}
        onPointerMove={(event) => point(event.clientX)}
        onPointerDown={(event) => point(event.clientX)}
        onPointerLeave={() => setPointed(-1)}
      >
        {width > 0 && (
          <svg width={width} height={height} role="img" aria-label={summary}>
            {ticks.map((tick, index) => (
              <g key={tick}>
                <path class="plot-grid" d={`M${left} ${y(tick)}H${width - RIGHT}`} />
                <text x={left - 8} y={y(tick)} dy="0.35em" text-anchor="end">
                  {/* Halves of a byte are rounded: the same figure twice would be a lie. */}
                  {index < ticks.length - 1 && unit(tick) === unit(ticks[index + 1]!) ? "" : unit(tick)}
                </text>
              </g>
            ))}
            {times.map((time) => (
              <text key={time} x={x(time)} y={height - 6} text-anchor={anchorOf(x(time), left, width - RIGHT)}>
                {format.clock(time * 1_000).slice(0, hasSeconds ? 8 : 5)}
              </text>
            ))}
            {series.map((each, index) => (
              <g key={each.label} style={{ color: `var(--${each.color ?? "accent"})` }}>
                {each.fill === true && <path class="plot-area" d={areaPath(at, rows[index]!, x, y)} />}
                <path class={`plot-line ${each.dash === true ? "plot-dash" : ""}`} d={linePath(at, rows[index]!, x, y)} />
              </g>
            ))}
            {pointed !== -1 && at[shown] !== undefined && (
              <path class="plot-cursor" d={`M${x(at[shown])} ${TOP}V${height - BOTTOM}`} />
            )}
          </svg>
        )}
      </div>
      <figcaption class="plot-legend">
        {at[shown] !== undefined && <span class="plot-time">{format.clock(at[shown] * 1_000)}</span>}
        {series.map((each, index) => {
          const value = rows[index]![shown] ?? null;
          return (
            <span key={each.label}>
              <svg class="plot-key" viewBox="0 0 24 8" aria-hidden="true" style={{ color: `var(--${each.color ?? "accent"})` }}>
                <path class={`plot-line ${each.dash === true ? "plot-dash" : ""}`} d="M1 4H23" />
              </svg>
              {each.label} <b>{value === null ? "–" : unit(value)}</b>
            </span>
          );
        })}
      </figcaption>
    </figure>
  );
}

/** Words at an edge stay within it. */
function anchorOf(x: number, left: number, right: number): "start" | "middle" | "end" {
  return x < left + EDGE ? "start" : x > right - EDGE ? "end" : "middle";
}
