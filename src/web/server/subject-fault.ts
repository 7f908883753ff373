// Why a text is no subject, in words for the person who typed it.

import { isValidFilter, SUBJECT_BYTES_MAX } from "#core/subject.ts";

/** Of what is no literal subject, in latin1 form. */
export function subjectFault(subject: string): string {
  if (subject === "") return "write a subject, such as sensors.7.temp";
  if (subject.length > SUBJECT_BYTES_MAX) return `a subject is no longer than ${SUBJECT_BYTES_MAX} bytes`;
  if (isValidFilter(subject)) return "a lone * or > stands for many subjects; write one of them";
  for (let i = 0; i < subject.length; i++) {
    const byte = subject.charCodeAt(i);
    if (byte <= 0x20 || byte === 0x7f) return "a subject has neither spaces nor control characters";
  }
  if (subject.split(".").includes("")) return "a part of it is empty: a dot at an end, or two in a row";
  return "> stands for the rest of a subject, so it can only be its last part";
}
