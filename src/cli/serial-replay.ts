// `petiole serial replay FILE`: plays a recorded capture through framer and decoder, and shows what would be published.
//
//   --port NAME                      as this port of the settings has it
//   --framing JSON [--decode JSON] [--subject S]
//                                    as said here, in the words of the settings
//   neither                          as the guess has it
//
// A recording is played as fast as it can be read; its times are those of the recording.

import { parseTimestamp } from "#base/clock.ts";
import { decode } from "#base/decode.ts";
import { type Disk, readWhole } from "#base/disk.ts";
import { explain, PetioleError } from "#base/errors.ts";
import { formatFault } from "#base/fault.ts";
import { SerialError } from "#ingress/serial/errors.ts";
import { CAPTURE_BYTES_MAX, type Capture, parseCapture } from "#ingress/serial/guess/capture-file.ts";
import { interpret } from "#ingress/serial/guess/interpret.ts";
import type { SettingsJson } from "#ingress/serial/guess/interpretation.ts";
import { playChunks } from "#ingress/serial/guess/play-chunks.ts";
import { ReplayClock } from "#ingress/serial/guess/replay-clock.ts";
import { nameFor, settingsBlock } from "#ingress/serial/guess/settings-block.ts";
import { type SerialPortOptions, serialPortOptions } from "#ingress/serial/options.ts";
import { decodedView } from "./serial-view.ts";

export interface ReplayPlace {
  readonly disk: Disk;
  /** The ports of the settings; empty where there are none. */
  readonly ports: readonly SerialPortOptions[];
  readonly write: (what: Buffer | string) => void;
  /** A line for people, beside the output. */
  readonly say: (line: string) => void;
}

export interface ReplayFlags {
  readonly json: boolean;
  readonly port?: string | undefined;
  readonly framing?: string | undefined;
  readonly decode?: string | undefined;
  readonly subject?: string | undefined;
}

type Outcome = { readonly text: string; readonly code: number } | { readonly misuse: string };

export async function runSerialReplay(words: readonly string[], place: ReplayPlace, flags: ReplayFlags): Promise<Outcome> {
  const [file, ...rest] = words;
  if (file === undefined)
    return { misuse: '"petiole serial replay" wants a capture file; "petiole serial listen --record FILE" makes one' };
  if (rest.length > 0) return { misuse: `"${rest[0]}" was not expected after "serial replay ${file}"` };
  const capture = await readCapture(place.disk, file);
  const port = choosePort(capture, place, flags);
  if (typeof port === "string") return { misuse: port };
  const bytes = playCapture(capture, port, place.write, flags.json);
  place.say(`played ${capture.chunks.length} chunks, ${bytes} bytes`);
  return { text: "", code: 0 };
}

/** Throws `SERIAL_CAPTURE_INVALID` for a file that is not there or is none. */
export async function readCapture(disk: Disk, file: string): Promise<Capture> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readWhole(disk, file, CAPTURE_BYTES_MAX);
  } catch (cause) {
    throw new SerialError("SERIAL_CAPTURE_INVALID", `capture ${file} cannot be read; may you read it?`, { cause });
  }
  if (bytes === undefined) throw new SerialError("SERIAL_CAPTURE_INVALID", `there is no capture ${file}`);
  return parseCapture(bytes.toString("utf8"), file);
}

/** Shows what comes out; returns the bytes that went in. */
function playCapture(
  { head, chunks }: Capture,
  port: SerialPortOptions,
  write: (what: Buffer | string) => void,
  isJson: boolean,
): number {
  const clock = new ReplayClock(parseTimestamp(head.started) ?? 0);
  return playChunks(chunks, decodedView(port, { write, clock, isJson }), clock);
}

const FRAMING_WANTED = `--framing and --decode want a JSON object such as '{"type":"line"}'`;

function isObject(value: unknown): value is SettingsJson {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The port to play it through, or what of the command line was not understood. */
function choosePort(capture: Capture, { ports, say }: ReplayPlace, flags: ReplayFlags): SerialPortOptions | string {
  if (flags.port !== undefined) {
    const port = ports.find(({ name }) => name === flags.port);
    if (port === undefined) return `the settings have no serial port "${flags.port}"`;
    return port.modbus === null
      ? port
      : `port "${flags.port}" is a Modbus bus of our own; say --framing '{"type":"modbus_rtu"}' instead`;
  }
  const { head, chunks } = capture;
  const name = nameFor(head.path);
  const place = { path: head.path, device: undefined, devices: [] };
  if (flags.framing === undefined && flags.decode === undefined) {
    const [best] = interpret(Buffer.concat(chunks.map(({ bytes }) => bytes)));
    if (best === undefined) return "the capture is too short to guess from; say --framing and --decode";
    say(`nobody said how to read it, so as a guess (${Math.round(best.score * 100)} %): ${best.why}`);
    return decodePort(settingsBlock(name, place, { ...head, ...best.line }, best), flags);
  }
  try {
    const framing: unknown = flags.framing === undefined ? { type: "line" } : JSON.parse(flags.framing);
    const decoding: unknown = flags.decode === undefined ? { type: "raw" } : JSON.parse(flags.decode);
    if (!isObject(framing) || !isObject(decoding)) return FRAMING_WANTED;
    const hasFields = decoding["type"] !== "raw" && decoding["type"] !== "text";
    return decodePort(settingsBlock(name, place, head, { framing, decode: decoding, hasFields }), flags);
  } catch (error) {
    if (error instanceof PetioleError) throw error;
    return `${FRAMING_WANTED}: ${explain(error)}`;
  }
}

function decodePort(block: ReturnType<typeof settingsBlock>, { subject }: ReplayFlags): SerialPortOptions | string {
  const path = typeof block["match"] === "object" ? { ...block, match: { path: "/dev/null" } } : block; // any path: nothing is opened
  const decoded = decode(serialPortOptions, subject === undefined ? path : { ...path, subject });
  return "value" in decoded ? decoded.value : decoded.faults.map(formatFault).join("; ");
}
