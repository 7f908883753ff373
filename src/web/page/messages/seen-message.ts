// A message as the device tells of it, and what its line in the list shows.

import { bytesOfBase64, hexOf } from "./payload.ts";
import { visible } from "./visible.ts";

/** The event `message` of `GET /api/messages`. */
export interface MessageEvent {
  readonly at: string;
  readonly account: string;
  readonly subject: string;
  readonly topic: string;
  readonly reply: string | null;
  readonly from: string;
  /** Which client, port or remote. */
  readonly origin: string;
  readonly size: number;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly payload_text: string | null;
  /** The first 4 KiB. */
  readonly payload_base64: string;
  readonly truncated: boolean;
}

export interface SeenMessage extends MessageEvent {
  /** By order of arrival on this page. */
  readonly key: number;
  readonly preview: string;
}

const PREVIEW_CHARS = 160;
const PREVIEW_BYTES = 24;

export function seen(event: MessageEvent, key: number): SeenMessage {
  return { ...event, key, preview: previewOf(event) };
}

function previewOf({ payload_text: text, payload_base64: base64 }: MessageEvent): string {
  if (text !== null) return visible(text.replaceAll(/[ \t\r\n]+/g, " "), PREVIEW_CHARS);
  const bytes = bytesOfBase64(base64.slice(0, (PREVIEW_BYTES / 3) * 4));
  return `${hexOf(bytes)}${base64.length > (PREVIEW_BYTES / 3) * 4 ? " …" : ""}`;
}
