// A store on a disk in memory and a clock turned by hand.

import { createLog, type LogLine } from "#base/log.ts";
import { openStore } from "#store/open-store.ts";
import { STORE_BYTES_MIN, type StoreOptions, storeDefaults } from "#store/options.ts";
import type { Store } from "#store/store.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { seededRandom } from "../../support/seeded-random.ts";

export const FOLDER = "/data/store";

export class StoreRig {
  readonly disk: FakeDisk;
  readonly clock = new FakeClock();
  readonly lines: LogLine[] = [];
  readonly options: StoreOptions;
  readonly #random = seededRandom(4711);

  constructor(options: Partial<StoreOptions> = {}, disk = new FakeDisk({ seed: 5 })) {
    this.disk = disk;
    this.options = { ...storeDefaults(), maxBytes: STORE_BYTES_MIN, freeReserve: 0, ...options };
  }

  async open(options: Partial<StoreOptions> = {}): Promise<Store> {
    const bytes = (count: number) => Buffer.from(Array.from({ length: count }, () => Math.floor(this.#random() * 256)));
    const entropy = { random: this.#random, bytes };
    const log = createLog(this.clock, "debug", (line) => this.lines.push(line));
    const env = { clock: this.clock, disk: this.disk.mount(), entropy, log };
    return await openStore(FOLDER, { ...this.options, ...options }, env, new AbortController().signal);
  }

  /** Lets a group commit come and go. */
  async commit(): Promise<void> {
    await this.clock.pass(this.options.commitIntervalMs + 1);
    await turn();
  }

  errors(): string[] {
    return this.lines.filter(({ level }) => level === "error").map(({ message }) => message);
  }
}

export function contents(store: Store, prefix = ""): Record<string, string> {
  return Object.fromEntries(Array.from(store.entries(prefix), ([key, value]) => [key, value.toString("latin1")]));
}

export function bytesOf(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
