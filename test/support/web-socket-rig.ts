// A WebSocket of ours to a hub in memory, opened or refused, and what is read of it.

import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import * as zlib from "node:zlib";
import { systemEntropy } from "#base/entropy.ts";
import { PetioleError } from "#base/errors.ts";
import { parseRemoteUrl } from "#uplink/remote-url.ts";
import { type OpenedWebSocket, openWebSocket } from "#uplink/web-socket.ts";
import { FakeWebSocketHub } from "./fake-web-socket-hub.ts";

export const DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
export const AGREED = `Sec-WebSocket-Extensions: ${DEFLATE}\r\n`;
export const INFO = 'INFO {"server_id":"H1"}\r\n';
export const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

export interface Ask {
  readonly url?: string;
  readonly isCompressed?: boolean;
  readonly signal?: AbortSignal;
}

export function open(
  stream: Duplex,
  { url = "ws://hub", isCompressed = false, signal = never() }: Ask = {},
): Promise<OpenedWebSocket> {
  const parsed = parseRemoteUrl(url);
  assert.ok("value" in parsed);
  return openWebSocket(stream, { url: parsed.value, isCompressed, entropy: systemEntropy() }, signal);
}

export function never(): AbortSignal {
  return new AbortController().signal;
}

export async function opened(
  ask: Ask = {},
  glued: Buffer = Buffer.alloc(0),
): Promise<{ hub: FakeWebSocketHub } & OpenedWebSocket> {
  const hub = new FakeWebSocketHub();
  const [socket] = await Promise.all([open(hub.near, ask), hub.upgrade(ask.isCompressed ? AGREED : "", glued)]);
  return { hub, ...socket };
}

export async function faultOf(answer: string | Buffer, ask: Ask = {}): Promise<PetioleError> {
  const hub = new FakeWebSocketHub();
  hub.far.write(answer);
  hub.far.end();
  return await rejected(hub, open(hub.near, ask));
}

export async function rejected(hub: FakeWebSocketHub, opening: Promise<unknown>): Promise<PetioleError> {
  const fault = await opening.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(fault instanceof PetioleError, String(fault));
  assert.ok(hub.near.destroyed, "nothing is left behind");
  assert.match(fault.message, /wss?:\/\/hub:7422/);
  return fault;
}

/** Everything up to the end of a stream, and how it ended. */
export async function readAll(stream: Duplex): Promise<{ text: string; error: Error | undefined }> {
  let text = "";
  let error: Error | undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  stream.on("error", (fault) => {
    error = fault;
  });
  stream.on("end", () => stream.end());
  stream.on("close", resolve);
  await promise;
  return { text, error };
}

export async function take(stream: Duplex, count: number): Promise<string> {
  let text = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  const onData = (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (text.length >= count) resolve();
  };
  stream.on("data", onData);
  await promise;
  stream.off("data", onData);
  return text;
}

export function deflated(text: string | Buffer, finish: number = zlib.constants.Z_SYNC_FLUSH): Buffer {
  const bytes = zlib.deflateRawSync(text, { finishFlush: finish });
  return finish === zlib.constants.Z_SYNC_FLUSH ? bytes.subarray(0, bytes.length - TAIL.length) : bytes;
}
