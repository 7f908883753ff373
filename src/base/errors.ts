// The two errors that are not bugs: a fault of operation and a breach by a peer.
//
// Callers switch on `code` and `remedy`, never on words. Codes live in each folder's `errors.ts`;
// test/unit/base/error-catalogue.test.ts keeps them unique.

/** What may heal a fault: trying again at once, trying again later, or only a person. */
export type Remedy = "retry" | "backoff" | "never";

/** A fault of operation (disk full, hub gone, bad settings). `code` is stable; the message says what, to what, found, wanted. */
export class PetioleError extends Error {
  override readonly name: string = "PetioleError";
  readonly code: string;
  readonly remedy: Remedy;

  constructor(code: string, message: string, options: { readonly remedy?: Remedy; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? "retry";
  }
}

/** A breach of protocol by a peer. Its connection ends, and nothing else. `offset` counts bytes in what the peer sent, where known. */
export class ProtocolError extends PetioleError {
  override readonly name = "ProtocolError";
  readonly offset: number | undefined;

  constructor(code: string, message: string, options: { readonly offset?: number; readonly cause?: unknown } = {}) {
    super(code, message, { remedy: "backoff", ...(options.cause === undefined ? {} : { cause: options.cause }) });
    this.offset = options.offset;
  }
}

/** The text of whatever was thrown, with the chain of causes, on one line. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `: ${explain(error.cause)}`;
  return `${error.message}${cause}`.replaceAll(/\s*\n\s*/g, " ");
}

/** The system's own code of a fault, such as "ENOSPC", or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

/** A fault of operation, ours or the system's (EIO, ENOSPC, ECONNRESET …). Everything else that is thrown is a bug and must not be caught. */
export function isFault(error: unknown): boolean {
  return error instanceof PetioleError || systemCode(error) !== undefined;
}

/** Does the fault, or any of its causes, carry this code of the system? */
export function isCausedBy(error: unknown, code: string): boolean {
  for (let each = error; each instanceof Error; each = each.cause) if (systemCode(each) === code) return true;
  return false;
}
