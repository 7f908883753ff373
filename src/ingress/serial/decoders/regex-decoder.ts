// The named groups of a pattern that is searched in each frame. A group that took no part in the match is no value; a frame that the
// pattern is not found in is a fault.

import { RE2JS } from "re2js";
import type { DecodeOptions } from "../decode-options.ts";
import type { Decoder } from "../decoder.ts";
import type { ReadingWriter } from "../reading.ts";
import { type Cell, makeCell } from "./cell.ts";
import { type CharacterReader, characterReader, notIn } from "./character-reader.ts";

type RegexOptions = DecodeOptions & { readonly type: "regex" };

/** Characters of a frame that are searched at most; see regex-pattern.ts. */
const SEARCHED_CHARS_MAX = 4096;

export class RegexDecoder implements Decoder {
  readonly #options: RegexOptions;
  readonly #read: CharacterReader;
  readonly #writer: ReadingWriter;
  readonly #pattern: RE2JS;
  readonly #groups: readonly { readonly number: number; readonly cell: Cell }[];
  readonly #layout;

  constructor(options: RegexOptions, writer: ReadingWriter) {
    this.#options = options;
    this.#read = characterReader(options.charset);
    this.#writer = writer;
    this.#pattern = RE2JS.compile(options.pattern);
    this.#groups = Object.entries(this.#pattern.namedGroups()).map(([name, number]) => {
      const wanted = options.fields.find((field) => field.name === name);
      return { number, cell: makeCell(wanted ?? { name, type: "auto", scale: 1, add: 0, unit: null }, options.decimal) };
    });
    this.#layout = this.#groups.map(({ cell }) => cell.field);
  }

  decode(bytes: Buffer, start: number, end: number): string | undefined {
    const text = this.#read(bytes, start, end);
    if (text === undefined) return notIn(this.#options.charset);
    if (text.length > SEARCHED_CHARS_MAX) return `${text.length} characters, at most ${SEARCHED_CHARS_MAX} are searched`;
    const matcher = this.#pattern.matcher(text);
    if (!matcher.find()) return "the pattern is not found in it";
    this.#writer.begin(this.#layout);
    for (const { number, cell } of this.#groups) {
      const found = matcher.group(number)?.trim() ?? "";
      if (found === "") continue;
      const json = cell.toJson(found);
      if (json === undefined) this.#writer.fail(`no number in group "${cell.field.name}"`);
      else this.#writer.add(cell.field, json);
    }
    return this.#writer.end();
  }

  /** A pattern that begins with ^ and a plain character would notice; we do not look that closely. */
  showsItsBeginning(): boolean {
    return false;
  }

  reset(): void {
    // nothing is learnt
  }
}
