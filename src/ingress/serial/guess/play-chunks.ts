// Plays a recording into whoever reads bytes, as fast as it can be read.

import type { CaptureChunk } from "./capture-file.ts";
import type { ReplayClock } from "./replay-clock.ts";

/** Silence behind the last chunk, so that a frame that ends in silence comes out. */
const LAST_SILENCE_MS = 60_000;

/** Returns the bytes that went in. `clock`: the reader's own. */
export function playChunks(
  chunks: readonly CaptureChunk[],
  reader: { feed(chunk: Buffer): void; reset(): void },
  clock: ReplayClock,
): number {
  let bytes = 0;
  for (const chunk of chunks) {
    clock.moveTo(chunk.at);
    reader.feed(chunk.bytes);
    bytes += chunk.bytes.length;
  }
  clock.moveTo(clock.now() + LAST_SILENCE_MS);
  reader.reset();
  return bytes;
}
