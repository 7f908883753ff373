// A capture: what came over a serial line, chunk by chunk, with the time of each. `petiole serial listen --record FILE` writes it,
// `petiole serial replay FILE` plays it, `petiole serial guess FILE` guesses from it.
//
// A text file of JSON lines, so that it can be read, cut and mailed by hand. The first line says what it is, each further one is a chunk:
//
//   {"petiole_capture":1,"path":"/dev/ttyUSB0","baud_rate":9600,"data_bits":8,"parity":"none","stop_bits":1,"started":"2026-11-22T…Z"}
//   {"t":0,"hex":"32312e340a"}
//   {"t":104.25,"hex":"32312e350a"}
//
// `t`: milliseconds since the start, when the chunk had arrived, never decreasing. `hex`: its bytes, not empty. Unknown members are
// passed over. A last line without its line feed was cut by whatever ended the recording: it counts if it is whole.

import type { TtySettings } from "#base/tty.ts";
import { SerialError } from "../errors.ts";

/** What the file says of the line, and of the beginning of the recording (RFC 3339, for people only). */
export interface CaptureHead extends Omit<TtySettings, "rtscts"> {
  readonly path: string;
  readonly started: string;
}

export interface CaptureChunk {
  /** Milliseconds since the start. */
  readonly at: number;
  readonly bytes: Buffer;
}

export interface Capture {
  readonly head: CaptureHead;
  readonly chunks: readonly CaptureChunk[];
}

/** Bytes of a capture file we read: at 115,200 baud an hour and a half of a line that never rests. */
export const CAPTURE_BYTES_MAX = 128 * 1024 * 1024;

/** The first line of the file, with its line feed. */
export function formatCaptureHead(head: CaptureHead): string {
  const { path, baudRate, dataBits, parity, stopBits, started } = head;
  const line = { petiole_capture: 1, path, baud_rate: baudRate, data_bits: dataBits, parity, stop_bits: stopBits, started };
  return `${JSON.stringify(line)}\n`;
}

/** One further line, with its line feed. Empty chunks make none. */
export function formatCaptureChunk(atMs: number, bytes: Buffer): string {
  return bytes.length === 0 ? "" : `{"t":${Math.round(atMs * 100) / 100},"hex":"${bytes.toString("hex")}"}\n`;
}

/** The whole file. Throws `SERIAL_CAPTURE_INVALID` with the line and what is wrong with it. */
export function parseCapture(text: string, file: string): Capture {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const refuse = (line: number, found: string): never => {
    const wanted = 'wanted what "petiole serial listen --record" writes';
    throw new SerialError("SERIAL_CAPTURE_INVALID", `capture ${file}, line ${line}: ${found}; ${wanted}`);
  };
  const head = readHead(parseObject(lines[0] ?? ""));
  if (head === undefined) return refuse(1, "is not the head of a capture");
  const chunks: CaptureChunk[] = [];
  let last = 0;
  for (let i = 1; i < lines.length; i++) {
    const chunk = readChunk(parseObject(lines[i]!));
    if (chunk === undefined && i === lines.length - 1 && !text.endsWith("\n")) break; // the recording was cut here
    if (chunk === undefined) return refuse(i + 1, "is not a chunk with t and hex");
    if (chunk.at < last) return refuse(i + 1, `has the time ${chunk.at} ms after ${last} ms`);
    last = chunk.at;
    chunks.push(chunk);
  }
  return { head, chunks };
}

type Members = Readonly<Record<string, unknown>>;

function parseObject(line: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Members) : undefined;
  } catch {
    return undefined; // the caller says which line
  }
}

function readHead(members: Members | undefined): CaptureHead | undefined {
  if (members?.["petiole_capture"] !== 1) return undefined;
  const { path, baud_rate: baudRate, data_bits: dataBits, parity, stop_bits: stopBits, started } = members;
  const isWhole =
    typeof path === "string" &&
    typeof started === "string" &&
    typeof baudRate === "number" &&
    baudRate > 0 &&
    (dataBits === 5 || dataBits === 6 || dataBits === 7 || dataBits === 8) &&
    (parity === "none" || parity === "even" || parity === "odd") &&
    (stopBits === 1 || stopBits === 2);
  return isWhole ? { path, baudRate, dataBits, parity, stopBits, started } : undefined;
}

function readChunk(members: Members | undefined): CaptureChunk | undefined {
  const { t: at, hex } = members ?? {};
  if (typeof at !== "number" || !(at >= 0) || typeof hex !== "string" || !/^(?:[0-9a-fA-F]{2})+$/.test(hex)) return undefined;
  return { at, bytes: Buffer.from(hex, "hex") };
}
