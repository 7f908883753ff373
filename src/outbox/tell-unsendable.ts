// Says in the log why a message can never leave, where that is a fault of somebody's settings.

import type { Log } from "#base/log.ts";
import { displaySubject } from "#core/subject.ts";
import type { LossReason } from "./ledger/losses.ts";

export function tellUnsendable(log: Log, reason: LossReason, subject: string, payloadBytesMax: number): void {
  if (reason === "too_large") {
    const facts = { subject: displaySubject(subject), limit: payloadBytesMax };
    log.warn("a message is larger than the hub takes and cannot be sent; make it smaller or raise max_payload at the hub", facts);
  } else if (reason === "not_permitted") {
    const facts = { subject: displaySubject(subject) };
    log.warn("the hub's permissions or deny_exports forbid a subject; its messages stay local", facts);
  }
}
