// What the MQTT broker keeps, in memory: staged until `commit`, lost in a `cut`. The store on flash has tests of its own.
//
//   const keeping = new MemoryKeeping();      every change is safe a turn later
//   keeping.isHeld = true;                    nothing is safe until the test says `commit`
//   const next = keeping.cut();               what a new life finds after a power cut

import type { Keeping, Mark } from "#ingress/mqtt/keeping.ts";

export class MemoryKeeping implements Keeping {
  safe: Mark = 0;
  isFull = false;
  isHeld = false;
  /** Changes that reached the flash. */
  written = 0;
  readonly #durable: Map<string, Buffer>;
  readonly #staged = new Map<string, { readonly value: Buffer | null; readonly isLazy: boolean }>();
  readonly #watchers = new Set<(safe: Mark) => void>();
  #mark: Mark = 0;
  #isDue = false;

  constructor(durable: ReadonlyMap<string, Buffer> = new Map()) {
    this.#durable = new Map(durable);
  }

  put(key: string, value: Buffer, urgency: "soon" | "lazy"): Mark {
    return this.#stage(key, value, urgency === "lazy");
  }

  delete(key: string, urgency: "soon" | "lazy"): Mark {
    if (!this.#durable.has(key)) {
      this.#staged.delete(key);
      this.#mark += 1;
      this.#later();
      return this.#mark;
    }
    return this.#stage(key, null, urgency === "lazy");
  }

  watch(onSafe: (safe: Mark) => void): Disposable {
    this.#watchers.add(onSafe);
    return { [Symbol.dispose]: () => void this.#watchers.delete(onSafe) };
  }

  *entries(prefix: string): Iterable<readonly [string, Buffer]> {
    for (const [key, value] of this.#durable) if (key.startsWith(prefix)) yield [key, value];
  }

  /** All keys there are, durable or staged, in order. */
  get keys(): readonly string[] {
    const keys = new Set(this.#durable.keys());
    for (const [key, { value }] of this.#staged)
      if (value === null) keys.delete(key);
      else keys.add(key);
    return [...keys].sort();
  }

  /** The group commit: everything staged is durable. */
  commit(): void {
    for (const [key, { value }] of this.#staged) {
      this.written += 1;
      if (value === null) this.#durable.delete(key);
      else this.#durable.set(key, value);
    }
    this.#staged.clear();
    this.safe = this.#mark;
    for (const watcher of [...this.#watchers]) watcher(this.safe);
  }

  /** The power goes, now: what was not committed is gone. */
  cut(): MemoryKeeping {
    return new MemoryKeeping(this.#durable);
  }

  #stage(key: string, value: Buffer | null, isLazy: boolean): Mark {
    this.#staged.set(key, { value, isLazy });
    this.#mark += 1;
    this.#later();
    return this.#mark;
  }

  #later(): void {
    if (this.isHeld || this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (!this.isHeld) this.commit();
    });
  }
}
