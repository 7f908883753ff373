// Changes that were not saved yet, kept while their author looks at another view or logs in anew. In the session's memory, which goes
// with a log-out and with anybody else's login: there may be secrets among them.

import type { Json } from "./json.ts";

export interface Draft {
  /** What it was made from. */
  readonly base: Json;
  readonly revision: string;
  readonly document: Json;
}

type Memory = Map<string, unknown>;

export function draftIn(memory: Memory): Draft | undefined {
  return memory.get("settings.draft") as Draft | undefined;
}

export function keepDraft(memory: Memory, draft: Draft | undefined): void {
  if (draft === undefined) memory.delete("settings.draft");
  else memory.set("settings.draft", draft);
}
