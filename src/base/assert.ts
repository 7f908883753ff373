// A failed assertion is a bug of ours: the process ends, the supervisor restarts it, the journal recovers.
// Never use it for what a peer, a disk or a settings file can cause (STYLE: three kinds of errors).

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Ends the process (through the uncaught error path) unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
