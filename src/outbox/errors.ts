// Faults of the outbox that its owner hears of. Those of the journal below it: journal/errors.ts.

export const OUTBOX_COMMIT_FAILED = "OUTBOX_COMMIT_FAILED";
