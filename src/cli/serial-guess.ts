// `petiole serial guess PORT`: listens at the common speeds and proposes settings, with a preview and how sure it is.
//
//   petiole serial guess /dev/ttyUSB0               every common speed, some 20 seconds
//   petiole serial guess /dev/ttyUSB0 --baud 9600   this speed only
//   petiole serial guess capture.jsonl              from a recording, at the speed it was made with
//
// Never writes to the device. Exit code 1 when nothing was heard.

import type { Clock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import type { Tty, TtyInfo } from "#base/tty.ts";
import { displaySubject } from "#core/subject.ts";
import { SerialError } from "#ingress/serial/errors.ts";
import { type Description, describeProposals, type PreviewLine } from "#ingress/serial/guess/describe.ts";
import { guessHeard } from "#ingress/serial/guess/guess-heard.ts";
import { COMMON_RATES, guessLine, type Proposal } from "#ingress/serial/guess/guess-line.ts";
import { preview, printable } from "./printable.ts";
import { readCapture } from "./serial-replay.ts";

export interface GuessPlace {
  readonly disk: Disk;
  readonly tty: Tty;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface GuessFlags {
  readonly json: boolean;
  readonly baud?: string | undefined;
  /** How long to listen at each speed. */
  readonly seconds?: string | undefined;
}

type Outcome = { readonly text: string; readonly code: number } | { readonly misuse: string };

const SECONDS_DEFAULT = 1.5;
const SECONDS_MAX = 600;
const PREVIEW_CHARS_MAX = 400;

export async function runSerialGuess(words: readonly string[], place: GuessPlace, flags: GuessFlags): Promise<Outcome> {
  const [port, ...rest] = words;
  if (port === undefined) return { misuse: '"petiole serial guess" wants a device such as /dev/ttyUSB0, or a capture file' };
  if (rest.length > 0) return { misuse: `"${rest[0]}" was not expected after "serial guess ${port}"` };
  const baud = numberIn(flags.baud, 50, 4_000_000);
  if (Number.isNaN(baud)) return { misuse: `--baud wants a number from 50 to 4000000, got "${flags.baud}"` };
  const seconds = numberIn(flags.seconds, 0.1, SECONDS_MAX);
  if (Number.isNaN(seconds)) return { misuse: `--seconds wants a number from 0.1 to ${SECONDS_MAX}, got "${flags.seconds}"` };
  const device = await place.tty.find(port);
  const isCapture = device === undefined && !port.startsWith("/dev/");
  const capture = isCapture ? await readCapture(place.disk, port) : undefined;
  const path = capture?.head.path ?? port;
  const proposals =
    capture !== undefined
      ? guessHeard(capture.chunks, capture.head)
      : await fromLine(port, place, baud, (seconds ?? SECONDS_DEFAULT) * 1000);
  const devices = isCapture ? [] : await place.tty.list().catch((): readonly TtyInfo[] => []); // without a list it goes by its path
  const shown = describeProposals(proposals, { path, device, devices }).map(shownOf);
  const code = shown.length === 0 ? 1 : 0;
  if (flags.json) return { text: `${JSON.stringify({ proposals: shown }, undefined, 2)}\n`, code };
  return { text: shown.length === 0 ? NOTHING_HEARD : format(shown), code };
}

const NOTHING_HEARD = `nothing was heard at any speed: is the device on, does it speak by itself, is its TX on our RX? A slow one wants --seconds 10
`;

async function fromLine(path: string, place: GuessPlace, baud: number | undefined, dwell: number): Promise<readonly Proposal[]> {
  const onTry = ({ baudRate, dataBits, parity }: Proposal["settings"]) =>
    place.say(`listening at ${baudRate} baud, ${dataBits} bits, ${parity === "none" ? "no" : parity} parity`);
  const { tty, clock, signal } = place;
  try {
    return await guessLine({ path, rates: baud === undefined ? COMMON_RATES : [baud], dwell }, { tty, clock, onTry }, signal);
  } catch (error) {
    if (!(error instanceof SerialError) || error.code !== "SERIAL_BUSY") throw error;
    const advice = `or, if that is the daemon, record through it ("petiole serial listen ${path} --record FILE") and guess from FILE`;
    throw new SerialError("SERIAL_BUSY", `${error.message}, ${advice}`, { cause: error.cause });
  }
}

/** One proposal, as --json shows it. */
type Shown = Omit<Description, "preview"> & { readonly preview: readonly string[] };

function shownOf({ preview: lines, ...rest }: Description): Shown {
  return { ...rest, preview: lines.map(previewText) };
}

function previewText(line: PreviewLine): string {
  if ("fault" in line) return `! ${printable(line.fault)}`;
  return `${printable(displaySubject(line.subject))}  ${preview(line.payload, PREVIEW_CHARS_MAX)}`;
}

function format(shown: readonly Shown[]): string {
  const [best] = shown;
  const rows = shown.map(({ confidence, why, serial }) => {
    const parity = serial["parity"] === undefined ? "N" : String(serial["parity"]).charAt(0).toUpperCase();
    const line = `${serial["baud_rate"]} baud ${serial["data_bits"] ?? 8}${parity}${serial["stop_bits"] ?? 1}`;
    return `  ${String(Math.round(confidence * 100)).padStart(3)} %  ${line.padEnd(16)}  ${why}`;
  });
  const preview = best!.preview.map((line) => `  ${line}`);
  const block = JSON.stringify(best!.serial, undefined, 2).replaceAll(/^/gm, "  ");
  const seen = preview.length === 0 ? "" : `what it says, read so:\n${preview.join("\n")}\n\n`;
  return `${rows.join("\n")}\n\n${seen}to paste into "serial" of the settings:\n${block}\n`;
}

/** undefined: not given. NaN: no such number. */
function numberIn(text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : Number.NaN;
}
