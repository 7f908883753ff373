// What language a port speaks, found by listening first and by trying it then.
//
//   connect ─ listen ─┬─ INFO ──▶ leaf port or client port?  TLS behind it?
//                     ├─ HTTP/…, SSH-… ──▶ somebody else
//                     └─ silence ─ ClientHello on the same connection ─┬─ TLS ─ listen ─▶ INFO: TLS first
//                                                                      └─ none ─ another connection ─ GET / ─▶ HTTP, or nothing at all

import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { Millis } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import type { ByteStream } from "#base/net.ts";
import { LEAF_NOT_NATS } from "#uplink/errors.ts";
import { discard, exchange } from "#uplink/http-exchange.ts";
import { type HubInfo, parseInfo } from "#uplink/hub-info.ts";
import { nameToBorrow, readTlsFiles } from "#uplink/secure.ts";
import type { Probe } from "../probe.ts";
import { within } from "../within.ts";
import { hear } from "./hear.ts";
import type { HubCase } from "./hub-case.ts";
import { lookAtTls, type SeenTls } from "./seen-certificates.ts";

export type Greeting =
  | { readonly speaks: "info"; readonly info: HubInfo; readonly chain: readonly X509Certificate[] }
  | {
      readonly speaks: "tls";
      readonly info: HubInfo | null;
      readonly isHttps: boolean;
      readonly chain: readonly X509Certificate[];
    }
  | { readonly speaks: "http"; readonly status: string }
  | { readonly speaks: "other"; readonly found: string }
  /** Said no more than an error: the hub takes nobody at the moment. */
  | { readonly speaks: "error"; readonly text: string }
  | { readonly speaks: "ended"; readonly fault: Error | undefined }
  | { readonly speaks: "silence" };

/** What a port that does TLS first is given to say something in clear all the same. */
const FIRST_PATIENCE_MS = 400;
const FOUND_CHARS_MAX = 40;
const ROUND_TRIPS = 8;

/** Rejects when the way there ends, or with the signal's reason. */
export async function greetingOf(hub: HubCase, probe: Probe, signal: AbortSignal): Promise<Greeting> {
  const { clock } = probe.env;
  const startedAt = clock.now();
  const stream = owned(await hub.transport.connect(hub.choice, signal));
  hub.roundTripMs = clock.now() - startedAt;
  try {
    const patience = hub.tlsWay === "first" ? FIRST_PATIENCE_MS + 2 * hub.roundTripMs : patienceWith(hub, probe);
    const { bytes, hasEnded, fault } = await hear(stream, patience, clock, signal);
    if (bytes.length > 0) return await spoken(bytes, stream, hub, probe, signal);
    if (hasEnded) return { speaks: "ended", fault };
    const seen = await tryTls(stream, hub, probe, signal);
    if (seen !== undefined) return await insideTls(seen, hub, probe, signal);
  } finally {
    discard(stream);
  }
  return await askForHttp(hub, probe, signal);
}

async function spoken(bytes: Buffer, stream: ByteStream, hub: HubCase, probe: Probe, signal: AbortSignal): Promise<Greeting> {
  const line = bytes.toString("latin1");
  if (/^HTTP\/\d/.test(line)) return { speaks: "http", status: firstLine(line) };
  if (line.startsWith("-ERR")) return { speaks: "error", text: firstLine(line).replace(/^-ERR *'?(.*?)'?$/, "$1") };
  const info = tryInfo(line);
  if (info === undefined) return { speaks: "other", found: firstLine(line).slice(0, FOUND_CHARS_MAX) };
  if (!info.isLeafPort || !(info.tlsRequired || hub.tlsWay === "required")) return { speaks: "info", info, chain: [] };
  const seen = await tryTls(stream, hub, probe, signal);
  seen?.socket.destroy();
  return { speaks: "info", info, chain: seen?.chain ?? [] };
}

async function insideTls({ socket, chain }: SeenTls, hub: HubCase, probe: Probe, signal: AbortSignal): Promise<Greeting> {
  try {
    const { bytes, hasEnded } = await hear(socket, patienceWith(hub, probe), probe.env.clock, signal);
    const info = tryInfo(bytes.toString("latin1")) ?? null;
    if (info !== null || hasEnded || bytes.length > 0) return { speaks: "tls", info, isHttps: false, chain };
    const answer = await quickly(hub, probe, signal, (inner) => exchange(socket, HEAD_REQUEST, inner));
    return { speaks: "tls", info, isHttps: answer?.is === "head", chain };
  } finally {
    socket.destroy();
  }
}

/** undefined: it does no TLS, or none with us. */
async function tryTls(stream: ByteStream, hub: HubCase, probe: Probe, signal: AbortSignal): Promise<SeenTls | undefined> {
  const { remote, choice } = hub;
  const files = await readTlsFiles(probe.env.disk, probe.dataDir, remote.tls, probe.env.log).catch(() => undefined); // told by the next step
  const borrowed = nameToBorrow(remote.urls);
  const name = remote.tls?.serverName ?? (isIP(choice.tlsHost) === 0 ? choice.tlsHost : (borrowed ?? choice.tlsHost));
  const seen = await quickly(hub, probe, signal, (inner) =>
    lookAtTls(stream, { name, cert: files?.cert, key: files?.key }, inner),
  );
  files?.key?.fill(0);
  return seen;
}

async function askForHttp(hub: HubCase, probe: Probe, signal: AbortSignal): Promise<Greeting> {
  const stream = owned(await hub.transport.connect(hub.choice, signal));
  try {
    const answer = await quickly(hub, probe, signal, (inner) => exchange(stream, HEAD_REQUEST, inner));
    if (answer?.is === "head") return { speaks: "http", status: `HTTP ${answer.head.status} ${answer.head.reason}`.trim() };
    if (answer?.is === "foreign") return { speaks: "other", found: answer.found };
    return { speaks: "silence" };
  } finally {
    discard(stream);
  }
}

/** Asks for nothing but the head: no page is worth its bytes on a metered line. */
const HEAD_REQUEST = "HEAD / HTTP/1.1\r\nHost: petiole-doctor\r\nConnection: close\r\n\r\n";

/** A line is given what it needs: a handshake goes to and fro twice or thrice, and packets get lost. */
function patienceWith({ roundTripMs }: HubCase, { limits }: Probe): Millis {
  return Math.max(limits.greeting, Math.min(limits.phase, ROUND_TRIPS * roundTripMs));
}

/** undefined: it failed, or took too long; the caller's signal still ends everything. */
async function quickly<T>(
  hub: HubCase,
  probe: Probe,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const limit = { clock: probe.env.clock, limit: patienceWith(hub, probe), signal, late: () => new Error("too late") };
  try {
    return await within(limit, work);
  } catch {
    signal.throwIfAborted();
    return undefined; // whatever went wrong: it does not speak that
  }
}

function owned(stream: ByteStream): ByteStream {
  stream.on("error", () => undefined); // whoever listens for it hears it; nobody must not end the process
  return stream;
}

function tryInfo(line: string): HubInfo | undefined {
  const json = /^INFO +(\{.*\}) *\r?$/m.exec(line)?.[1];
  if (json === undefined) return undefined;
  try {
    return parseInfo(json);
  } catch (error) {
    if (error instanceof PetioleError && error.code === LEAF_NOT_NATS) return undefined;
    throw error;
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0]!.replaceAll(/[^\x20-\x7e]/g, "?");
}
