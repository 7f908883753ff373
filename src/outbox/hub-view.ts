// What the outbox asks about the hub. Implemented by uplink/; a simulated one drives the power-cut tests.

import type { WireWriter } from "#wire/wire-writer.ts";

/**
 * Does anybody at the hub want a subject?
 * `now`: yes. `before`: it did until recently (a stream that restarts, a hub in lame duck), or the link is down and it did when last seen.
 * `never`: no. `unknown`: no link has ever been up.
 */
export type Listening = "now" | "before" | "never" | "unknown";

export interface HubView {
  listening(subject: string, servedGroups: readonly string[]): Listening;
  /** Queue groups at the hub that want `subject`, less those with local members: they are served here. */
  groups(subject: string, servedGroups: readonly string[]): readonly string[];
  /** What the hub (and our own deny_exports) let us send. */
  mayExport(subject: string): boolean;
  /** Requests the hub has sent us of late, which may be answered in spite of `listening` and `mayExport`. Absent: none. */
  readonly answers?: AwaitedAnswers;
  /** Header block and payload of one message at most, in bytes. */
  readonly payloadBytesMax: number;
}

export interface AwaitedAnswers {
  /** Is `subject` the reply of a recent request? */
  isAwaited(subject: string): boolean;
  /** May an answer on `subject` leave although `mayExport` says no? Asked once per answer: the permission may be used up by it. */
  spend(subject: string): boolean;
}

/** A link that is ready: the hub's interest is known, and bytes may be written. */
export interface Carrier {
  readonly out: WireWriter;
  /**
   * Where a stream's answers to stored messages reach us: `<inbox>.<class index>.<seq>` is the reply subject they are sent with. Unlike
   * any of another life of this process, whose seqs may have been given again. `null`: the hub does not let us listen to one.
   */
  readonly inbox: string | null;
  /** Bytes that may be written now without making the link slow to answer; 0: wait for `onRoom`. */
  readonly room: number;
  /** No room. Asking makes sure that `onRoom` is told once there is. */
  readonly isCongested: boolean;
  /** Sends what was written to `out` soon, at most once per turn of the event loop. */
  flush(): void;
  /** Writes a PING whose PONG comes back as `Outbox.onReceipt`: it proves that the hub parsed all that was written before (spec §12.2). */
  barrier(): void;
}
