// Writes commands to the device: the plain executor, one frame's worth of bytes at a time.
//
//   payload ─▶ bytes ─▶ write ─▶ (line time) ─▶ done                         without write_answer
//                                      └──────▶ next frame within it ─▶ done  with it: the frame is the answer

import type { Clock, Millis } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import type { Command, CommandExecutor, Outcome } from "./command.ts";
import { remedyOf, type SerialCode, SerialError } from "./errors.ts";
import type { Wire } from "./wire.ts";
import type { WritePayloadOptions } from "./write-options.ts";
import { encodePayload } from "./write-payload.ts";

/** Longest command. At 9600 baud it takes a minute. */
const COMMAND_BYTES_MAX = 64 * 1024;
/** Beyond twice the time that the bytes take on the line, a device that takes none is stuck. */
const STUCK_AFTER_MS: Millis = 2000;

export interface WriteBackOptions {
  readonly writePayload: WritePayloadOptions;
  readonly writeAnswer: Millis | null;
}

/** Hears frames while it waits for an answer. */
export type FrameTap = (listener: (frame: Buffer) => void) => Disposable;

export class WriteBack implements CommandExecutor {
  readonly #options: WriteBackOptions;
  readonly #wire: Wire;
  readonly #clock: Clock;
  readonly #tapFrames: FrameTap;
  readonly #onStuck: () => void;

  /** `onStuck`: the device took no bytes for too long; whoever owns the port opens it anew, which ends the write. */
  constructor(options: WriteBackOptions, port: { wire: Wire; clock: Clock; tapFrames: FrameTap; onStuck: () => void }) {
    this.#options = options;
    this.#wire = port.wire;
    this.#clock = port.clock;
    this.#tapFrames = port.tapFrames;
    this.#onStuck = port.onStuck;
  }

  async execute({ payload, signal }: Command): Promise<Outcome> {
    const bytes = encodePayload(this.#options.writePayload, payload);
    if (typeof bytes === "string") return refusal("SERIAL_COMMAND_INVALID", `the command is ${bytes}; see write_payload`);
    if (bytes.length > COMMAND_BYTES_MAX) {
      const words = `the command has ${bytes.length} bytes, at most ${COMMAND_BYTES_MAX} are written; cut it into several`;
      return refusal("SERIAL_COMMAND_INVALID", words);
    }
    try {
      if (this.#options.writeAnswer === null) {
        await this.#write(bytes, signal);
        return { ok: true, facts: { bytes: bytes.length } };
      }
      return await this.#ask(bytes, this.#options.writeAnswer, signal);
    } catch (error) {
      if (error instanceof SerialError) return refusal(error.code, explain(error));
      throw error;
    }
  }

  async #write(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<"stuck" | "stopped">();
    using _timer = this.#clock.after(STUCK_AFTER_MS + 2 * this.#wire.lineTime(bytes.length), () => resolve("stuck"));
    using _stop = onAbort(signal, () => resolve("stopped"));
    const written = this.#wire.write(bytes).then(() => this.#wire.drain());
    written.catch(() => undefined); // if it is given up, the port is closed, and this ends as well
    const end = await Promise.race([written, promise]);
    if (end === undefined) return;
    if (end === "stuck") this.#onStuck();
    const words =
      end === "stopped"
        ? "the port is being closed; a part may have been written"
        : "the device takes no bytes; check flow control (rtscts) and wiring. The port is opened anew; a part may have been written";
    throw new SerialError(end === "stopped" ? "SERIAL_LOST" : "SERIAL_WRITE_FAILED", words);
  }

  async #ask(bytes: Buffer, answerMs: Millis, signal: AbortSignal): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
    using _tap = this.#tapFrames((frame) => resolve(Buffer.from(frame)));
    using _change = this.#wire.onChange(() => resolve(undefined));
    using _stop = onAbort(signal, () => resolve(undefined));
    await this.#write(bytes, signal);
    using _timer = this.#clock.after(answerMs, () => resolve(undefined));
    const frame = await promise;
    if (frame !== undefined) return { ok: true, facts: { bytes: bytes.length }, frame };
    const words =
      this.#wire.isOpen && !signal.aborted
        ? `the command was written, but the device said nothing within ${answerMs} ms; check it, or raise write_answer`
        : "the command was written, but the port was closed before the device answered";
    return refusal("SERIAL_NO_ANSWER", words);
  }
}

function onAbort(signal: AbortSignal, action: () => void): Disposable {
  if (signal.aborted) action();
  signal.addEventListener("abort", action, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", action) };
}

export function refusal(code: SerialCode, message: string): Outcome & { readonly ok: false } {
  return { ok: false, code, message, remedy: remedyOf(code) };
}
