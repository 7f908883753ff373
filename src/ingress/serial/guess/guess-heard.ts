// What bytes may mean that were heard already, at one speed: a recording's, or those of a port that somebody has.

import type { TtySettings } from "#base/tty.ts";
import type { CaptureChunk } from "./capture-file.ts";
import type { Proposal } from "./guess-line.ts";
import { interpret } from "./interpret.ts";

/** The surest first; none when too little was heard. */
export function guessHeard(chunks: readonly CaptureChunk[], line: Omit<TtySettings, "rtscts">): readonly Proposal[] {
  const bytes = Buffer.concat(chunks.map((chunk) => chunk.bytes));
  const heardMs = chunks.at(-1)?.at ?? 0;
  const { baudRate, dataBits, parity, stopBits } = line;
  return interpret(bytes).map((each) => ({
    ...each,
    bytes,
    heardMs,
    settings: { baudRate, dataBits, parity, stopBits, ...each.line },
  }));
}
