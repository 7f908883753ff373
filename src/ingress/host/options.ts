// The device's own readings: how often, where to, and what counts as a change.

import { duration, fields, integer, number, optional, type ValueOf } from "#base/schema.ts";
import { subjectTemplate } from "#core/subject-schema.ts";

export const hostOptions = fields({
  interval: optional(duration("1s", "1d"), "30s", "how often the device looks at itself and publishes what has changed"),
  subject: optional(
    subjectTemplate(["server_name", "field"]),
    "host.{server_name}",
    "where its readings are published: one JSON object, or with {field} one message a reading",
  ),
  deadband: optional(
    number(0, 50, "%"),
    2,
    "a reading that has moved by less, of itself, since it was last published is not published again; 0: every change counts",
  ),
  full_every: optional(integer(1, 10_000, "intervals"), 10, "every so many intervals all readings are published, changed or not"),
});

export type HostOptions = ValueOf<typeof hostOptions>;
