// Names a set of rules by what their numbers refer to: another key, and the numbers in the ledger mean something else.

import { crc32c } from "#base/crc32c.ts";
import type { OutboxRule } from "../options.ts";

export function rulesKey(rules: readonly Pick<OutboxRule, "subjects">[]): string {
  const subjects = Buffer.from(JSON.stringify(rules.map((rule) => rule.subjects)));
  return crc32c(subjects, 0, subjects.length).toString(16);
}
