// `petiole serial listen PORT`: what a device says, now. Never takes a port from anybody.
//
//   the daemon has the port    through its socket (tap-socket.ts), it goes on undisturbed
//   nobody has it              opened under the same lock that the daemon takes
//   another program has it     said, with its name
//
// Opening resets some boards; through the daemon nothing is opened.

import { once } from "node:events";
import type { Disk } from "#base/disk.ts";
import { PetioleError } from "#base/errors.ts";
import type { Tty, TtySettings } from "#base/tty.ts";
import type { Config } from "#config/config.ts";
import { assignDevices } from "#ingress/serial/match.ts";
import type { SerialPortOptions } from "#ingress/serial/options.ts";
import { dialTapSocket, tapSocketPath } from "#ingress/serial/tap-socket.ts";
import { Recorder } from "./serial-record.ts";
import { decodedView, hexView, rawView, type View, type ViewName, type ViewOutput } from "./serial-view.ts";

export const SERIAL_PORT_UNKNOWN = "SERIAL_PORT_UNKNOWN";

export interface ListenOptions {
  /** Name of a port of the settings, or path of a device. */
  readonly port: string;
  /** undefined: decoded where the settings say how, else hex. */
  readonly view: ViewName | undefined;
  /** Overrides the settings' speed; for a port without settings 9600. */
  readonly baudRate: number | undefined;
  /** File to write down what comes; undefined: none. */
  readonly record: string | undefined;
  /** Ends by itself when aborted. */
  readonly signal: AbortSignal;
}

export interface ListenSources {
  readonly dataDir: string;
  readonly disk: Disk;
  readonly tty: Tty;
  readonly ports: Config["serial"];
  readonly output: ViewOutput;
  /** A line for people, beside the output. */
  readonly say: (line: string) => void;
}

/** Returns the exit code: 0 when it was told to end, 1 when the port went away or the recording lacks something. */
export async function listenSerial(options: ListenOptions, sources: ListenSources): Promise<number> {
  const known = sources.ports.find(({ name }) => name === options.port) ?? (await portOf(options.port, sources));
  const view = makeView(options, known, sources.output);
  const { disk, output, say } = sources;
  await using recorder =
    options.record === undefined ? undefined : await Recorder.create(options.record, disk, output.clock, say);
  const ears: Ears = {
    begin: (head) => recorder?.begin(head),
    onChunk: (chunk) => {
      recorder?.add(chunk);
      view.feed(chunk);
    },
  };
  const code =
    (await listenThroughDaemon(options, known, ears, sources)) ?? (await listenDirectly(options, known, ears, sources));
  view.reset();
  const isWhole = (await recorder?.finish()) ?? true;
  return isWhole ? code : 1;
}

/** Whoever hears what the device says. */
interface Ears {
  begin(head: Parameters<Recorder["begin"]>[0]): void;
  onChunk(chunk: Buffer): void;
}

function makeView({ view, port }: ListenOptions, known: SerialPortOptions | undefined, output: ViewOutput): View {
  const wanted = view ?? (known === undefined || known.modbus !== null ? "hex" : "decoded");
  if (wanted === "raw") return rawView(output);
  if (wanted === "hex") return hexView(output);
  if (known !== undefined) return decodedView(known, output);
  const message = `no port of the settings is ${port}, so nobody knows how to decode it; choose --view hex, or "petiole serial guess"`;
  throw new PetioleError(SERIAL_PORT_UNKNOWN, message, { remedy: "never" });
}

