// JSON as the device wrote it: checked, then cut, never rewritten, so that 21.40 stays 21.40 and a 20-digit counter keeps its digits.
//
//   subject has {field}   yes: one message per top-level field of the object, payload the field's value; a field named twice is
//                              published twice
//                         no:  one message, payload the whole JSON text (any JSON value)

import { isUtf8 } from "node:buffer";
import type { Decoder, Emit } from "../decoder.ts";
import type { SubjectTemplate } from "../subject-template.ts";
import { eachMember, isSpace, skipSpace } from "./json-members.ts";

/** Subjects remembered per port; a device that keeps inventing field names empties the memory, no more. */
const SUBJECTS_MAX = 1024;
/** A longer key is not remembered, so that the memory stays small. */
const KEY_BYTES_MAX = 128;
const OPEN_BRACE = 0x7b;

export class JsonDecoder implements Decoder {
  readonly #template: SubjectTemplate;
  readonly #emit: Emit;
  /** By the raw bytes of the JSON key; undefined: no usable subject. */
  readonly #subjects = new Map<string, string | undefined>();

  constructor(template: SubjectTemplate, emit: Emit) {
    this.#template = template;
    this.#emit = emit;
  }

  decode(bytes: Buffer, start: number, end: number): string | undefined {
    if (!isUtf8(bytes.subarray(start, end))) return "not UTF-8";
    try {
      JSON.parse(bytes.utf8Slice(start, end));
    } catch {
      return "not JSON"; // the parser's own words quote the device's bytes; the hex of the frame says it better
    }
    const first = skipSpace(bytes, start);
    if (!this.#template.hasField) {
      this.#emit(this.#template.subjectFor("")!, bytes, first, trimEnd(bytes, end), undefined);
      return undefined;
    }
    if (bytes[first] !== OPEN_BRACE) return "JSON, but not an object, and the subject wants a {field}";
    let fault: string | undefined;
    eachMember(bytes, first, end, (key, keyEnd, value, valueEnd) => {
      const subject = this.#subjectOf(bytes.latin1Slice(key, keyEnd));
      if (subject === undefined) fault = "a field's name makes no usable subject";
      else this.#emit(subject, bytes, value, valueEnd, undefined);
    });
    return fault;
  }

  /** Only an object shows that it is whole: the tail of `21.4` is `1.4`. */
  showsItsBeginning(bytes: Buffer, start: number): boolean {
    return bytes[skipSpace(bytes, start)] === OPEN_BRACE;
  }

  reset(): void {
    // nothing is learnt that could become untrue
  }

  #subjectOf(rawKey: string): string | undefined {
    if (this.#subjects.has(rawKey)) return this.#subjects.get(rawKey);
    const field = JSON.parse(`"${Buffer.from(rawKey, "latin1").toString("utf8")}"`) as string;
    const subject = this.#template.subjectFor(field);
    if (rawKey.length > KEY_BYTES_MAX) return subject;
    if (this.#subjects.size >= SUBJECTS_MAX) this.#subjects.clear();
    this.#subjects.set(rawKey, subject);
    return subject;
  }
}

function trimEnd(bytes: Buffer, end: number): number {
  let at = end;
  while (isSpace(bytes[at - 1])) at--;
  return at;
}
