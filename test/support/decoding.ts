// A decoder fed with one frame after the other, and what it publishes.

import type { DecodeOptions } from "#ingress/serial/decode-options.ts";
import { makeDecoder } from "#ingress/serial/make-decoder.ts";

export interface Message {
  readonly subject: string;
  readonly payload: string;
  /** `Name: value` lines, without the first. */
  readonly headers?: readonly string[];
}

export interface Decoding {
  readonly messages: readonly Message[];
  readonly fault: string | undefined;
}

/** Hands frames to one decoder, each in the middle of other bytes, as frames are. */
export function openDecoder(decode: DecodeOptions, subject = "s.{field}"): { (frame: Buffer | string): Decoding; reset(): void } {
  let messages: Message[] = [];
  const decoder = makeDecoder({ name: "bench", subject, decode }, (on, bytes, start, end, headers) => {
    const lines = headers?.toString("utf8").split("\r\n").slice(1, -2);
    messages.push({
      subject: on,
      payload: bytes.toString("utf8", start, end),
      ...(lines === undefined ? {} : { headers: lines }),
    });
  });
  const feed = (frame: Buffer | string): Decoding => {
    messages = [];
    const bytes = Buffer.from(frame);
    const around = Buffer.concat([Buffer.from('}] "'), bytes, Buffer.from(' ,"}')]);
    const fault = decoder.decode(around, 4, 4 + bytes.length);
    return { messages, fault };
  };
  return Object.assign(feed, { reset: () => decoder.reset() });
}

/** Payloads by the last token of their subject. */
export function valuesOf({ messages }: Decoding): Readonly<Record<string, string>> {
  return Object.fromEntries(messages.map(({ subject, payload }) => [subject.slice(subject.lastIndexOf(".") + 1), payload]));
}
