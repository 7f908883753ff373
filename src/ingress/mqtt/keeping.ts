// What the broker asks of whoever keeps its state through a power cut. The store on flash fits it as it is (spoke.ts hands it in);
// without one, volatile-keeping.ts stands in and nothing outlives the process.
//
//   put, delete ──▶ staged ──group commit──▶ safe          what is put and deleted again before the commit is never written
//
// Everything staged in one synchronous turn lives and dies together: a QoS 2 packet identifier and the messages it brought.

/** Number of a change; rises, never reused. 0: nothing to wait for. */
export type Mark = number;

export interface Keeping {
  /** Takes `value` for its own. `soon`: with the next group commit; `lazy`: along with whatever comes, within seconds. */
  put(key: string, value: Buffer, urgency: "soon" | "lazy"): Mark;
  delete(key: string, urgency: "soon" | "lazy"): Mark;
  /** Everything up to it is durable or was cancelled. */
  readonly safe: Mark;
  /** What must be safe before anything is said on the ground of `entries`; absent or 0: it is. */
  readonly found?: Mark;
  /** Called whenever `safe` has risen; never from inside `put` or `delete`. */
  watch(onSafe: (safe: Mark) => void): Disposable;
  /** There is no room: whoever can refuse asks before it puts. */
  readonly isFull: boolean;
  /**
   * What the last life left under keys that begin so, in no particular order. The value is the caller's to keep, for as long as it likes: it
   * must not hold much more memory than its own bytes.
   */
  entries(prefix: string): Iterable<readonly [key: string, value: Buffer]>;
}
