// A text that must not be printed: logs, JSON, templates and inspection show `***`; only `reveal()` gives it away.

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

export const SECRET_SHOWN = "***";

export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    Object.freeze(this);
  }

  /** The text itself. Call it where the bytes are needed, and keep nothing. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return SECRET_SHOWN;
  }

  toJSON(): string {
    return SECRET_SHOWN;
  }

  [INSPECT](): string {
    return SECRET_SHOWN;
  }
}

/**
 * Hides the user information of every URL in a text: `tls://ann:pw@hub` becomes `tls://***@hub`.
 * Greedy on purpose: a password with an unescaped `/` or `@` is hidden too.
 */
export function hideUserInfo(text: string): string {
  const from = text.indexOf("//") + 2; // not by a regular expression, which takes minutes for a text of a megabyte
  const at = text.lastIndexOf("@");
  return from < 2 || at < from ? text : `${text.slice(0, from)}${SECRET_SHOWN}${text.slice(at)}`;
}

/** Whether a text holds a seed of an nkey (two letters and base32, 58 signs in all), or a JWT, which alone is enough where a user is a bearer. */
export function holdsKey(text: string): boolean {
  return /S[ACNOUX][A-Z2-7]{56}|eyJ[\w-]+\.[\w-]+\.[\w-]+/.test(text);
}
