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
  /** Header block and payload of one message at most, in bytes. */
  readonly payloadBytesMax: number;
}

/** A link that is ready: the hub's interest is known, and bytes may be written. */
export interface Carrier {
  readonly out: WireWriter;
  /** More is waiting in the socket than it should: send no backlog now. */
  readonly isCongested: boolean;
  /** Sends what was written to `out` soon, at most once per turn of the event loop. */
  flush(): void;
  /** Writes a PING whose PONG comes back as `Outbox.onReceipt`: it proves that the hub parsed all that was written before (spec §12.2). */
  barrier(): void;
}
