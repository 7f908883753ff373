// The connection over which a session talks, as the session sees it: conversation.ts.

import type { Batch } from "#core/batch.ts";
import type { Ticket } from "#core/sink.ts";
import type { DeliveryWire } from "./delivery-wire.ts";

export interface Talk {
  readonly wire: DeliveryWire;
  deny(subject: string): void;
  noRoom(batch: Batch, index: number, taken: "dropped" | "refused"): void;
  unheard(batch: Batch, index: number): void;
  onSafe(watermark: Ticket): void;
  pause(): void;
  resume(): void;
  flush(): void;
}
