// The device's own readings. They do not exist yet; `host: null` is all the settings take for now.

import { duration, fields, optional, type ValueOf } from "#base/schema.ts";
import { subjectTemplate } from "#core/subject-schema.ts";

export const hostOptions = fields({
  interval: optional(duration("1s", "1d"), "30s", "how often the device publishes its own readings"),
  subject: optional(subjectTemplate(["server_name"]), "host.{server_name}", "where they are published"),
});

export type HostOptions = ValueOf<typeof hostOptions>;
