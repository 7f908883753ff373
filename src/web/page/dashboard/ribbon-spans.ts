// A link's changes of state as pieces of the ribbon. While there is no link it tries again and again, through five states each time:
// for the ribbon that is one piece.
//
//   changes   waiting dialing ready            waiting dialing waiting dialing ready
//   pieces    ░░░ down ░░░░░ ▄▄▄▄▄▄ up ▄▄▄▄▄▄▄ ░░░░░░░░░░ down ░░░░░░░░░░░░░░ ▄▄▄ up …

import type { LinkMoveReport } from "#status/history-report.ts";
import { type LinkPhase, phaseOf } from "./link-sentence.ts";

const CONNECTING_MS_MAX = 60_000;

export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly phase: Extract<LinkPhase, "up" | "down" | "unknown">;
}

export interface RibbonPieces {
  readonly pieces: readonly Piece[];
  /** Of the time that is known, 0 to 1; null: none is known. */
  readonly upShare: number | null;
  /** How much of the time is known. */
  readonly knownMs: number;
}

/** `from` and `to` in milliseconds since 1970. Before the first change nothing is known: the device was off, or has forgotten. */
export function ribbonPieces(changes: readonly LinkMoveReport[], from: number, to: number): RibbonPieces {
  const pieces: Piece[] = [];
  const add = (piece: Piece) => {
    const last = pieces.at(-1);
    if (piece.to <= piece.from) return;
    if (last !== undefined && last.phase === piece.phase && last.to === piece.from)
      pieces[pieces.length - 1] = { ...last, to: piece.to };
    else pieces.push(piece);
  };
  const inOrder = changes
    .map(({ at, state }) => ({ at: Date.parse(at), state }))
    .filter(({ at }) => !Number.isNaN(at) && at < to)
    .sort((one, other) => one.at - other.at);
  let start = from;
  let phase: Piece["phase"] = "unknown";
  for (const { at, state } of inOrder) {
    const now = Math.max(from, at);
    add({ from: start, to: now, phase });
    start = now;
    const next = phaseOf(state);
    phase = next === "trying" ? "down" : next;
  }
  add({ from: start, to, phase });
  // The moment it takes to connect for the first time is no outage.
  const first = pieces.findIndex(({ phase: is }) => is !== "unknown");
  const connecting = pieces[first];
  if (
    connecting?.phase === "down" &&
    pieces[first + 1] !== undefined &&
    connecting.to - connecting.from < CONNECTING_MS_MAX &&
    connecting.from > from
  )
    pieces[first] = { ...connecting, phase: "unknown" };
  const lasting = (which: Piece["phase"]) =>
    pieces.filter((piece) => piece.phase === which).reduce((sum, piece) => sum + piece.to - piece.from, 0);
  const known = lasting("up") + lasting("down");
  return { pieces, upShare: known === 0 ? null : lasting("up") / known, knownMs: known };
}
