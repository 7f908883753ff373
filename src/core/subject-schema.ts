// Subjects in settings. Decoded to the form they have inside the process (latin1, see subject.ts).

import type { Schema } from "#base/schema.ts";
import { parsedText } from "#base/schema-text.ts";
import { isValidFilter, isValidSubject, SUBJECT_BYTES_MAX, toSubject } from "./subject.ts";

const REMEDY = 'tokens separated by single dots, no blanks; "*" stands for one token, ">" as the last token for all the rest';

/** A subject that may hold wildcards. */
export function subjectFilter(): Schema<string> {
  return parsedText('a subject filter such as "sensors.>"', { bytesMax: SUBJECT_BYTES_MAX }, (text) => {
    const filter = toSubject(text);
    return isValidFilter(filter) ? { value: filter } : { fault: { remedy: REMEDY } };
  });
}

/** A literal subject with `{placeholder}`s, each of which becomes one token or a part of one. */
export function subjectTemplate(placeholders: readonly string[]): Schema<string> {
  const names = placeholders.map((name) => `{${name}}`).join(", ");
  return parsedText(`a subject that may hold ${names}`, { bytesMax: SUBJECT_BYTES_MAX }, (text) => {
    const rest = placeholders.reduce((left, name) => left.replaceAll(`{${name}}`, "x"), text);
    if (/[{}]/.test(rest)) return { fault: { remedy: `the only placeholders here are ${names}` } };
    if (!isValidSubject(toSubject(rest)))
      return { fault: { remedy: "tokens separated by single dots, no blanks and no wildcards" } };
    return { value: toSubject(text) };
  });
}
