// Decides about each message that comes from the backlog: pass it by, send it, hold it, or wait for what that lacks.
//
//   record ─┬─ done, ahead of its turn, awaited ────────▶ passed by
//           ├─ a stream was found to hold it ───────────▶ done
//           ├─ unreadable, discarded by its fate ───────▶ done, counted by whoever says so
//           ├─ to be sent, to be held ──────────────────▶ sender.ts
//           └─ no place, too many answers awaited, an older one given up and not written down, the hub's word awaited ─▶ the drain waits
//
// Tests: test/unit/outbox/, test/simulation/

import { recordSeq } from "#journal/record.ts";
import type { Fate } from "./fate.ts";
import type { Progress } from "./progress.ts";
import type { Lack, Sender } from "./sender.ts";

export interface BacklogHost {
  /** `wireBytes`: header block and payload as sent, at most. `boot`: which one `stamp` counts from; undefined: this one. */
  fateOf(subject: string, wireBytes: number, seq: number, stamp: number, epoch: number, boot?: string | null): Fate;
  onUnreadable(seq: number, epoch: number): void;
  /** What was given up is being written down. */
  readonly isWriting: boolean;
  /** The hub is being asked which subjects its streams take. */
  readonly isAsking: boolean;
}

export class Backlog {
  readonly #progress: Progress;
  readonly #sender: Sender;
  readonly #host: BacklogHost;
  /** What comes next has to wait. */
  readonly #onStuck: () => void;
  /** What the next message waits for. */
  #lack: Lack | undefined;

  constructor(progress: Progress, sender: Sender, host: BacklogHost, onStuck: () => void) {
    this.#progress = progress;
    this.#sender = sender;
    this.#host = host;
    this.#onStuck = onStuck;
  }

  /** Did the last message lack something? It may have it by now. */
  get isWaiting(): boolean {
    return this.#lack !== undefined;
  }

  /** Does the next message lack something still? */
  get isStuck(): boolean {
    if (this.#lack === undefined) return false;
    if (this.#lack === "a line in the ledger") return this.#host.isWriting;
    if (this.#lack === "word of the hub's streams") return this.#host.isAsking;
    return this.#lack === "an answer of a stream" ? !this.#sender.awaiting.hasRoom : this.#progress.held.isFull;
  }

  /** Another link, or other messages come next. */
  startOver(): void {
    this.#lack = undefined;
  }

  /** There is nothing between what was passed and `seq`. */
  skipTo(seq: number): void {
    this.#progress.skipTo(seq, (held) => this.#sender.awaiting.has(held));
  }

  /** False: not now, and it comes next again. */
  sendNext(slab: Buffer, at: number, epoch: number, boot?: string | null): boolean {
    const seq = recordSeq(slab, at);
    if (seq > this.#progress.sentSeq + 1) this.skipTo(seq - 1);
    this.#lack = this.#decide(slab, at, epoch, seq, boot);
    if (this.#lack === undefined) this.#progress.sentSeq = seq;
    else this.#onStuck();
    return this.#lack === undefined;
  }

  #decide(slab: Buffer, at: number, epoch: number, seq: number, boot: string | null | undefined): Lack | undefined {
    const { held } = this.#progress;
    if (held.size > 0 && held.has(seq) ? this.#sender.awaiting.has(seq) : this.#progress.isDone(seq)) return undefined;
    if (this.#progress.isFound(epoch, seq)) {
      this.#sender.onFound(seq);
      return undefined;
    }
    if (!this.#sender.look(slab, at, boot)) {
      this.#host.onUnreadable(seq, epoch);
      this.#sender.onUnwanted(seq);
      return undefined;
    }
    const { subject, stamp } = this.#sender;
    const fate = this.#host.fateOf(subject, this.#sender.wireBytes(epoch, seq), seq, stamp, epoch, boot);
    if (fate.at === "wait") return fate.for === "ledger" ? "a line in the ledger" : "word of the hub's streams";
    if (fate.at !== "discard") return this.#sender.pass(epoch, seq, fate, true);
    this.#sender.onUnwanted(seq);
    return undefined;
  }
}
