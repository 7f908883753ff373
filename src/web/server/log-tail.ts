// The last lines of the log in memory, for the page; and whoever wants to hear the next ones.

import { formatLine, type LogLine } from "#base/log.ts";
import { Recent } from "#base/recent.ts";

const LINES_MAX = 1000;
const LINE_CHARS_MAX = 2000;

export class LogTail {
  readonly #lines = new Recent<string>(LINES_MAX);
  readonly #listeners = new Set<(line: string) => void>();

  /** Hand it every line of the log. */
  add(line: LogLine): void {
    const text = formatLine(line);
    const shown = text.length <= LINE_CHARS_MAX ? text : `${text.slice(0, LINE_CHARS_MAX)}…`;
    this.#lines.add(flat(shown));
    for (const listener of this.#listeners) listener(shown);
  }

  /** Oldest first. */
  last(count: number): readonly string[] {
    return [...this.#lines].slice(-count);
  }

  listen(listener: (line: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

/** Without the pieces it was put together from, or the longer text it was cut from: those would stay as long as the line does. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}
