// A port's bytes read as the settings say, for people: what the port itself publishes, and what it passes over, frame by frame.
//
//   chunk ─▶ framer ─▶ frame ─▶ decoder ─▶ messages ─▶ onFrame        it publishes nothing, and the port does not wait for it
//                └──▶ onPassed

import type { Clock } from "#base/clock.ts";
import type { FrameFault, FrameListener } from "./framer.ts";
import { makeDecoder } from "./make-decoder.ts";
import { makeFramer } from "./make-framer.ts";
import type { SerialPortOptions } from "./options.ts";
import { bitsPerCharacter } from "./wire.ts";

/** What would be published. */
export interface ReadMessage {
  /** latin1 form. */
  readonly subject: string;
  readonly payload: Buffer;
  /** A whole header block. */
  readonly headers: Buffer | undefined;
}

export interface ReadingListener {
  /** Absent: every frame is decoded. False: this one is passed over, undecoded. */
  wantsFrame?(): boolean;
  /** `frame` is borrowed until the call returns. `fault`: why it could not be decoded, wholly or in part. */
  onFrame(frame: Buffer, messages: readonly ReadMessage[], fault: string | undefined): void;
  /** Bytes that make no frame, and why, in words. */
  onPassed(what: string): void;
}

export class PortReader implements FrameListener {
  readonly #listener: ReadingListener;
  readonly #framer: ReturnType<typeof makeFramer>;
  readonly #decoder: ReturnType<typeof makeDecoder>;
  #messages: ReadMessage[] = [];

  /** Throws SERIAL_SUBJECT_INVALID. */
  constructor(port: SerialPortOptions, listener: ReadingListener, clock: Clock) {
    this.#listener = listener;
    const line = { baudRate: port.baudRate, bitsPerCharacter: bitsPerCharacter(port) };
    this.#framer = makeFramer(port.framing, this, line, clock);
    this.#decoder = makeDecoder(port, (subject, bytes, start, end, headers) => {
      const payload = Buffer.from(bytes.subarray(start, end));
      this.#messages.push({ subject, payload, headers: headers === undefined ? undefined : Buffer.from(headers) });
    });
  }

  feed(chunk: Buffer): void {
    this.#framer.feed(chunk);
  }

  /** The port was closed, or nobody looks any more: what is held of a frame is forgotten, and no timer is left. */
  reset(): void {
    this.#framer.reset();
    this.#decoder.reset();
  }

  /** For the framer. */
  onFrame(bytes: Buffer, start: number, end: number): void {
    if (this.#listener.wantsFrame?.() === false) return;
    this.#messages = [];
    const fault = this.#decoder.decode(bytes, start, end);
    this.#listener.onFrame(bytes.subarray(start, end), this.#messages, fault);
  }

  /** For the framer. */
  onOversize(): void {
    this.#listener.onPassed("a frame is longer than max_frame; it is passed over");
  }

  /** For the framer. */
  onFault(fault: FrameFault, bytes: number): void {
    this.#decoder.onPassed?.(bytes);
    this.#listener.onPassed(`${bytes} bytes passed over: ${fault}`);
  }
}
