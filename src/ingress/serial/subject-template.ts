// From "sensors.{name}.{field}" to the subject of one reading. What a device calls its fields is the device's choice, so a name
// is escaped until it is exactly one token that can be neither a wildcard nor the system's:
//
//   letters, digits, marks of any script, `_` and `-`   stay as they are
//   every other character                               `%` and two hex digits for each byte of its UTF-8 form
//   half of a surrogate pair                            `%u` and four hex digits (it has no UTF-8 form)
//   the empty name                                      `%` alone
//
// `air.temp (°C)` → `air%2Etemp%20%28%C2%B0C%29`. Different names never meet in one token, and `unescapeToken` turns it back.

import { displaySubject, isReserved, isValidSubject, SUBJECT_BYTES_MAX, toSubject } from "#core/subject.ts";
import { type DecodeType, knowsFields } from "./decode-options.ts";
import { SerialError } from "./errors.ts";

const PLACEHOLDER = /\{(\w*)\}/g;

export interface TemplateOptions {
  /** The port's. */
  readonly name: string;
  readonly subject: string;
  readonly decode: DecodeType;
}

export interface SubjectTemplate {
  /** Does the subject depend on the field? Then a frame makes one message per field. */
  readonly hasField: boolean;
  /**
   * The latin1 subject for a field, or undefined when it would be too long or the system's own. `kind` takes the place of {sentence} or
   * {unit}. Without `{field}` never undefined.
   */
  subjectFor(field: string, kind?: string): string | undefined;
}

/** What a subject may hold, beside {name}, when frames are decoded so. For the settings, too. */
export function placeholdersOf(decode: DecodeType): readonly string[] {
  if (!knowsFields(decode)) return ["name"];
  const kind = kindOf(decode);
  return ["name", "field", ...(kind === undefined ? [] : [kind])];
}

/** Every placeholder there is. */
export const SUBJECT_PLACEHOLDERS: readonly string[] = ["name", "field", "sentence", "unit"];

/** Throws `SERIAL_SUBJECT_INVALID` with what is wrong. The settings hand `subject` over in its latin1 form. */
export function parseSubjectTemplate(options: TemplateOptions): SubjectTemplate {
  const { name, subject, decode } = options;
  const refuse = (found: string): never => {
    const shown = displaySubject(subject);
    throw new SerialError("SERIAL_SUBJECT_INVALID", `serial port ${name}: subject "${shown}" ${found}`);
  };
  const wanted = list(placeholdersOf(decode));
  const kind = kindOf(decode);
  const make = (field: string, kindText: string): string =>
    subject.replaceAll(PLACEHOLDER, (placeholder, word: string) => {
      if (word === "name") return toSubject(escapeToken(name));
      if (word === "field" && knowsFields(decode)) return toSubject(escapeToken(field));
      if (word === kind) return toSubject(escapeToken(kindText));
      if (word === "field")
        return refuse(`has a {field}, but decode "${decode}" knows no fields; take {field} out or decode "json"`);
      return refuse(`has a placeholder ${placeholder}; wanted ${wanted}`);
    });
  const sample = make("x", "x");
  if (/[{}]/.test(sample)) refuse(`has a brace that belongs to no placeholder; wanted ${wanted}`);
  if (!isValidSubject(sample)) refuse("is not a subject; wanted tokens without spaces or wildcards, separated by dots");
  if (isReserved(sample)) refuse("belongs to the system; wanted one that begins neither with $ nor with _INBOX");
  return {
    hasField: subject.includes("{field}"),
    subjectFor(field, kindText = "") {
      const full = make(field, kindText);
      return full.length <= SUBJECT_BYTES_MAX && !isReserved(full) ? full : undefined;
    },
  };
}

/** What tells the frames of such a port apart, beside their fields. */
function kindOf(decode: DecodeType): string | undefined {
  return decode === "nmea" ? "sentence" : decode === "modbus" ? "unit" : undefined;
}

function list(placeholders: readonly string[]): string {
  return placeholders.map((each) => `{${each}}`).join(" or ");
}

/** Any text as exactly one token; see the head of this file. */
export function escapeToken(text: string): string {
  if (text === "") return "%";
  return text.replaceAll(/[^\p{L}\p{N}\p{M}_-]/gu, escapeCharacter);
}

/** The text that `escapeToken` was given; undefined for a token it cannot have made. */
export function unescapeToken(token: string): string | undefined {
  if (token === "%") return "";
  const text = token.replaceAll(/(?:%[0-9A-F]{2})+|%u[0-9A-F]{4}/g, unescapeRun);
  return escapeToken(text) === token ? text : undefined;
}

function escapeCharacter(character: string): string {
  const unit = character.charCodeAt(0);
  if (character.length === 1 && unit >= 0xd800 && unit <= 0xdfff) return `%u${unit.toString(16).toUpperCase()}`;
  return [...Buffer.from(character, "utf8")].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

function unescapeRun(run: string): string {
  if (run.startsWith("%u")) return String.fromCharCode(Number.parseInt(run.slice(2), 16));
  return Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8");
}
