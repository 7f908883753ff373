// A command to a device, and what became of it. Who takes commands off a subject, keeps their order and their deadline and answers
// them is `commands.ts`; who carries one out is an executor: the plain writer (`write-back.ts`), the line's signals, a Modbus master.

import type { Millis } from "#base/clock.ts";
import type { Remedy } from "#base/errors.ts";
import type { SerialCode } from "./errors.ts";

export interface Command {
  /** A copy: the executor may keep it. */
  readonly payload: Buffer;
  /** By the clock's `now`: from here on it must not be begun any more. */
  readonly deadline: Millis;
  /** Aborted when the port is closed for good. */
  readonly signal: AbortSignal;
}

/** Members of the answer's JSON beside `ok` and `port`: what was done, such as `{ bytes: 5 }`. */
export type OutcomeFacts = Readonly<Record<string, string | number | boolean | null | readonly number[]>>;

export type Outcome =
  | {
      readonly ok: true;
      readonly facts: OutcomeFacts /** The device's own answer: becomes the reply's payload as it is. */;
      readonly frame?: Buffer;
    }
  | {
      readonly ok: false;
      readonly code: SerialCode /** Plain words: what, and what to do. */;
      readonly message: string;
      readonly remedy: Remedy;
    };

/** Carries out one command at a time; never called for a late one. Faults are outcomes; a rejection is answered as SERIAL_WRITE_FAILED. */
export interface CommandExecutor {
  execute(command: Command): Promise<Outcome>;
}
