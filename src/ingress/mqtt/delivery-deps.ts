// What deliveries are made with, and the limits they keep.

import type { Mail } from "./mail.ts";
import type { SessionFile } from "./session-file.ts";

/** Bytes a client may be behind in reading before QoS 0 is dropped for it and QoS 1 and 2 have to wait. */
export const HIGH_WATER_BYTES = 262_144;

export interface DeliveryLimits {
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  readonly queueFull: "drop_oldest" | "drop_new";
}

export interface DeliveryDeps {
  readonly mail: Mail;
  readonly limits: DeliveryLimits;
  /** What is kept of it on flash; null for a session that ends with its connection. */
  readonly file: SessionFile | null;
  /** Told once when dropping begins, and again only after all that waited has gone out. */
  readonly onDropping: (qos: 0 | 1 | 2) => void;
  /** What waited for the store may go out: `pump`, with all else that may find a place then. */
  readonly onSafe: () => void;
}
