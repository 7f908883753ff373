// Query parameters, read as nats-server reads them: a value that is none is answered with 400 and a sentence.

/** What the asker did wrong, in a sentence. */
export class QueryError extends Error {
  override readonly name = "QueryError";
}

/** Entries of one answer unless `limit` says otherwise, as in nats-server; and however much it says. */
export const LIMIT_DEFAULT = 1024;
export const LIMIT_MAX = 10_000;

const TRUE: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE: ReadonlySet<string> = new Set(["0", "f", "F", "false", "FALSE", "False"]);

export class Query {
  readonly #values: URLSearchParams;

  constructor(search: string) {
    this.#values = new URLSearchParams(search);
    if (this.#values.has("callback")) throw new QueryError("JSONP is not supported: ask without callback and read the JSON");
  }

  /** Undefined if it is missing or empty. */
  text(key: string): string | undefined {
    return this.#values.get(key) || undefined;
  }

  flag(key: string): boolean {
    const value = this.text(key);
    if (value === undefined || FALSE.has(value)) return false;
    if (TRUE.has(value)) return true;
    throw new QueryError(`Error decoding boolean for '${key}': wanted true or false, got ${quote(value)}`);
  }

  /** A flag, or the word `detail`. */
  flagOrDetail(key: string): boolean | "detail" {
    return this.text(key)?.toLowerCase() === "detail" ? "detail" : this.flag(key);
  }

  int(key: string): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    if (/^[+-]?\d{1,15}$/.test(value)) return Number(value);
    throw new QueryError(`Error decoding int for '${key}': wanted a whole number, got ${quote(value)}`);
  }

  /** Zero and less mean the default, as in nats-server. */
  limit(): number {
    const wanted = this.int("limit") ?? 0;
    return wanted <= 0 ? LIMIT_DEFAULT : Math.min(wanted, LIMIT_MAX);
  }

  offset(): number {
    return Math.max(0, this.int("offset") ?? 0);
  }
}

export function quote(value: string): string {
  return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value);
}
