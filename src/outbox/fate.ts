// What becomes of one kept message now that the link could take it.

export type Fate =
  | {
      readonly at: "send";
      /** Queue groups at the hub that it is for. */
      readonly groups: readonly string[];
      /** Confirmed by a PONG behind it, or by the answer of a stream. */
      readonly confirm: "accepted" | "stored";
      /** May it pass older ones that still wait? */
      readonly order: "strict" | "live_first";
    }
  /** Nobody listens, but somebody may soon; or its stream does not store now: keep it, pass it by. */
  | { readonly at: "park" }
  /** Counted by whoever says so. */
  | { readonly at: "discard" }
  /**
   * It comes again: an older one of its subject was given up, and that is not on flash yet; or the hub is being asked whether a stream
   * takes it.
   */
  | { readonly at: "wait"; readonly for: "ledger" | "streams" };

/** A message of the backlog, as far as its fate hangs on it. */
export interface BacklogMessage {
  readonly subject: string;
  /** Header block and payload as sent, at most. */
  readonly wireBytes: number;
  readonly seq: number;
  readonly stamp: number;
  readonly epoch: number;
  /** Which boot's time `stamp` is. */
  readonly boot: string | null;
}
