// The last day of a link as a ribbon with its hours, and the share of the time it was there.

import { useMemo } from "preact/hooks";
import type { LinkMoveReport } from "#status/history-report.ts";
import { Ribbon } from "../ui/ribbon.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { phaseWords } from "./link-words.ts";
import { ribbonPieces } from "./ribbon-spans.ts";
import { words } from "./words.ts";

const DAY_MS = 24 * 3_600_000;
const MINUTE_MS = 60_000;
const TONES = { up: "good", down: "bad", unknown: "idle" } as const;

interface LinkRibbonProps {
  readonly moves: readonly LinkMoveReport[];
  /** The device's clock. */
  readonly now: string;
}

export function LinkRibbon({ moves, now }: LinkRibbonProps) {
  const text = useText(words);
  const phases = useText(phaseWords);
  const format = useFormat();
  const at = Date.parse(now);
  const minute = Math.ceil(at / MINUTE_MS) * MINUTE_MS; // the hours below stand still for a minute; what is known ends now
  const { pieces, upShare, knownMs } = useMemo(() => ribbonPieces(moves, minute - DAY_MS, at), [moves, minute, at]);
  // Infinity: nothing is recorded yet.
  const begin = moves.reduce((least, move) => Math.min(least, Date.parse(move.at)), Infinity);
  const short = (time: number) => format.clock(time).slice(0, 5);
  const share =
    upShare === null
      ? phases("unknown")
      : text("up_share", { percent: format.percent(Math.floor(upShare * 1_000) / 1_000), time: format.duration(knownMs) });
  return (
    <figure class="dash-figure dash-ribbon">
      <figcaption>
        {text("last_24h")} · {share}
      </figcaption>
      <Ribbon
        summary={`${text("last_24h")}: ${share}`}
        from={minute - DAY_MS}
        to={minute}
        spans={pieces.map(({ from, to, phase }) => ({
          from,
          to,
          tone: TONES[phase],
          text: `${phases(phase)}, ${short(from)}–${short(to)}`,
        }))}
      />
      <div class="dash-ribbon-hours" aria-hidden="true">
        {[1, 0.75, 0.5, 0.25, 0].map((part) => (
          <span key={part}>{short(minute - part * DAY_MS)}</span>
        ))}
      </div>
      {begin > minute - DAY_MS && begin < Infinity && <p class="dash-soft">{text("no_record", { time: short(begin) })}</p>}
    </figure>
  );
}
