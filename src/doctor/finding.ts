// How steps say what they found; the examination adds which step it was and how long it took.

import type { Facts, Finding, Verdict } from "./report.ts";

export type Draft = Omit<Finding, "step" | "took_ms">;

/** What a draft is about. */
export interface Target {
  readonly target: string | null;
  readonly ref: string | null;
}

export const DEVICE: Target = Object.freeze({ target: null, ref: null });

/** Cause and remedy of something that is not as it should be. */
export interface Trouble {
  readonly code: string;
  readonly detail?: string | null;
  readonly cause: string;
  readonly remedy: string;
}

export function fine(about: Target, cause: string, facts: Facts = {}): Draft {
  return draft(about, "fine", { code: null, cause, remedy: null }, facts);
}

/** `because`: the step that broke before, where that is the reason. */
export function skipped(about: Target, cause: string, because?: string): Draft {
  return draft(about, "skipped", { code: null, cause, remedy: null }, because === undefined ? {} : { because });
}

export function warning(about: Target, trouble: Trouble, facts: Facts = {}): Draft {
  return draft(about, "warning", trouble, facts);
}

export function broken(about: Target, trouble: Trouble, facts: Facts = {}): Draft {
  return draft(about, "broken", trouble, facts);
}

type Said = Pick<Finding, "code" | "cause" | "remedy"> & { readonly detail?: string | null };

function draft({ target, ref }: Target, verdict: Verdict, { code, detail = null, cause, remedy }: Said, facts: Facts): Draft {
  return { target, ref, verdict, code, detail, cause, remedy, facts };
}

const BRIEF_CHARS_MAX = 80;

/** What a hub calls itself, and whatever else strangers say: as much as a sentence bears. Making it safe to show is the showers' job. */
export function brief(text: string): string {
  return text.length <= BRIEF_CHARS_MAX ? text : `${text.slice(0, BRIEF_CHARS_MAX)}…`;
}
