// From bytes to frames: what every framer promises.
//
//   chunk ─▶ feed ─▶ onFrame …       in the call itself, or, where silence ends a frame, from the clock (see make-framer.ts)
//                 ─▶ onOversize      at the limit: the frame is thrown away, once said, and the next one is looked for
//                 ─▶ onFault         bytes that were passed over, and why; what is lost is counted, never silently
//
// Each byte is looked at a bounded number of times, no framer keeps more than one frame, and none sets a timer for each byte.

/**
 * Why bytes were passed over. `noise`: they lie outside of any frame. `checksum`: a frame whose checksum is wrong. `escape`: bytes that
 * the framing's own code does not know. `torn`: a frame that was never finished: another one began, or silence came.
 */
export type FrameFault = "noise" | "checksum" | "escape" | "torn";

/** Who gets what a framer finds. */
export interface FrameListener {
  /** A whole frame: `bytes` from `start` up to `end`, borrowed until the call returns. Never empty. */
  onFrame(bytes: Buffer, start: number, end: number): void;
  /** A frame passed the limit and is being thrown away; said once per such frame. */
  onOversize(): void;
  /** `bytes`: how many were passed over. `sample`: the first of them, where they are still there; borrowed until the call returns. */
  onFault(fault: FrameFault, bytes: number, sample?: Buffer): void;
}

/** Keeps at most one frame's worth of bytes between chunks. */
export interface Framer {
  /**
   * Does a frame that comes out show by itself that its beginning was heard (a start mark, a checksum)? Where not, the first one after
   * opening may be the tail of one that began before.
   */
  readonly showsBeginning: boolean;
  feed(chunk: Buffer): void;
  /** Forgets what it holds, and its timer: the line was cut, or the device is another. Returns the bytes of the frame that was under way. */
  reset(): number;
}
