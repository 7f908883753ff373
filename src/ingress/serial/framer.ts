// From bytes to frames: what every framer promises.

/** Who gets what a framer finds. */
export interface FrameListener {
  /** A whole frame: `bytes` from `start` up to `end`, borrowed until the call returns. Never empty. */
  onFrame(bytes: Buffer, start: number, end: number): void;
  /** A frame passed the limit and is being thrown away; said once per such frame. */
  onOversize(): void;
}

/** Keeps at most one frame's worth of bytes between chunks. */
export interface Framer {
  feed(chunk: Buffer): void;
  /** Forgets what it holds: the line was cut, or the device is another. Returns the bytes of the frame that was under way. */
  reset(): number;
}
