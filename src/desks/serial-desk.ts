// What the page may ask of serial devices: which there are, what a port says now, and what an unknown device may be.
//
//   guess ─┬─ the daemon has the device ─▶ it is listened to through its port, at its speed, undisturbed
//          └─ nobody has it ─────────────▶ opened, one speed after the other; nothing is ever written
//
// Only devices that are in the list are opened: a path from outside could be any file.

import { type Clock, type Millis, sleep } from "#base/clock.ts";
import type { Tty } from "#base/tty.ts";
import type { Config } from "#config/config.ts";
import { displaySubject } from "#core/subject.ts";
import { busyError, SerialError } from "#ingress/serial/errors.ts";
import { type Description, describeProposals } from "#ingress/serial/guess/describe.ts";
import { guessHeard } from "#ingress/serial/guess/guess-heard.ts";
import { COMMON_RATES, guessLine, type Proposal } from "#ingress/serial/guess/guess-line.ts";
import { SAMPLE_BYTES_MAX } from "#ingress/serial/guess/interpret.ts";
import { listSerial } from "#ingress/serial/listing.ts";
import type { SerialPortOptions } from "#ingress/serial/options.ts";
import { PortReader } from "#ingress/serial/port-reader.ts";
import type { SerialIngress } from "#ingress/serial/serial-ingress.ts";
import type { StatusReport } from "#status/report.ts";
import type { FrameListener, SerialDesk } from "#web/server/live-desks.ts";

/** How long each speed is listened to. */
const DWELL_MS: Millis = 1_500;
/** How long a port that the daemon has is listened to. */
const HEAR_MS: Millis = 5_000;
/** How often a view looks whether a change of the settings has opened the ports anew. */
const LOOK_MS: Millis = 1_000;
/** Of one frame, and of one message. */
const SHOWN_BYTES_MAX = 1024;

export interface SerialDeskDeps {
  readonly tty: Tty;
  readonly clock: Clock;
  readonly ports: () => Config["serial"];
  /** null: the settings have no ports. */
  readonly ingress: () => Pick<SerialIngress, "listen"> | null;
  readonly status: () => Pick<StatusReport, "serial">;
}

export function createSerialDesk(deps: SerialDeskDeps): SerialDesk {
  const { tty, ports, ingress, clock } = deps;
  const list = () => listSerial({ tty, ports: ports(), report: deps.status() });
  return {
    list,
    async glance() {
      const devices = await tty.list();
      return new Map(devices.map((device) => [device.path, JSON.stringify(device)]));
    },
    watch: (onHint) => tty.watch(onHint),
    listen(name, listener) {
      const tap = () => {
        const port = ports().find((each) => each.name === name);
        const daemon = ingress();
        if (port === undefined || daemon === null) return undefined;
        const tapped = port.modbus === null ? listenReading(port, listener, daemon, clock) : listenRaw(port, listener, daemon);
        return tapped && { ...tapped, daemon };
      };
      let now = tap();
      if (now === undefined) return undefined;
      const { facts } = now;
      const look = () => {
        if (now === undefined || ingress() === now.daemon) return;
        now.end[Symbol.dispose]();
        if (ingress() === null && ports().some((each) => each.name === name)) return; // between the old ports and the new
        now = tap();
        listener.onMoved?.(now?.facts ?? null);
      };
      const looking = clock.every(LOOK_MS, look);
      const end = () => {
        looking[Symbol.dispose]();
        now?.end[Symbol.dispose]();
      };
      return { facts, end: { [Symbol.dispose]: end } };
    },
    async guess(path, onTry, signal) {
      const { devices } = await list();
      const wanted = devices.find((device) => device.path === path);
      if (wanted === undefined)
        throw new SerialError("SERIAL_ABSENT", `there is no serial device ${JSON.stringify(path)}; is it plugged in?`);
      if (wanted.state !== "open" && wanted.holder !== null) throw busyError(path, wanted.holder);
      const heard = await hearThroughDaemon(path, deps, onTry, signal);
      const proposals =
        heard ??
        (await guessLine(
          { path, rates: COMMON_RATES, dwell: DWELL_MS },
          { tty, clock, onTry: (line) => onTry({ ...lineFacts(line), through: null }) },
          signal,
        ));
      const all = await tty.list().catch(() => []); // without a list it goes by its path
      const place = { path, device: all.find((device) => device.path === path), devices: all };
      return { path, proposals: describeProposals(proposals, place).map(shownOf) };
    },
  };
}

