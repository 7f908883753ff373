// What `petiole serial listen` shows of a port's bytes.
//
//   raw       the bytes themselves, for a file or another program
//   hex       12:00:00.123  00000010  32 31 2e 34 0a              |21.4.|
//   decoded   12:00:00.123  sensors.weather.temp  21.4            what the daemon would publish, headers in brackets behind it
//             12:00:00.123  ! cannot decode: not JSON             (hex 2a2a2a)

import { type Clock, timestamp } from "#base/clock.ts";
import { displaySubject } from "#core/subject.ts";
import type { SerialPortOptions } from "#ingress/serial/options.ts";
import { PortReader, type ReadMessage } from "#ingress/serial/port-reader.ts";
import { preview, printable } from "./printable.ts";

export type ViewName = "raw" | "hex" | "decoded";

export interface View {
  feed(chunk: Buffer): void;
  /** The port was closed: what is held of a frame is forgotten. */
  reset(): void;
}

export interface ViewOutput {
  /** Borrowed bytes, or text. */
  write(what: Buffer | string): void;
  readonly clock: Clock;
  /** One JSON object a line instead of words. */
  readonly isJson: boolean;
}

const BYTES_A_LINE = 16;
const SHOWN_CHARS_MAX = 400;

export function rawView(output: ViewOutput): View {
  return { feed: (chunk) => output.write(Buffer.from(chunk)), reset: () => undefined }; // a copy: output may keep it for a while
}

export function hexView(output: ViewOutput): View {
  let offset = 0;
  return {
    feed(chunk) {
      const at = timestamp(output.clock.wall());
      if (output.isJson) output.write(`${JSON.stringify({ at, offset, hex: chunk.toString("hex") })}\n`);
      else {
        for (let i = 0; i < chunk.length; i += BYTES_A_LINE) {
          output.write(`${at.slice(11, 23)}  ${hexLine(chunk.subarray(i, i + BYTES_A_LINE), offset + i)}\n`);
        }
      }
      offset += chunk.length;
    },
    reset: () => undefined,
  };
}

/** Throws SERIAL_SUBJECT_INVALID. */
export function decodedView(port: SerialPortOptions, output: ViewOutput): View {
  const listener = {
    onFrame(frame: Buffer, messages: readonly ReadMessage[], fault: string | undefined): void {
      for (const message of messages) tell(message, output);
      if (fault !== undefined) complain(`cannot decode: ${fault}`, output, frame);
    },
    onPassed: (what: string) => complain(what, output),
  };
  return new PortReader(port, listener, output.clock);
}

function tell({ subject: written, payload, headers: block }: ReadMessage, { clock, isJson, write }: ViewOutput): void {
  const at = timestamp(clock.wall());
  const subject = displaySubject(written);
  const headers = block?.toString("utf8").trim().split("\r\n").slice(1) ?? [];
  const told = headers.length === 0 ? "" : `  (${printable(headers.join(", "))})`;
  const facts = headers.length === 0 ? {} : { headers: Object.fromEntries(headers.map((line) => line.split(": ", 2))) };
  write(
    isJson
      ? `${JSON.stringify({ at, subject, payload: payload.toString("utf8"), ...facts })}\n`
      : `${at.slice(11, 23)}  ${printable(subject)}  ${preview(payload, SHOWN_CHARS_MAX)}${told}\n`,
  );
}

function complain(fault: string, { clock, isJson, write }: ViewOutput, frame?: Buffer): void {
  const at = timestamp(clock.wall());
  const hex = frame?.toString("hex", 0, SHOWN_CHARS_MAX / 2);
  write(
    isJson
      ? `${JSON.stringify({ at, fault, ...(hex === undefined ? {} : { hex }) })}\n`
      : `${at.slice(11, 23)}  ! ${printable(fault)}${hex === undefined ? "" : `  (hex ${hex})`}\n`,
  );
}

function hexLine(bytes: Buffer, offset: number): string {
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const text = [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
  return `${offset.toString(16).padStart(8, "0")}  ${digits.padEnd(BYTES_A_LINE * 3 - 1)}  |${text}|`;
}
