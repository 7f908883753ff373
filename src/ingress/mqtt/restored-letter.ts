// A message that an earlier life left on flash, as its record: what it says is read when somebody gets it. At a start with some hundred
// thousand of them nobody needs more than their sizes and deadlines.
//
// The value it came in may share one block with sixty kilobytes of others, which it would hold for as long as it waits, a year perhaps. So a
// small one is kept as a latin1 string, one character a byte (measured: a quarter of the time of a buffer of its own, and less memory than
// any buffer); a large one gets a block for itself.

import type { Millis } from "#base/clock.ts";
import type { Letter } from "./mail.ts";
import { KEPT_OVERHEAD_BYTES, type KeptMessage } from "./message.ts";
import { contentBytesOf, decodeMessage } from "./session-records.ts";

/** Larger ones are no strings: those live in the heap of JavaScript. */
const STRING_BYTES_MAX = 1024;

export class RestoredLetter implements Letter {
  id: number;
  owners = 0;
  readonly bytes: number;
  readonly deadline: Millis;
  /** The record until somebody asks. */
  #kept: string | Buffer | KeptMessage;

  /** `record`: one that `isMessage` has found sound. */
  constructor(id: number, record: Buffer, deadline: Millis) {
    this.id = id;
    this.bytes = KEPT_OVERHEAD_BYTES + contentBytesOf(record);
    this.deadline = deadline;
    this.#kept = record.length <= STRING_BYTES_MAX ? record.latin1Slice(0, record.length) : alone(record);
  }

  get message(): KeptMessage {
    const kept = this.#kept;
    if (typeof kept === "object" && "subject" in kept) return kept;
    const message = decodeMessage(typeof kept === "string" ? bytesOf(kept) : kept)!;
    this.#kept = message;
    return message;
  }
}

/** The same bytes in a block that holds little else. */
function alone(record: Buffer): Buffer {
  if (record.buffer.byteLength <= 2 * record.length) return record;
  const copy = Buffer.allocUnsafeSlow(record.length);
  record.copy(copy);
  return copy;
}

function bytesOf(record: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(record.length);
  bytes.latin1Write(record, 0);
  return bytes;
}
