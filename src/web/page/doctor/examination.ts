// An examination as its findings come in: pure, and so is its text.

export type Verdict = "fine" | "warning" | "broken" | "skipped";

export type Fact = string | number | boolean | null | readonly string[] | readonly Facts[];
export interface Facts {
  readonly [name: string]: Fact;
}

export interface Finding {
  readonly step: string;
  readonly target: string | null;
  readonly verdict: Verdict;
  readonly code: string | null;
  readonly detail: string | null;
  readonly cause: string;
  readonly remedy: string | null;
  readonly facts: Facts;
  readonly took_ms: number;
}

export interface Done {
  readonly summary: { readonly verdict: "fine" | "warning" | "broken" } & Readonly<Record<Verdict, number>>;
  readonly compact: string;
  readonly version: string;
  readonly server_name: string | null;
  readonly device_id: string | null;
  readonly now: string;
}

export interface Examination {
  readonly state: "idle" | "running" | "done" | "stopped" | "failed";
  /** Ids of the steps, in their order. */
  readonly steps: readonly string[];
  readonly findings: readonly Finding[];
  readonly done: Done | undefined;
  /** Why it failed. */
  readonly failure: string;
}

export const IDLE: Examination = { state: "idle", steps: [], findings: [], done: undefined, failure: "" };

/** What comes over the stream; what is not known is passed over. */
export function hear(examination: Examination, event: string, data: unknown): Examination {
  switch (event) {
    case "begin":
      return { ...examination, steps: (data as { steps: readonly string[] }).steps };
    case "step":
      return { ...examination, findings: [...examination.findings, data as Finding] };
    case "done":
      return { ...examination, done: data as Done, state: "done" };
    default:
      return examination;
  }
}

/** The step that is under way: the first one without a finding, since steps are taken in their order. */
export function stepUnderWay({ state, steps, findings }: Examination): number {
  if (state !== "running") return -1;
  const last = findings.at(-1);
  return last === undefined ? 0 : Math.min(steps.indexOf(last.step) + 1, steps.length - 1);
}

const RANK: Readonly<Record<Verdict, number>> = { broken: 3, warning: 2, fine: 1, skipped: 0 };

export function worstOf(findings: readonly Finding[]): Verdict {
  return findings.reduce<Verdict>((worst, { verdict }) => (RANK[verdict] > RANK[worst] ? verdict : worst), "skipped");
}

/** For a message to somebody: as `petiole doctor` prints it, more or less. */
export function textOf({ findings, done }: Examination): string {
  const head = done === undefined ? [] : [`${done.server_name ?? "-"} · ${done.version} · ${done.now}`, done.compact, ""];
  const lines = findings.flatMap(({ step, target, verdict, code, detail, cause, remedy }) => [
    `${verdict.toUpperCase().padEnd(7)} ${step}${target === null ? "" : ` ${target}`}: ${cause}`,
    ...(remedy === null ? [] : [`        → ${remedy}`]),
    ...(code === null ? [] : [`        ${code}${detail === null ? "" : ` (${detail})`}`]),
  ]);
  return [...head, ...lines, ""].join("\n");
}
