// From one frame to its messages: what every decoder promises.

/**
 * Takes one message: a latin1 subject, and a payload and a header block (`NATS/1.0␍␊…␍␊␍␊`) that are borrowed until the call returns.
 * Without headers: undefined.
 */
export type Emit = (subject: string, bytes: Buffer, start: number, end: number, headers: Buffer | undefined) => void;

export interface Decoder {
  /** Emits the frame's messages. Returns what was wrong, in words that complete "cannot decode a frame as …: ", or undefined. */
  decode(bytes: Buffer, start: number, end: number): string | undefined;
  /** Would a frame like this, with its beginning cut off, be noticed? Then even the first one after opening can be trusted. */
  showsItsBeginning(bytes: Buffer, start: number, end: number): boolean;
  /** So many bytes between two frames were no frame. Absent: that means nothing to it. */
  onPassed?(bytes: number): void;
  /** The line was cut: forgets what it learnt from earlier frames and what need not be true any more. */
  reset(): void;
}
