// `petiole serial list|listen|guess|replay`: serial devices, looked at beside the daemon or without it.

import type { Clock } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { explain } from "#base/errors.ts";
import type { Tty } from "#base/tty.ts";
import type { Config } from "#config/config.ts";
import type { Environment } from "#config/overrides.ts";
import { listSerial } from "#ingress/serial/listing.ts";
import { controlSocketPath } from "../spoke.ts";
import { checkSettings } from "./check.ts";
import { runSerialGuess } from "./serial-guess.ts";
import { formatListing } from "./serial-list.ts";
import { listenSerial } from "./serial-listen.ts";
import { runSerialReplay } from "./serial-replay.ts";
import type { ViewName } from "./serial-view.ts";
import { fetchStatus } from "./status.ts";

export const SERIAL_HELP_TEXT = {
  usage: `petiole serial: serial devices, looked at beside the daemon or without it; never takes a port from anybody

  petiole serial list                      the devices that are there, who has them, and how to recognise them in the settings
  petiole serial listen PORT               what a device says, through the daemon where it has the port, else opened by ourselves
                 [--view raw|hex|decoded]  decoded where the settings say how, else hex
                 [--baud N] [--seconds N]
                 [--record FILE]           writes it down as well, with its times
  petiole serial guess DEVICE|FILE         listens at the common speeds, or to a recording, and proposes settings
                 [--baud N] [--seconds N]  this speed alone; so long at each
  petiole serial replay FILE               plays a recording, and shows what would be published
                 [--port NAME]             as that port of the settings is read, else as a guess has it, or as said:
                 [--framing JSON] [--decode JSON] [--subject S]

PORT is a name from the settings, or a device such as /dev/ttyUSB0. All take --data DIR (default /data), --settings FILE and --json
(with listen and replay: one object a line; raw has none).

exit 0  done, or told to end              exit 1  no such port, or it is held by another program, or it went away
exit 2  the command line was not understood

  petiole serial list
  petiole serial listen weather
  petiole serial listen /dev/ttyUSB0 --baud 115200 --view hex --seconds 10
  petiole serial guess /dev/ttyUSB0
  petiole serial replay morning.jsonl --port weather
`,
} as const;

export interface SerialPlace {
  readonly dataDir: string;
  readonly settingsFile?: string;
  readonly env: Environment;
  readonly disk: Disk;
  readonly tty: Tty;
  readonly clock: Clock;
  /** What is shown as it comes. */
  readonly write: (what: Buffer | string) => void;
  /** A line for people, beside it. */
  readonly say: (line: string) => void;
  /** Told to end. */
  readonly signal: AbortSignal;
}

export interface SerialFlags {
  readonly json: boolean;
  readonly view?: string | undefined;
  readonly baud?: string | undefined;
  readonly seconds?: string | undefined;
  readonly record?: string | undefined;
  readonly port?: string | undefined;
  readonly framing?: string | undefined;
  readonly decode?: string | undefined;
  readonly subject?: string | undefined;
}

/** What to print and how to exit, or what of the command line was not understood. */
export type SerialOutcome = { readonly text: string; readonly code: number } | { readonly misuse: string };

const VIEWS: readonly ViewName[] = ["raw", "hex", "decoded"];
const SECONDS_MAX = 86_400;

export async function runSerial(words: readonly string[], place: SerialPlace, flags: SerialFlags): Promise<SerialOutcome> {
  const [what, ...rest] = words;
  switch (what) {
    case "list": {
      if (rest.length > 0) return { misuse: `"${rest[0]}" was not expected after "serial list"` };
      const report = await fetchStatus(controlSocketPath(place.dataDir)).catch(() => undefined); // no daemon: the list is good without
      const listing = await listSerial({ tty: place.tty, ports: await portsOf(place), report });
      return { text: flags.json ? `${JSON.stringify(listing, undefined, 2)}\n` : formatListing(listing), code: 0 };
    }
    case "listen":
      return await listen(rest, place, flags);
    case "guess":
      return await runSerialGuess(rest, place, flags);
    case "replay":
      return await runSerialReplay(rest, { ...place, ports: await portsOf(place) }, flags);
    default:
      return {
        misuse: `"petiole serial" wants list, listen, guess or replay, got ${what === undefined ? "nothing" : `"${what}"`}`,
      };
  }
}

async function listen(words: readonly string[], place: SerialPlace, flags: SerialFlags): Promise<SerialOutcome> {
  const [port, ...rest] = words;
  if (port === undefined) return { misuse: '"petiole serial listen" wants a port: a name from the settings, or a device' };
  if (rest.length > 0) return { misuse: `"${rest[0]}" was not expected after "serial listen ${port}"` };
  const view = VIEWS.find((each) => each === flags.view);
  if (flags.view !== undefined && view === undefined) return { misuse: `--view wants raw, hex or decoded, got "${flags.view}"` };
  if (flags.json && view === "raw") return { misuse: "--view raw has no JSON; take --view hex" };
  const baudRate = wholeNumber(flags.baud, 50, 4_000_000);
  if (Number.isNaN(baudRate)) return { misuse: `--baud wants a number from 50 to 4000000, got "${flags.baud}"` };
  const seconds = wholeNumber(flags.seconds, 1, SECONDS_MAX);
  if (Number.isNaN(seconds)) return { misuse: `--seconds wants a number from 1 to ${SECONDS_MAX}, got "${flags.seconds}"` };
  const ending = new AbortController();
  const signal = AbortSignal.any([place.signal, ending.signal]);
  using _timer = seconds === undefined ? undefined : place.clock.after(seconds * 1000, () => ending.abort());
  const sources = {
    dataDir: place.dataDir,
    disk: place.disk,
    tty: place.tty,
    ports: await portsOf(place),
    output: { write: place.write, clock: place.clock, isJson: flags.json },
    say: place.say,
  };
  return { text: "", code: await listenSerial({ port, view, baudRate, record: flags.record, signal }, sources) };
}

/** Settings with faults are no reason not to look at devices. */
async function portsOf(place: SerialPlace): Promise<Config["serial"]> {
  try {
    const { config, faults } = await checkSettings(place);
    if (faults.length > 0) place.say(`the settings have ${faults.length} faults ("petiole check" shows them); going on without`);
    return config?.serial ?? [];
  } catch (error) {
    place.say(`the settings cannot be read, going on without: ${explain(error)}`);
    return [];
  }
}

/** undefined: not given. NaN: no such number. */
function wholeNumber(text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : Number.NaN;
}
