// NMEA 0183 sentences: the known ones by the names of their values, any other by the numbers of its cells.
//
//   $IIMWV,084.0,R,10.4,N,A*04      sentence MWV, talker II: wind_angle 84.0 °, reference "R", wind_speed 10.4 kn, status "A"
//   $WIXDR,C,19.5,C,TempAir*0F      sentence XDR: a transducer names its value itself, TempAir 19.5 °C
//   $PGRMZ,93,f,3*21                sentence PGRMZ, not known: f1 93, f2 "f", f3 3
//
// An empty cell is no value. A whole object also carries `sentence` and `talker`; a subject may hold {sentence}.

import type { DecodeOptions } from "../decode-options.ts";
import type { Decoder } from "../decoder.ts";
import { hasRightChecksum } from "../framers/nmea-framer.ts";
import type { ReadingWriter } from "../reading.ts";
import { type Field, plainField } from "./field.ts";
import { cellJson, numberText, positionJson } from "./nmea-cells.ts";
import { knownSentences, type SentenceCell, type SentenceForm } from "./nmea-sentences.ts";

type NmeaOptions = DecodeOptions & { readonly type: "nmea" };

const BACKSLASH = 0x5c;
const CHECKSUM_BYTES = 3;
/** Transducers and unknown cells remembered; a device that keeps inventing names empties the memory, no more. */
const FIELDS_MAX = 512;
/** Units of transducers, by the letter behind their value. */
const XDR_UNITS: Readonly<Record<string, string>> = {
  A: "A",
  B: "bar",
  C: "°C",
  D: "°",
  H: "Hz",
  K: "kg/m³",
  M: "m",
  N: "N",
  P: "%",
  R: "rpm",
  V: "V",
};
/** Transducers whose letter means something else: a volume in m³, a flow in l/s, a salinity in ppt. */
const XDR_UNITS_OF_TYPE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  V: { M: "m³" },
  R: { l: "l/s" },
  P: { P: "Pa", B: "bar" },
  L: { S: "ppt" },
};

export class NmeaDecoder implements Decoder {
  readonly #writer: ReadingWriter;
  readonly #wanted: ReadonlySet<string> | undefined;
  readonly #forms = knownSentences();
  readonly #gsv = ["sentences", "number", "in_view", "satellites"].map((name) => plainField(name));
  /** By sentence or transducer, unit and name. */
  readonly #fields = new Map<string, Field>();
  readonly #nothing: readonly Field[] = [];

  constructor(options: NmeaOptions, writer: ReadingWriter) {
    this.#writer = writer;
    this.#wanted = options.sentences === null ? undefined : new Set(options.sentences);
  }

  decode(bytes: Buffer, start: number, end: number): string | undefined {
    const first = bytes[start] === BACKSLASH ? bytes.subarray(0, end).indexOf(BACKSLASH, start + 1) + 1 : start;
    if (bytes[first] !== 0x24 && bytes[first] !== 0x21) return "no $ or ! in front";
    const hasSum = hasRightChecksum(bytes, first, end);
    if (hasSum === false) return "its checksum is wrong";
    const cells = bytes.latin1Slice(first + 1, hasSum === undefined ? end : end - CHECKSUM_BYTES).split(",");
    const address = cells[0]!;
    if (!/^[A-Z0-9]{3,16}$/.test(address)) return "no address such as GPGGA in front";
    const isStandard = address.length === 5 && address[0] !== "P";
    const sentence = isStandard ? address.slice(2) : address;
    if (this.#wanted?.has(sentence) === false) return undefined;
    return this.#write(sentence, isStandard ? address.slice(0, 2) : "P", cells);
  }

  showsItsBeginning(bytes: Buffer, start: number, end: number): boolean {
    return hasRightChecksum(bytes, start, end) === true;
  }

  reset(): void {
    // nothing is learnt that could become untrue
  }

  #write(sentence: string, talker: string, cells: readonly string[]): string | undefined {
    const form = this.#forms.get(sentence);
    this.#writer.begin(form?.layout ?? (sentence === "GSV" ? this.#gsv : this.#nothing), sentence);
    this.#writer.tag("sentence", JSON.stringify(sentence));
    this.#writer.tag("talker", JSON.stringify(talker));
    if (form !== undefined) this.#writeKnown(form, cells);
    else if (sentence === "GSV") this.#writeSatellites(cells);
    else if (sentence === "XDR") this.#writeTransducers(cells);
    else this.#writeUnknown(sentence, cells);
    return this.#writer.end();
  }

