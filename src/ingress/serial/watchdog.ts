// What is done about a port that is open and says nothing, or nonsense. Pure: the state and a look at the port go in once a second,
// the next state and what to do come out.
//
//            trouble            trouble again          trouble again             an hour of trouble
//   well ─────────────▶ reopened ─────────────▶ cycled ─────────────▶ degraded ─────────────────────▶ reopened …
//    ▲                  (open it anew)      (USB off and on)       (only reported)
//    └── frames come, and a minute within the error budget ──┘
//
// Trouble is silence (`silence_after` without a frame, while `reopen.on_silence`) or noise (more bad frames within a minute than
// `error_budget`). The USB rung is passed over where it is not allowed or not possible, and stepped on every 15 minutes at most.

import type { Millis } from "#base/clock.ts";

export interface WatchOptions {
  readonly silenceAfter: Millis | null;
  readonly errorBudget: number | null;
  readonly reopen: { readonly onSilence: boolean };
  readonly usbPowerCycle: boolean;
}

/** An open port that is being read. Counts are since the start. */
export interface PortLook {
  readonly now: Millis;
  /** Number of this opening: 1 is the first. */
  readonly opening: number;
  readonly openedAt: Millis;
  /** Of the last frame, or of the last moment at which we did not listen. */
  readonly lastFrameAt: Millis;
  readonly badFrames: number;
  /** The device hangs on a USB port that we may switch. */
  readonly canCycle: boolean;
}

export interface WatchState {
  readonly rung: "well" | "reopened" | "cycled" | "degraded";
  /** When, and in which opening, a rung was last climbed for the trouble there is. Each opening is given one: it is judged by itself. */
  readonly climbedAt: Millis;
  readonly climbedIn: number;
  /** The minute in which bad frames are counted, of which opening, and how many there were before it. */
  readonly windowAt: Millis;
  readonly windowIn: number;
  readonly windowBad: number;
  readonly isSilent: boolean;
  readonly isNoisy: boolean;
  readonly cycledAt: Millis;
}

export type WatchAction = "none" | "reopen" | "cycle-power";

const WINDOW_MS: Millis = 60_000;
const CYCLE_EVERY_MS: Millis = 900_000;
const REST_MS: Millis = 3_600_000;

export const ALL_WELL: WatchState = {
  rung: "well",
  climbedAt: Number.NEGATIVE_INFINITY,
  climbedIn: 0,
  windowAt: Number.NEGATIVE_INFINITY,
  windowIn: 0,
  windowBad: 0,
  isSilent: false,
  isNoisy: false,
  cycledAt: Number.NEGATIVE_INFINITY,
};

/** Pure; called while the port is open and read. */
export function watchPort(before: WatchState, look: PortLook, options: WatchOptions): readonly [WatchState, WatchAction] {
  const { silenceAfter, errorBudget, reopen } = options;
  const state = turnWindow(before, look, errorBudget);
  // What this opening has shown by itself …
  const wasQuiet = silenceAfter !== null && look.now - Math.max(look.lastFrameAt, look.openedAt) >= silenceAfter;
  const wasLoud = errorBudget !== null && look.badFrames - state.windowBad > errorBudget;
  // … and what people are told, which a new opening alone does not end.
  const isSilent = wasQuiet || (state.isSilent && look.lastFrameAt <= look.openedAt);
  const isNoisy = wasLoud || state.isNoisy;
  const next: WatchState = { ...state, isSilent, isNoisy };
  if (!isSilent && !isNoisy) return [{ ...next, rung: "well", climbedIn: 0 }, "none"];
  if (!wasLoud && !(wasQuiet && reopen.onSilence)) return [next, "none"];
  const isDue = state.climbedIn < look.opening || (state.rung === "degraded" && look.now - state.climbedAt >= REST_MS);
  return isDue ? climb(next, look, options) : [next, "none"];
}

/** A new opening begins a new minute; noise is over after a whole minute within the budget. */
function turnWindow(state: WatchState, look: PortLook, errorBudget: number | null): WatchState {
  const isNew = look.opening !== state.windowIn;
  if (!isNew && look.now - state.windowAt < WINDOW_MS) return state;
  const isOver = errorBudget !== null && look.badFrames - state.windowBad > errorBudget;
  return {
    ...state,
    windowAt: isNew ? look.openedAt : look.now,
    windowIn: look.opening,
    windowBad: look.badFrames,
    isNoisy: state.isNoisy && (isNew || isOver),
  };
}

function climb(state: WatchState, look: PortLook, { usbPowerCycle }: WatchOptions): readonly [WatchState, WatchAction] {
  const climbed = { climbedAt: look.now, climbedIn: look.opening };
  if (state.rung === "well" || state.rung === "degraded") return [{ ...state, rung: "reopened", ...climbed }, "reopen"];
  const mayCycle = usbPowerCycle && look.canCycle && look.now - state.cycledAt >= CYCLE_EVERY_MS;
  if (state.rung === "reopened" && mayCycle) return [{ ...state, rung: "cycled", ...climbed, cycledAt: look.now }, "cycle-power"];
  return [{ ...state, rung: "degraded", ...climbed }, "none"];
}
