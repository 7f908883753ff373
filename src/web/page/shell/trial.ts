// A risky change that this page has just applied: the device now ends all sessions, and may be found at another address. Kept in the
// session's memory, so that the login that follows can say why it is asked for. Over as soon as somebody is logged in again, or when
// the device has taken the change back.

export interface Trial {
  /** Where the page will be; undefined: where it is. */
  readonly address: string | undefined;
  /** By the browser's clock. */
  readonly until: number;
}

type Memory = Map<string, unknown>;

export function beginTrial(memory: Memory, trial: Trial): void {
  memory.set("trial", trial);
}

export function endTrial(memory: Memory): void {
  memory.delete("trial");
}

export function trialOf(memory: Memory): Trial | undefined {
  const trial = memory.get("trial") as Trial | undefined;
  return trial === undefined || trial.until < Date.now() ? undefined : trial;
}
