// Rows of separated values. The settings name the columns, or the device's own header row does.
//
//   temp;hum;time          header row: passed over; where the settings name no columns, it does
//   21.4;55;12:01          one value a column; an empty cell is no value
//   21.4;5                 another number of cells than columns: a fault, since nobody knows which one is missing
//
// With `header`, the first row after opening that holds no number is the header row, and so is every row that repeats it. Learnt names
// outlive an unplug, since many devices say them only when they are switched on; a header row of another length replaces them.

import type { CellOptions, DecodeOptions } from "../decode-options.ts";
import type { Decoder } from "../decoder.ts";
import type { ReadingWriter } from "../reading.ts";
import { type Cell, makeCell } from "./cell.ts";
import { type CharacterReader, characterReader, notIn } from "./character-reader.ts";
import { splitRow } from "./csv-row.ts";
import type { Field } from "./field.ts";
import { isNumberText } from "./scaling.ts";

type CsvOptions = DecodeOptions & { readonly type: "csv" };

const COLUMNS_MAX = 256;
const COLUMN_NAME_CHARS_MAX = 128;
/** The name of a column that is passed over. */
const NOT_WANTED = "-";

interface Columns {
  readonly names: readonly string[];
  /** undefined: passed over. */
  readonly cells: readonly (Cell | undefined)[];
  readonly layout: readonly Field[];
}

export class CsvDecoder implements Decoder {
  readonly #options: CsvOptions;
  readonly #read: CharacterReader;
  readonly #writer: ReadingWriter;
  /** The row under way; used again for each. */
  readonly #row: string[] = [];
  #columns: Columns | undefined;
  #header: readonly string[] | undefined;
  #isFirstRow = true;

  constructor(options: CsvOptions, writer: ReadingWriter) {
    this.#options = options;
    this.#read = characterReader(options.charset);
    this.#writer = writer;
    if (options.columns !== null) this.#columns = makeColumns(options.columns, options.decimal);
  }

  decode(bytes: Buffer, start: number, end: number): string | undefined {
    const text = this.#read(bytes, start, end);
    if (text === undefined) return notIn(this.#options.charset);
    const count = splitRow(text, this.#options, this.#row);
    if (count === undefined) return "a quote that is not closed, or something behind it";
    if (this.#options.header && this.#isHeader(count)) return undefined;
    const columns = this.#columns;
    if (columns === undefined) return "no header row has come yet that names the columns";
    if (count !== columns.cells.length) return `a row of ${count} cells, wanted ${columns.cells.length}`;
    return this.#write(columns);
  }

  showsItsBeginning(): boolean {
    return false; // a row whose first cell lost a digit is still a row
  }

  reset(): void {
    this.#isFirstRow = true;
  }

  #write({ cells, names, layout }: Columns): string | undefined {
    this.#writer.begin(layout);
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i];
      const text = this.#row[i]!;
      if (cell === undefined || text === "") continue;
      const json = cell.toJson(text);
      if (json === undefined) this.#writer.fail(`no number in column "${names[i]}"`);
      else this.#writer.add(cell.field, json);
    }
    return this.#writer.end();
  }

  /** Is this the header row? Then what it says is remembered. */
  #isHeader(count: number): boolean {
    const isFirst = this.#isFirstRow;
    this.#isFirstRow = false;
    const row = this.#row;
    if (this.#header?.length === count && this.#header.every((name, i) => name === row[i])) return true;
    if (!isNames(row, count)) return false;
    const isLearning = this.#options.columns === null && this.#columns?.cells.length !== count;
    if (!isFirst && !isLearning) return false;
    this.#header = row.slice(0, count);
    if (this.#options.columns !== null) return true;
    const columns = this.#header.map((name): CellOptions => ({ name, type: "auto", scale: 1, add: 0, unit: null }));
    this.#columns = makeColumns(columns, this.#options.decimal);
    return true;
  }
}

/** Different names, no number among them. */
function isNames(row: readonly string[], count: number): boolean {
  if (count > COLUMNS_MAX) return false;
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    const name = row[i]!;
    if (name === "" || name.length > COLUMN_NAME_CHARS_MAX || names.has(name) || isNumberText(name.replace(",", ".")))
      return false;
    names.add(name);
  }
  return true;
}

function makeColumns(columns: readonly CellOptions[], decimal: "." | ","): Columns {
  const cells = columns.map((column) => (column.name === NOT_WANTED ? undefined : makeCell(column, decimal)));
  return {
    names: columns.map((column) => column.name),
    cells,
    layout: cells.flatMap((cell) => (cell === undefined ? [] : [cell.field])),
  };
}
