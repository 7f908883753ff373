// What must survive a power cut by name: a small map of keys to values on flash. The words its owners see.
//
//   put, delete ──▶ staged in memory ──commit (one write, one fdatasync)──▶ safe
//                        │
//                        └─ a put that is deleted while it is still only staged was never there: nothing is written
//
// Everything staged in one synchronous turn is in one commit: after a power cut all of it is there, or none. Opened by open-store.ts;
// format, promises, figures: README.md.

/** Number of a change; rises, never reused within a life. 0: nothing to wait for. */
export type Mark = number;

/** `soon`: with the next commit, `commit_interval` from now at most. `lazy`: goes along with the next, or makes one of its own after 10 s. */
export type CommitUrgency = "soon" | "lazy";

export interface Store extends AsyncDisposable {
  /**
   * Stages `value` under `key`; what was staged under it before is replaced. Takes the buffer for its own: hand over a copy of what is
   * borrowed, and change it no more. `key`: 1 … KEY_BYTES_MAX characters up to U+00FF, written as one byte each. `value`: at most
   * VALUE_BYTES_MAX. Other ones are a bug. Is taken also when `isFull`: whoever can refuse asks that first.
   */
  put(key: string, value: Buffer, urgency: CommitUrgency): Mark;
  /** Stages that there is nothing under `key`. A put of it that was never written vanishes; nothing is written where nothing was. */
  delete(key: string, urgency: CommitUrgency): Mark;
  /** Everything up to it is durable or was cancelled. */
  readonly safe: Mark;
  /**
   * What must be safe before anything is promised on the ground of `entries`. 0: all of it is durable, as nearly always. Otherwise the last
   * commit that was found could not be made durable at the start, is tried again, and may be gone after a power cut.
   */
  readonly found: Mark;
  /** `onSafe` is called whenever `safe` has risen: once a commit or a turn with cancellations, never per key. It must not throw. */
  watch(onSafe: (safe: Mark) => void): Disposable;
  /** Over its bytes, the disk's reserve, or too much waits to be written: puts are to be refused. Deletes always go. */
  readonly isFull: boolean;
  /** What recovery found under keys that begin so, in no particular order; nothing after `release`. */
  entries(prefix: string): Iterable<readonly [key: string, value: Buffer]>;
  /** The owners have what they need of `entries`: the values leave memory. */
  release(): void;
  status(): StoreStatus;
}

export interface StoreStatus {
  /** Keys with a value, staged ones included. */
  readonly keys: number;
  /** Bytes of keys and values that count, as they lie on flash. */
  readonly liveBytes: number;
  /** Room taken by the store's files. */
  readonly fileBytes: number;
  readonly maxBytes: number;
  /** Changes in memory that are not durable, and their bytes. */
  readonly staged: number;
  readonly stagedBytes: number;
  readonly isFull: boolean;
  /** Why, as words for the page; null while it is not. */
  readonly full: "bytes" | "disk" | "staged" | null;
  /** The last commit failed, and this is why; null: all is well. */
  readonly fault: string | null;
  readonly commits: number;
  readonly failedCommits: number;
  /** Bytes of keys and values that were committed for owners, and bytes of keys and values copied to make room, since the start. */
  readonly committedBytes: number;
  readonly copiedBytes: number;
  /** Stretches of files that had gone bad, at the start and since. */
  readonly damaged: number;
}
