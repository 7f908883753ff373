// One row of separated values, cut into its cells.
//
//   21.4; "a ""b"" c" ;; x        ─▶   21.4 │ a "b" c │ │ x
//
// Blanks around a cell are not part of it, those within quotes are; a doubled quote is a quote. With a blank as separator any run of
// blanks and tabs is one.

export interface CsvFormat {
  /** One character. */
  readonly separator: string;
  /** One character, or "" for none. */
  readonly quote: string;
}

/** Fills `cells`; says how many there are, or undefined when a quote is not closed or something stands behind a closed one. */
export function splitRow(text: string, { separator, quote }: CsvFormat, cells: string[]): number | undefined {
  const isBlank = separator === " ";
  let count = 0;
  let at = 0;
  for (;;) {
    at = skipBlanks(text, at, separator);
    if (isBlank && at === text.length && count > 0) return count;
    if (quote !== "" && text[at] === quote) {
      const end = quotedEnd(text, at, quote);
      if (end === undefined) return undefined;
      cells[count++] = text.slice(at + 1, end).replaceAll(quote + quote, quote);
      at = isBlank ? end + 1 : skipBlanks(text, end + 1, separator);
      if (at < text.length && !isSeparator(text, at, separator)) return undefined;
    } else {
      let end = at;
      while (end < text.length && !isSeparator(text, end, separator)) end++;
      cells[count++] = text.slice(at, end).trimEnd();
      at = end;
    }
    if (at >= text.length) return count;
    at += 1;
  }
}

function isSeparator(text: string, at: number, separator: string): boolean {
  return text[at] === separator || (separator === " " && text[at] === "\t");
}

function skipBlanks(text: string, from: number, separator: string): number {
  let at = from;
  while (text[at] === " " || (text[at] === "\t" && separator !== "\t")) at++;
  return at;
}

/** Where the quote closes that opens at `open`. */
function quotedEnd(text: string, open: number, quote: string): number | undefined {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] !== quote) continue;
    if (text[at + 1] !== quote) return at;
    at += 1;
  }
  return undefined;
}
