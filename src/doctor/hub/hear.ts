// The first words of whoever is at the other end, without saying anything ourselves.

import { addAbortListener } from "node:events";
import type { Clock, Millis } from "#base/clock.ts";
import type { ByteStream } from "#base/net.ts";

export interface Heard {
  readonly bytes: Buffer;
  /** The stream ended or failed; `fault` where the system named one. */
  readonly hasEnded: boolean;
  readonly fault: Error | undefined;
}

/** An INFO line of a hub with a large cluster is a few kilobytes. */
const BYTES_MAX = 64 * 1024;
const NEWLINE = 10;

/** Until the first line is whole, the stream ends, or `patience` is over. The stream is paused then, and its next owner's. */
export async function hear(stream: ByteStream, patience: Millis, clock: Clock, signal: AbortSignal): Promise<Heard> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Omit<Heard, "bytes">>();
  let bytes: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.includes(NEWLINE) || bytes.length >= BYTES_MAX) resolve({ hasEnded: false, fault: undefined });
  };
  const onEnd = () => resolve({ hasEnded: true, fault: undefined });
  const onError = (fault: Error) => resolve({ hasEnded: true, fault });
  using _limit = clock.after(patience, () => resolve({ hasEnded: false, fault: undefined }));
  using _abort = addAbortListener(signal, () => reject(signal.reason));
  stream.on("data", onData).on("error", onError).on("end", onEnd).on("close", onEnd);
  if (stream.destroyed) onEnd();
  try {
    const end = await promise;
    return { bytes, ...end };
  } finally {
    stream.off("data", onData).off("error", onError).off("end", onEnd).off("close", onEnd);
    if (!stream.destroyed) stream.pause();
  }
}
