// Limits that hold for every door of the spoke.

import { duration, fields, integer, optional, size, type ValueOf } from "#base/schema.ts";

export const limitsOptions = fields({
  max_payload: optional(size("1KiB", "64MiB"), "1MiB", "largest payload of one message; larger ones are refused at the door"),
  max_connections: optional(integer(1, 100_000), 1000, "connections of all kinds at the same time"),
  max_pending: optional(size("64KiB", "1GiB"), "16MiB", "bytes waiting for one slow receiver before it is cut off"),
  write_deadline: optional(duration("100ms", "10m"), "10s", "how long one write to a peer may take before it is cut off"),
});

export type LimitsOptions = ValueOf<typeof limitsOptions>;
