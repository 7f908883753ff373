// `petiole outbox peek`: the next messages that wait on flash, the most urgent lane first, as the hub would get them. Takes nothing out.

import { isUtf8 } from "node:buffer";
import { displaySubject, subjectMatches } from "#core/subject.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordBytes, recordSeq, recordTime } from "#journal/record.ts";
import { KeptView } from "#outbox/kept-message.ts";
import type { UrgencyClass } from "#outbox/urgency.ts";
import { findOutboxes, inspectLanes, type OutboxPlace, openTimes, shownTime } from "./outbox-places.ts";
import { preview, printable } from "./printable.ts";

export const PEEK_LIMIT_DEFAULT = 10;
/** Characters of a payload in `--json`; `payload_bytes` tells when there is more. */
const JSON_PAYLOAD_BYTES_MAX = 4096;
const PREVIEW_CHARS_MAX = 60;

export interface PeekOptions {
  readonly lane?: UrgencyClass;
  /** Filter in the process's own form; default: all. */
  readonly subject?: string;
  /** Messages per outbox. */
  readonly limit: number;
}

export interface PeekedMessage {
  readonly remote: string;
  readonly class: string;
  readonly epoch: number;
  readonly seq: number;
  /** Of capture, RFC 3339; null: the clock was never right in that boot. */
  readonly time: string | null;
  readonly subject: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly payload_bytes: number;
  /** Its beginning, if it is text; otherwise `payload_base64` has it. */
  readonly payload?: string;
  readonly payload_base64?: string;
  /** For people. */
  readonly preview: string;
}

export async function peekOutboxes(place: OutboxPlace, options: PeekOptions): Promise<readonly PeekedMessage[]> {
  const times = await openTimes(place);
  const found: PeekedMessage[] = [];
  const view = new KeptView();
  for (const folder of await findOutboxes(place)) {
    const end = found.length + options.limit;
    for (const { urgency, journal } of await inspectLanes(place, folder, options.lane)) {
      if (found.length >= end) break;
      for await (const { slab, start, end: filled, epoch, boot } of journal.records()) {
        for (let at = start; at < filled && found.length < end; at += recordBytes(slab, at)) {
          if (!view.look(slab, at + RECORD_HEADER_BYTES, bodyBytes(slab, at))) continue; // of a later version
          const subject = view.subjectText();
          if (options.subject !== undefined && !subjectMatches(options.subject, subject)) continue;
          const wall = times(recordTime(slab, at), boot);
          const time = wall === undefined ? null : shownTime(wall);
          found.push({
            remote: folder.remote,
            class: urgency,
            epoch,
            seq: recordSeq(slab, at),
            time,
            ...contentOf(view, subject),
          });
        }
        if (found.length >= end) break;
      }
    }
  }
  return found;
}

/** For people; ends with a line break. */
export function formatPeek(messages: readonly PeekedMessage[]): string {
  if (messages.length === 0) return "no such message waits on flash\n";
  const lines: string[] = [];
  for (const { remote, class: urgency, seq, time, subject, headers, payload_bytes, preview: shown } of messages) {
    const when = time ?? "time not known";
    lines.push(`${printable(remote)} ${urgency} ${seq}  ${when}  ${printable(subject)}  ${payload_bytes} B  ${shown}`);
    for (const [name, value] of headers) lines.push(`    ${printable(name)}: ${printable(value)}`);
  }
  return `${lines.join("\n")}\n`;
}

function contentOf(view: KeptView, subject: string) {
  const payload = view.slab.subarray(view.payload, view.end);
  return {
    subject: displaySubject(subject),
    headers: headersOf(view.slab.latin1Slice(view.headers, view.payload)),
    payload_bytes: payload.length,
    ...(isUtf8(payload)
      ? { payload: payload.toString().slice(0, JSON_PAYLOAD_BYTES_MAX) }
      : { payload_base64: payload.toString("base64", 0, JSON_PAYLOAD_BYTES_MAX) }),
    preview: preview(payload, PREVIEW_CHARS_MAX),
  };
}

/** `NATS/1.0␍␊name: value␍␊␍␊`; a block that is otherwise is shown as one line without a name. */
function headersOf(block: string): readonly (readonly [string, string])[] {
  if (block === "") return [];
  const [, ...lines] = block.split("\r\n").filter((line) => line !== "");
  return lines.map((line) => {
    const colon = line.indexOf(":");
    const name = displaySubject(line.slice(0, Math.max(0, colon)));
    return [name, displaySubject(line.slice(colon + 1).trim())] as const;
  });
}
