// How messages become bytes for the device: keys of a port's settings.

import type { Report } from "#base/fault.ts";
import { duration, type FieldsValue, fields, integer, type Loose, nullable, oneOf, optional } from "#base/schema.ts";
import { text } from "#base/schema-text.ts";
import { subjectTemplate } from "#core/subject-schema.ts";
import { byteText } from "./byte-text.ts";

const APPEND_BYTES_MAX = 16;

const payloadKeys = {
  type: optional(
    oneOf(["raw", "text", "hex", "json"]),
    "raw",
    "raw: the message as it is; text: the same, checked to be UTF-8 without control characters; hex: digits such as 01 0A; json: members for the template",
  ),
  template: optional(
    nullable(text('a text such as "SET {channel} {value}"', { bytesMax: 1024 })),
    null,
    "for json: the text that is written, {member} standing for a member of the message",
  ),
  append: optional(
    nullable(byteText("the bytes a command ends with", APPEND_BYTES_MAX)),
    null,
    "bytes written behind it: what ends a command",
  ),
};

export const writePayloadOptions = fields(payloadKeys, checkPayload);

export const writeKeys = {
  write_subject: optional(
    nullable(subjectTemplate(["name"])),
    null,
    "messages on this subject are written to the device; null: none are",
  ),
  write_payload: optional(writePayloadOptions, {}, "what such a message holds"),
  write_deadline: optional(
    duration("100ms", "1h"),
    "30s",
    "a command that waited longer is refused, never carried out; the header Petiole-Deadline may say another time",
  ),
  write_answer: optional(
    nullable(duration("10ms", "10m")),
    null,
    "wait this long for the device's next frame, and reply with it; null: reply as soon as it is written",
  ),
  write_queue: optional(integer(1, 1000, "commands"), 16, "commands that may wait for the port; one more is refused"),
  signal_subject: optional(
    nullable(subjectTemplate(["name"])),
    null,
    'messages such as {"dtr":true,"rts":false,"break":"250ms"} on this subject move the lines; null: none do',
  ),
};

export type WritePayloadOptions = FieldsValue<typeof payloadKeys>;

function checkPayload(payload: NonNullable<Loose<WritePayloadOptions>>, report: Report): void {
  const { type, template } = payload;
  if (type === "json" && template === null) {
    const remedy = 'write one such as "SET {channel} {value}"';
    report.fault(["template"], { wanted: "a template, since the type is json", found: "none", remedy });
  }
  if (type !== undefined && type !== "json" && template !== null && template !== undefined) {
    const remedy = 'take it out, or say "type": "json"';
    report.fault(["template"], { wanted: `no template, since the type is ${type}`, found: `"${template}"`, remedy });
  }
  if (type === "json" && typeof template === "string" && /[{}]/.test(template.replaceAll(/\{\w+\}/g, ""))) {
    const remedy = "write {member} with letters, digits and _ alone";
    report.fault(["template"], { wanted: "braces around members only", found: `"${template}"`, remedy });
  }
}
