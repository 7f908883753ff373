// Bytes of a segment that should be records and are not, and which numbers may be missing for it.

import type { BadSpan, UnitRun } from "./segment-scanner.ts";

/** `file` and `from` together name it for good: the same damage found at another start is the same damage. */
export interface DamagedSpan {
  readonly file: string;
  /** Bytes `from … to` of the file. */
  readonly from: number;
  readonly to: number;
  /** Lost are records among these numbers, the first and the last of a group if its header holds. Numbers have gaps: there may be fewer. */
  readonly fromSeq: number;
  /** undefined: not known, nothing readable follows. */
  readonly throughSeq: number | undefined;
}

/** Spans remembered of one segment; the last takes in all that follow. */
const SPANS_MAX = 64;

interface OpenSpan {
  from: number;
  to: number;
  fromSeq: number;
  throughSeq: number | undefined;
}

/** Gathers the bad spans of one segment while it is scanned. */
export class DamageList {
  readonly spans: OpenSpan[] = [];
  #lastSeq: number;

  /** `lastSeq`: the highest number known to stand before this segment. */
  constructor(lastSeq: number) {
    this.#lastSeq = lastSeq;
  }

  /** Good records follow: what was lost before them had lower numbers. */
  onRecords(run: Pick<UnitRun, "firstSeq" | "lastSeq">): void {
    this.#endOpenSpans(run.firstSeq - 1);
    this.#lastSeq = run.lastSeq;
  }

  onBad(bad: BadSpan): void {
    const last = this.spans.at(-1);
    if (last !== undefined && (last.to === bad.from || this.spans.length === SPANS_MAX)) {
      last.to = bad.to;
      last.throughSeq = bad.seqs?.last;
      return;
    }
    if (bad.seqs !== undefined) this.#endOpenSpans(bad.seqs.first - 1);
    this.spans.push({ from: bad.from, to: bad.to, fromSeq: bad.seqs?.first ?? this.#lastSeq + 1, throughSeq: bad.seqs?.last });
  }

  /** Several may be open: with fillers between them. */
  #endOpenSpans(throughSeq: number): void {
    for (const span of this.spans) span.throughSeq ??= throughSeq;
  }
}
