// From one frame to its messages: what the bytes mean.
//
//   decode   subject has {field}   a frame becomes
//   json     yes                   one message per top-level field of the object, payload the field's value as the device wrote it
//   json     no                    one message, payload the whole JSON text (any JSON value)
//   text     no                    one message, payload the frame, checked to be UTF-8
//   raw      no                    one message, payload the frame
//
// A frame that cannot be decoded is a fault in words for the caller to count; nothing is thrown.

import { isUtf8 } from "node:buffer";
import { eachMember, isSpace, skipSpace } from "./json-members.ts";
import { type DecodeType, parseSubjectTemplate, type SubjectTemplate, type TemplateOptions } from "./subject-template.ts";

/** Takes one message: a latin1 subject, and a payload that is borrowed until the call returns. */
export type Emit = (subject: string, bytes: Buffer, start: number, end: number) => void;

/** Subjects remembered per port; a device that keeps inventing field names empties the memory, no more. */
const SUBJECTS_MAX = 1024;
const OPEN_BRACE = 0x7b;

export class ReadingDecoder {
  readonly #decode: DecodeType;
  readonly #template: SubjectTemplate;
  readonly #emit: Emit;
  /** By the raw bytes of the JSON key; undefined: no usable subject. */
  readonly #subjects = new Map<string, string | undefined>();

  /** Throws `SERIAL_SUBJECT_INVALID`. */
  constructor(options: TemplateOptions, emit: Emit) {
    this.#decode = options.decode;
    this.#template = parseSubjectTemplate(options);
    this.#emit = emit;
  }

  /** Emits the frame's messages. Returns what was wrong, or undefined. */
  decode(bytes: Buffer, start: number, end: number): string | undefined {
    if (this.#decode !== "raw" && !isUtf8(bytes.subarray(start, end))) return "not UTF-8";
    if (this.#decode === "json") return this.#decodeJson(bytes, start, end);
    this.#emit(this.#template.subjectFor("")!, bytes, start, end);
    return undefined;
  }

  /** Would a frame like this, with its beginning cut off, be noticed? Only a JSON object shows that it is whole. */
  showsItsBeginning(bytes: Buffer, start: number): boolean {
    return this.#decode === "json" && bytes[skipSpace(bytes, start)] === OPEN_BRACE;
  }

  #decodeJson(bytes: Buffer, start: number, end: number): string | undefined {
    try {
      JSON.parse(bytes.utf8Slice(start, end));
    } catch {
      return "not JSON"; // the parser's own words quote the device's bytes; the hex of the frame says it better
    }
    const first = skipSpace(bytes, start);
    if (!this.#template.hasField) {
      this.#emit(this.#template.subjectFor("")!, bytes, first, trimEnd(bytes, end));
      return undefined;
    }
    if (bytes[first] !== OPEN_BRACE) return "JSON, but not an object, and the subject wants a {field}";
    let fault: string | undefined;
    eachMember(bytes, first, end, (key, keyEnd, value, valueEnd) => {
      const subject = this.#subjectOf(bytes.latin1Slice(key, keyEnd));
      if (subject === undefined) fault = "a field's name makes no usable subject";
      else this.#emit(subject, bytes, value, valueEnd);
    });
    return fault;
  }

  #subjectOf(rawKey: string): string | undefined {
    if (this.#subjects.has(rawKey)) return this.#subjects.get(rawKey);
    if (this.#subjects.size >= SUBJECTS_MAX) this.#subjects.clear();
    const field = JSON.parse(`"${Buffer.from(rawKey, "latin1").toString("utf8")}"`) as string;
    const subject = this.#template.subjectFor(field);
    this.#subjects.set(rawKey, subject);
    return subject;
  }
}

function trimEnd(bytes: Buffer, end: number): number {
  let at = end;
  while (isSpace(bytes[at - 1])) at--;
  return at;
}