function listenReading(
  port: SerialPortOptions,
  listener: FrameListener,
  ingress: Pick<SerialIngress, "listen">,
  clock: Clock,
): ReturnType<SerialDesk["listen"]> {
  const reader = new PortReader(
    port,
    {
      wantsFrame: () => listener.wantsFrame(),
      onFrame(frame, messages, fault) {
        const bytes = frame.subarray(0, SHOWN_BYTES_MAX);
        listener.onFrame({ bytes, size: frame.length, messages, fault: fault === undefined ? null : `cannot decode: ${fault}` });
      },
      onPassed(what) {
        if (listener.wantsFrame()) listener.onFrame({ bytes: Buffer.alloc(0), size: 0, messages: null, fault: what });
      },
    },
    clock,
  );
  const tapped = ingress.listen(port.name, (chunk) => reader.feed(chunk));
  if (tapped === undefined) return undefined;
  const end = () => {
    tapped.end[Symbol.dispose]();
    reader.reset();
  };
  return { facts: tapped.facts, end: { [Symbol.dispose]: end } };
}

/** A bus that we are the master of: what is said on it is a conversation, and no frames of the settings. */
function listenRaw(
  port: SerialPortOptions,
  listener: FrameListener,
  ingress: Pick<SerialIngress, "listen">,
): ReturnType<SerialDesk["listen"]> {
  return ingress.listen(port.name, (chunk) => {
    if (!listener.wantsFrame()) return;
    listener.onFrame({ bytes: chunk.subarray(0, SHOWN_BYTES_MAX), size: chunk.length, messages: null, fault: null });
  });
}

/** undefined: the daemon does not have this device. */
async function hearThroughDaemon(
  path: string,
  { ingress, clock }: SerialDeskDeps,
  onTry: (line: object) => void,
  signal: AbortSignal,
): Promise<readonly Proposal[] | undefined> {
  const chunks: { readonly at: number; readonly bytes: Buffer }[] = [];
  const startedAt = clock.now();
  const enough = new AbortController();
  let left = SAMPLE_BYTES_MAX;
  const tapped = ingress()?.listen(path, (chunk) => {
    const bytes = Buffer.from(chunk.subarray(0, left));
    left -= bytes.length;
    chunks.push({ at: clock.now() - startedAt, bytes });
    if (left === 0) enough.abort();
  });
  if (tapped === undefined) return undefined;
  using _listening = tapped.end;
  const { port, baud_rate: baudRate, data_bits: dataBits, parity, stop_bits: stopBits } = tapped.facts;
  const line = { baudRate, dataBits, parity, stopBits };
  onTry({ ...lineFacts(line), through: port });
  try {
    await sleep(clock, HEAR_MS, AbortSignal.any([signal, enough.signal]));
  } catch {
    signal.throwIfAborted(); // else it was enough
  }
  return guessHeard(chunks, line);
}

function lineFacts({ baudRate, dataBits, parity, stopBits }: Proposal["settings"]): object {
  return { baud_rate: baudRate, data_bits: dataBits, parity, stop_bits: stopBits };
}

function shownOf({ preview, ...rest }: Description): object {
  return {
    ...rest,
    preview: preview.map((line) =>
      "fault" in line
        ? { fault: line.fault }
        : { subject: displaySubject(line.subject), payload: line.payload.toString("utf8", 0, SHOWN_BYTES_MAX) },
    ),
  };
}