/** undefined: there is no daemon, or it does not have this port. */
async function listenThroughDaemon(
  { port, signal, baudRate }: ListenOptions,
  known: SerialPortOptions | undefined,
  ears: Ears,
  { dataDir, say }: ListenSources,
): Promise<number | undefined> {
  let tapped: Awaited<ReturnType<typeof dialTapSocket>>;
  try {
    tapped = await dialTapSocket(tapSocketPath(dataDir), known?.name ?? port);
  } catch (error) {
    if (error instanceof PetioleError && error.code === "SERIAL_ABSENT") return undefined;
    throw error;
  }
  if (tapped === undefined) return undefined;
  const { facts, socket } = tapped;
  const speed = baudRate === undefined ? "" : "; --baud is the daemon's business";
  say(
    `port ${facts.port} at ${facts.baud_rate} baud, through the daemon${speed}${facts.cause === null ? "" : `: ${facts.cause}`}`,
  );
  const { baud_rate: rate, data_bits: dataBits, parity, stop_bits: stopBits } = facts;
  ears.begin({ path: facts.path ?? facts.port, baudRate: rate, dataBits, parity, stopBits });
  const onAbort = () => socket.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    socket.on("data", (chunk: Buffer) => ears.onChunk(chunk)).on("error", () => undefined);
    if (signal.aborted) socket.destroy();
    await once(socket, "close");
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
  if (!signal.aborted) say("the daemon ended, or this reader was too slow for it");
  return signal.aborted ? 0 : 1;
}

async function listenDirectly(
  options: ListenOptions,
  known: SerialPortOptions | undefined,
  ears: Ears,
  { tty: system, say, ports }: ListenSources,
): Promise<number> {
  const path = known === undefined ? options.port : await findPath(known, system);
  if (!path.startsWith("/")) {
    const names = ports.map(({ name }) => name).join(", ");
    const message = `no port of the settings is called ${path}${names === "" ? "" : ` (there are ${names})`}; name one, or a device such as /dev/ttyUSB0`;
    throw new PetioleError(SERIAL_PORT_UNKNOWN, message, { remedy: "never" });
  }
  const settings = lineSettings(options, known);
  const { promise, resolve } = Promise.withResolvers<number>();
  const onAbort = () => resolve(0);
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    await using open = await system.open(path, settings);
    say(`${path} at ${settings.baudRate} baud, opened by ourselves`);
    open.onClose((fault) => {
      if (options.signal.aborted) return; // our own closing
      say(`${path} went away${fault === undefined ? "" : ` (${fault.message})`}`);
      resolve(1);
    });
    ears.begin({ path, ...settings });
    open.onData((chunk) => ears.onChunk(chunk));
    if (options.signal.aborted) resolve(0);
    return await promise;
  } finally {
    options.signal.removeEventListener("abort", onAbort);
  }
}

function lineSettings({ baudRate }: ListenOptions, known: SerialPortOptions | undefined): TtySettings {
  const { dataBits = 8, parity = "none", stopBits = 1, rtscts = false } = known ?? {};
  return { baudRate: baudRate ?? known?.baudRate ?? 9600, dataBits, parity, stopBits, rtscts };
}

/** The port of the settings that a device path is for. */
async function portOf(path: string, { tty, ports }: ListenSources): Promise<SerialPortOptions | undefined> {
  if (!path.startsWith("/")) return undefined;
  const wanted = await tty.find(path);
  if (wanted === undefined) return undefined;
  for (const port of ports) if ((await tryFind(port, tty))?.path === wanted.path) return port;
  return undefined;
}

async function findPath(port: SerialPortOptions, tty: Tty): Promise<string> {
  const answer = await look(port, tty);
  if ("device" in answer) return answer.device.path;
  throw new PetioleError(answer.missing.code, `port ${port.name}: ${answer.missing.text}`, { remedy: "retry" });
}

async function tryFind(port: SerialPortOptions, tty: Tty) {
  const answer = await look(port, tty).catch(() => undefined); // no list of devices: then it is not known to be this port's
  return answer !== undefined && "device" in answer ? answer.device : undefined;
}

async function look({ name, match }: SerialPortOptions, tty: Tty) {
  const found = match.path === null ? undefined : await tty.find(match.path);
  const byPath = new Map(found === undefined || match.path === null ? [] : [[match.path, found]]);
  const devices = match.path === null ? await tty.list() : [];
  return assignDevices([{ name, match, held: null }], { devices, byPath })[0]!;
}
