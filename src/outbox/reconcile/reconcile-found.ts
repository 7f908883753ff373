// Message ids of ours that a stream was seen to hold: `Nats-Msg-Id: <device>-<epoch>-<class>-<seq>`, as kept-writer.ts writes them.

import { SeqSet } from "../seq-set.ts";
import { CLASSES, type UrgencyClass } from "../urgency.ts";

const REST = /(\d{1,16})-([a-z]+)-(\d{1,16})\r\n/y;

/** Of one class: anybody at the hub may have written such headers. */
const EPOCHS_MAX = 1024;

export class FoundIds {
  readonly #needle: string;
  /** By class, then by epoch. */
  readonly #sets = CLASSES.map(() => new Map<number, SeqSet>());

  constructor(device: string) {
    this.#needle = `\r\nNats-Msg-Id: ${device}-`;
  }

  /** Ids found. */
  get size(): number {
    let size = 0;
    for (const epochs of this.#sets) for (const seqs of epochs.values()) size += seqs.size;
    return size;
  }

  /** Looks through one header block. A publisher may have put an id of its own in front of ours. */
  note(headers: string): void {
    for (let at = headers.indexOf(this.#needle); at >= 0; at = headers.indexOf(this.#needle, at + 1)) {
      REST.lastIndex = at + this.#needle.length;
      const match = REST.exec(headers);
      if (match === null) continue;
      const classIndex = CLASSES.indexOf(match[2] as UrgencyClass);
      const epoch = Number(match[1]);
      const seq = Number(match[3]);
      if (classIndex < 0 || !Number.isSafeInteger(epoch) || !Number.isSafeInteger(seq) || seq < 1) continue;
      this.#add(this.#sets[classIndex]!, epoch, seq);
    }
  }

  *all(): Iterable<{ readonly classIndex: number; readonly epoch: number; readonly seqs: SeqSet }> {
    for (const [classIndex, epochs] of this.#sets.entries())
      for (const [epoch, seqs] of epochs) yield { classIndex, epoch, seqs };
  }

  #add(epochs: Map<number, SeqSet>, epoch: number, seq: number): void {
    let seqs = epochs.get(epoch);
    if (seqs === undefined) {
      if (epochs.size >= EPOCHS_MAX) return;
      seqs = new SeqSet();
      epochs.set(epoch, seqs);
    }
    if (!seqs.isFull) seqs.add(seq);
  }
}
