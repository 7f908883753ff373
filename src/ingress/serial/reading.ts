// From the values of one frame to messages.
//
//   subject has {field}   units_in   a frame with temp = 21.4 °C becomes
//   yes                   headers    s.temp  21.4                              Petiole-Unit: °C  (Petiole-Scale, Petiole-Add)
//   yes                   members    s.temp  {"value":21.4,"unit":"°C"}
//   no                    headers    s       {"temp":21.4}                     Petiole-Fields: {"temp":{"unit":"°C"}}
//   no                    members    s       {"temp":{"value":21.4,"unit":"°C"}}
//
// A payload is always a JSON value. What can be made once for a field (subject, headers, the text around its value) is made once.

import type { UnitsIn } from "./decode-options.ts";
import type { Emit } from "./decoder.ts";
import type { Field } from "./decoders/field.ts";
import type { SubjectTemplate } from "./subject-template.ts";

const SLAB_BYTES_MIN = 1024;
/** Longest header block; what would be longer is left out: no reading is lost for the sake of its unit. */
const HEADER_BYTES_MAX = 16 * 1024;

/** What is ready before the value is. */
interface Prepared {
  /** undefined: the name makes no usable subject. */
  readonly subject: string | undefined;
  readonly headers: Buffer | undefined;
  /** JSON before and behind the value; in an object with the member's key. */
  readonly before: string;
  readonly after: string;
}

export class ReadingWriter {
  readonly #template: SubjectTemplate;
  readonly #units: UnitsIn;
  readonly #emit: Emit;
  readonly #prepared = new WeakMap<Field, Prepared>();
  readonly #headers = new WeakMap<readonly Field[], Buffer>();
  #layout: readonly Field[] = [];
  #kind = "";
  #object = "";
  #fault: string | undefined;
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES_MIN);

  constructor(template: SubjectTemplate, units: UnitsIn, emit: Emit) {
    this.#template = template;
    this.#units = units;
    this.#emit = emit;
  }

  /**
   * Begins a frame. `layout`: every field it may have; the same list, of the same fields, for the same kind of frame. `kind`: what its
   * subject may name beside the field: the sentence, "GGA", or the unit on a bus, "7".
   */
  begin(layout: readonly Field[], kind = ""): void {
    this.#layout = layout;
    this.#kind = kind;
    this.#object = "";
    this.#fault = undefined;
  }

  /** `json`: the value as JSON text. */
  add(field: Field, json: string): void {
    const prepared = this.#prepared.get(field) ?? this.#prepare(field);
    const text = `${prepared.before}${json}${prepared.after}`;
    if (!this.#template.hasField) this.#object += `${this.#object === "" ? "{" : ","}${text}`;
    else if (prepared.subject === undefined) this.fail("a field's name makes no usable subject");
    else this.#give(prepared.subject, text, prepared.headers);
  }

  /** Something about the frame that is no value of its own: a member of a whole object, nothing else. */
  tag(name: string, json: string): void {
    if (!this.#template.hasField) this.#object += `${this.#object === "" ? "{" : ","}"${name}":${json}`;
  }

  /** A value that could not be read; the others are published. */
  fail(fault: string): void {
    this.#fault ??= fault;
  }

  /** Ends the frame; a frame without a single value makes no message. Returns what was wrong. */
  end(): string | undefined {
    if (!this.#template.hasField && this.#object !== "") {
      const subject = this.#template.subjectFor("", this.#kind)!; // without {field} it was tried when the settings were read
      this.#give(subject, `${this.#object}}`, this.#layoutHeaders());
    }
    return this.#fault;
  }

  #give(subject: string, text: string, headers: Buffer | undefined): void {
    if (text.length * 3 > this.#slab.length) this.#widen(Buffer.byteLength(text));
    this.#emit(subject, this.#slab, 0, this.#slab.write(text, 0), headers);
  }

  #widen(bytes: number): void {
    if (bytes > this.#slab.length) this.#slab = Buffer.allocUnsafeSlow(Math.max(this.#slab.length * 2, bytes));
  }

  #prepare(field: Field): Prepared {
    const { hasField } = this.#template;
    const isWrapped = this.#units === "members" && isMeasured(field);
    const prepared: Prepared = {
      subject: hasField ? this.#template.subjectFor(field.name, this.#kind) : undefined,
      headers: hasField && this.#units === "headers" ? fieldHeaders(field) : undefined,
      before: `${hasField ? "" : `${JSON.stringify(field.name)}:`}${isWrapped ? '{"value":' : ""}`,
      after: isWrapped ? `,${JSON.stringify(measure(field)).slice(1)}` : "",
    };
    this.#prepared.set(field, prepared);
    return prepared;
  }

  #layoutHeaders(): Buffer | undefined {
    if (this.#units !== "headers") return undefined;
    let headers = this.#headers.get(this.#layout);
    if (headers === undefined) {
      headers = layoutHeaders(this.#layout);
      this.#headers.set(this.#layout, headers);
    }
    return headers.length === 0 ? undefined : headers;
  }
}

function isMeasured(field: Field): boolean {
  return field.unit !== null || field.scale !== 1 || field.add !== 0;
}

/** What is known of a field beside its name, and nothing that says nothing. */
function measure({ unit, scale, add }: Field): object {
  return { ...(unit === null ? {} : { unit }), ...(scale === 1 ? {} : { scale }), ...(add === 0 ? {} : { add }) };
}

function fieldHeaders(field: Field): Buffer | undefined {
  if (!isMeasured(field)) return undefined;
  const { unit, scale, add } = field;
  const lines = [
    ...(unit === null ? [] : [`Petiole-Unit: ${unit}`]),
    ...(scale === 1 ? [] : [`Petiole-Scale: ${scale}`]),
    ...(add === 0 ? [] : [`Petiole-Add: ${add}`]),
  ];
  return Buffer.from(`NATS/1.0\r\n${lines.join("\r\n")}\r\n\r\n`);
}

function layoutHeaders(layout: readonly Field[]): Buffer {
  const measured = layout.filter(isMeasured);
  if (measured.length === 0) return Buffer.alloc(0);
  const facts = JSON.stringify(Object.fromEntries(measured.map((field) => [field.name, measure(field)])));
  const block = Buffer.from(`NATS/1.0\r\nPetiole-Fields: ${facts}\r\n\r\n`);
  return block.length > HEADER_BYTES_MAX ? Buffer.alloc(0) : block;
}
