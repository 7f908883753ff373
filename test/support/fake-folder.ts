// One folder of the fake disk (fake-disk.ts): the names everybody sees, and those a power cut would leave.

import type { Inode } from "./fake-file.ts";

export type Entry = Inode | Folder;

type NameChange =
  | { readonly kind: "set"; readonly name: string; readonly entry: Entry }
  | { readonly kind: "rename"; readonly from: string; readonly name: string; readonly entry: Entry }
  | { readonly kind: "remove"; readonly name: string };

export class Folder {
  now = new Map<string, Entry>();
  durable = new Map<string, Entry>();
  #unsynced: NameChange[] = [];

  change(change: NameChange): void {
    apply(this.now, change);
    this.#unsynced.push(change);
  }

  sync(): void {
    this.durable = new Map(this.now);
    this.#unsynced = [];
  }

  /** The process is gone, the system is not. */
  evict(random: () => number): void {
    for (const entry of this.now.values()) entry.evict(random);
  }

  /** The power is gone: keeps some of the unsynced names, then looks after all that is left. A file may have two names now. */
  settle(random: () => number, seen: Set<Entry>): void {
    const fate = random();
    for (const change of this.#unsynced) {
      const isLost = fate < 0.25 || (fate > 0.5 && random() < 0.5); // a quarter loses all, a quarter keeps all, half is mixed
      if (!isLost) apply(this.durable, change);
    }
    this.now = new Map(this.durable);
    this.#unsynced = [];
    for (const entry of this.now.values()) {
      if (seen.has(entry)) continue;
      seen.add(entry);
      if (entry instanceof Folder) entry.settle(random, seen);
      else entry.settle(random);
    }
  }
}

function apply(names: Map<string, Entry>, change: NameChange): void {
  if (change.kind === "remove") names.delete(change.name);
  else names.set(change.name, change.entry);
  if (change.kind === "rename" && names.get(change.from) === change.entry) names.delete(change.from);
}