  #writeKnown(form: SentenceForm, cells: readonly string[]): void {
    for (const cell of form.cells) {
      if (cell.kind === "list") this.#writeList(cell, cells);
      else if ((cells[cell.at] ?? "") !== "") this.#writeCell(cell, cells);
    }
  }

  #writeCell(cell: SentenceCell, cells: readonly string[]): void {
    const field = cell.kind === "by_unit" ? (cell.byUnit.get(cells[cell.at + 1] ?? "") ?? cell.field) : cell.field;
    const behind = cells[cell.at + 1] ?? "";
    const json = cell.kind === "position" ? positionJson(cells[cell.at]!, behind) : cellJson(cell.kind, cells[cell.at]!, behind);
    if (json === undefined) this.#writer.fail(`cell ${cell.at} is no ${cell.field.name}`);
    else this.#writer.add(field, json);
  }

  #writeList({ field, at, to }: SentenceCell, cells: readonly string[]): void {
    const items = cells.slice(at, to + 1).filter((text) => text !== "");
    this.#writer.add(field, `[${items.map((text) => numberText(text) ?? JSON.stringify(text)).join(",")}]`);
  }

  /** Satellites in view, four at most in a sentence. */
  #writeSatellites(cells: readonly string[]): void {
    for (let i = 0; i < 3; i++) {
      const json = numberText(cells[i + 1] ?? "");
      if (json !== undefined) this.#writer.add(this.#gsv[i]!, json);
    }
    const satellites: string[] = [];
    for (let at = 4; at + 3 < cells.length && satellites.length < 4; at += 4) {
      const of = (i: number): string => numberText(cells[at + i]!) ?? "null";
      if (cells[at] !== "") {
        satellites.push(`{"id":${of(0)},"elevation":${of(1)},"azimuth":${of(2)},"snr":${of(3)}}`);
      }
    }
    this.#writer.add(this.#gsv[3]!, `[${satellites.join(",")}]`);
  }

  /** Groups of four cells: type, value, unit, name. */
  #writeTransducers(cells: readonly string[]): void {
    for (let at = 1; at + 2 < cells.length; at += 4) {
      const [type, value, unit, name] = [cells[at]!, cells[at + 1]!, cells[at + 2]!, cells[at + 3] ?? ""];
      if (value === "") continue;
      const json = numberText(value);
      const called = name === "" ? `${type}${(at + 3) / 4}` : name;
      if (json === undefined) this.#writer.fail(`no number from transducer ${JSON.stringify(called)}`);
      else this.#writer.add(this.#field("XDR", called, XDR_UNITS_OF_TYPE[type]?.[unit] ?? XDR_UNITS[unit] ?? null), json);
    }
  }

  #writeUnknown(sentence: string, cells: readonly string[]): void {
    for (let i = 1; i < cells.length; i++) {
      const text = cells[i]!;
      if (text === "") continue;
      const isName = /^[+-]?0\d/.test(text);
      this.#writer.add(this.#field(sentence, `f${i}`, null), (isName ? undefined : numberText(text)) ?? JSON.stringify(text));
    }
  }

  #field(sentence: string, name: string, unit: string | null): Field {
    const key = `${sentence} ${unit} ${name}`;
    let field = this.#fields.get(key);
    if (field === undefined) {
      if (this.#fields.size >= FIELDS_MAX) this.#fields.clear();
      field = plainField(name, unit);
      this.#fields.set(key, field);
    }
    return field;
  }
}
