// What the hub listens to: now, and as remembered on flash for the time without a link (DESIGN §4.2 `no_interest`).
//
//   LS+ ──▶ now ──▶ remembered          LS- or a new link without it ──▶ remembered for LINGER_MS of ready link, then forgotten
//
// The linger keeps messages for a stream whose server restarts: its interest vanishes and comes back, and "not now" must not
// become "never". Source: spec/leafnode-protocol.md §13.1 (vanished interest means keep, do not send).
//
// Some subjects are wanted although no interest says so, or are wanted by a group that no interest names: unannounced.ts.

import type { Clock, Millis } from "#base/clock.ts";
import type { Disk } from "#base/disk.ts";
import { readWhole, replaceWhole } from "#base/disk.ts";
import { diskWords } from "#base/disk-words.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { InterestTrie, interestKey } from "#core/interest.ts";
import { isPassing, isReserved, isValidFilter } from "#core/subject.ts";
import type { Listening } from "#outbox/hub-view.ts";
import { isAlwaysWanted, isJetStreamApi, isSystem, isWantedByJetStream, unannouncedGroup } from "./unannounced.ts";

/** How long interest that vanished still counts as "not now" rather than "never". */
const LINGER_MS: Millis = 60_000;
/** How long after a change the file is written; changes in between are written together. */
const WRITE_AFTER_MS: Millis = 30_000;
/** Remembered entries at most. Above it, everything is taken as wanted: holding too much is bounded, dropping is not undone. */
const REMEMBERED_MAX = 10_000;
/** Entries of a hub kept in memory at most. A hub with more is taken to want everything: sending too much is no loss. */
const ENTRIES_MAX = 200_000;
const FILE_BYTES_MAX = 16 * 1024 * 1024;
const FILE_NAME = "hub-interest.json";

export interface HubInterestEntry {
  readonly filter: string;
  readonly queue: string | null;
}

interface Remembered extends HubInterestEntry {
  /** Set while the hub does not announce it any more. */
  lostAt: Millis | null;
}

export class HubInterest implements AsyncDisposable {
  readonly #directory: string;
  readonly #env: { readonly clock: Clock; readonly disk: Disk; readonly log: Log };
  readonly #onForgotten: () => void;
  readonly #now = new InterestTrie<HubInterestEntry>();
  readonly #entries = new Map<string, HubInterestEntry>();
  readonly #remembered = new Map<string, Remembered>();
  readonly #rememberedTrie = new InterestTrie<Remembered>();
  /** Announced entries of the JetStream API; none: the account has no JetStream, or the hub's is not there now. */
  #apis = 0;
  #isKnown = false;
  #isComplete = false;
  #isOverflowing = false;
  #written = "";
  #writeTimer: Disposable | undefined;
  #sweepTimer: Disposable | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    directory: string,
    env: { readonly clock: Clock; readonly disk: Disk; readonly log: Log },
    onForgotten: () => void,
  ) {
    this.#directory = directory;
    this.#env = env;
    this.#onForgotten = onForgotten;
  }

  /** Reads what is remembered. A missing, damaged or unreadable file means nothing is known: everything is held until the first link. */
  static async open(
    directory: string,
    env: { readonly clock: Clock; readonly disk: Disk; readonly log: Log },
    /** Called when lost interest has lingered long enough and is forgotten. */
    onForgotten: () => void,
  ): Promise<HubInterest> {
    const interest = new HubInterest(directory, env, onForgotten);
    try {
      const bytes = await readWhole(env.disk, interest.#path, FILE_BYTES_MAX);
      if (bytes !== undefined) interest.#load(bytes.toString("utf8"));
    } catch (error) {
      if (!isFault(error)) throw error;
      interest.#tellUnreadable(error);
    }
    return interest;
  }

  get #path(): string {
    return `${this.#directory}/${FILE_NAME}`;
  }

  /** Entries the hub announces now. */
  get size(): number {
    return this.#entries.size;
  }

  /** What the hub announces now, one filter per queue group. */
  *filters(): Iterable<string> {
    for (const { filter } of this.#entries.values()) yield filter;
  }

  /** The link is gone: nothing is wanted now, everything is remembered. */
  clear(): void {
    this.#now.clear();
    this.#entries.clear();
    this.#apis = 0;
    this.#isComplete = false;
    this.#isOverflowing = false;
    this.#sweepTimer?.[Symbol.dispose]();
    this.#sweepTimer = undefined;
  }

  /** Returns false if nothing changed (the hub repeated itself), the filter is not valid, or nothing of ours belongs there. */
  add(filter: string, queue: string | null): boolean {
    const key = interestKey(filter, queue);
    if (this.#entries.has(key) || !isValidFilter(filter) || isSystem(filter)) return false;
    if (this.#entries.size >= ENTRIES_MAX) return this.#overflow();
    const entry = { filter, queue };
    this.#entries.set(key, entry);
    this.#now.insert(filter, entry);
    if (isJetStreamApi(filter)) this.#apis += 1;
    if (!isPassing(filter)) this.#remember(key, entry);
    return true;
  }

  remove(filter: string, queue: string | null): boolean {
    const key = interestKey(filter, queue);
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    this.#now.remove(filter, entry);
    if (isJetStreamApi(filter)) this.#apis -= 1;
    const remembered = this.#remembered.get(key);
    if (remembered !== undefined) {
      remembered.lostAt = this.#env.clock.now();
      this.#armSweep();
    }
    return true;
  }

  /** The hub's initial interest has arrived whole: what is remembered and was not among it begins to linger. */
  complete(): void {
    this.#isKnown = true;
    this.#isComplete = true;
    const now = this.#env.clock.now();
    for (const [key, remembered] of this.#remembered) {
      if (!this.#entries.has(key)) remembered.lostAt = now;
    }
    this.#armSweep();
    this.#armWrite();
  }

  listening(subject: string, servedGroups: readonly string[]): Listening {
    for (const entry of this.#now.match(subject)) {
      if (entry.queue === null || !servedGroups.includes(entry.queue)) return "now";
    }
    if (this.#isOverflowing || this.#isWantedUnannounced(subject)) return "now";
    if (!this.#isKnown) return "unknown";
    if (this.#remembered.size >= REMEMBERED_MAX) return "before";
    for (const entry of this.#rememberedTrie.match(subject)) {
      if (entry.queue === null || !servedGroups.includes(entry.queue)) return "before";
    }
    return "never";
  }

  /** Queue groups that want `subject` now, less those served locally. Source: spec §11.1. */
  groups(subject: string, servedGroups: readonly string[]): readonly string[] {
    const names = new Set<string>();
    for (const { queue } of this.#now.match(subject)) if (queue !== null && !servedGroups.includes(queue)) names.add(queue);
    const hidden = unannouncedGroup(subject);
    if (hidden !== null) names.add(hidden);
    return [...names];
  }

  /** Can the hub's JetStream be asked? */
  get hasJetStream(): boolean {
    return this.#apis > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sweepTimer?.[Symbol.dispose]();
    if (this.#writeTimer !== undefined) this.#write();
    this.#writeTimer?.[Symbol.dispose]();
    await this.#writing;
  }

  #isWantedUnannounced(subject: string): boolean {
    if (!isReserved(subject)) return false;
    return (this.#isComplete && isAlwaysWanted(subject)) || (this.hasJetStream && isWantedByJetStream(subject));
  }

  #overflow(): boolean {
    if (this.#isOverflowing) return false;
    this.#isOverflowing = true;
    this.#env.log.warn(
      `the hub listens to more than ${ENTRIES_MAX} subjects; everything is sent to it. Is the link isolated (isolated: true, hub 2.12 or newer)?`,
    );
    return true;
  }

  #remember(key: string, entry: HubInterestEntry): void {
    const known = this.#remembered.get(key);
    if (known !== undefined) {
      known.lostAt = null;
      return;
    }
    if (this.#remembered.size >= REMEMBERED_MAX) return;
    const remembered = { ...entry, lostAt: null };
    this.#remembered.set(key, remembered);
    this.#rememberedTrie.insert(entry.filter, remembered);
    if (this.#isComplete) this.#armWrite();
  }

  #armSweep(): void {
    if (this.#sweepTimer !== undefined || !this.#isComplete) return;
    this.#sweepTimer = this.#env.clock.after(LINGER_MS, () => {
      this.#sweepTimer = undefined;
      this.#sweep();
    });
  }

  #sweep(): void {
    const now = this.#env.clock.now();
    let forgotten = 0;
    let lingering = 0;
    for (const [key, remembered] of this.#remembered) {
      if (remembered.lostAt === null) continue;
      if (now - remembered.lostAt < LINGER_MS) {
        lingering += 1;
        continue;
      }
      this.#remembered.delete(key);
      this.#rememberedTrie.remove(remembered.filter, remembered);
      forgotten += 1;
    }
    if (lingering > 0) this.#armSweep();
    if (forgotten === 0) return;
    this.#armWrite();
    this.#onForgotten();
  }

  #load(text: string): void {
    try {
      const entries: unknown = JSON.parse(text);
      if (!Array.isArray(entries)) throw new Error("not a list");
      for (const entry of entries) {
        const [filter, queue] = Array.isArray(entry) ? entry : [];
        if (typeof filter !== "string" || !(queue === null || typeof queue === "string") || !isValidFilter(filter))
          throw new Error("not a list of filters");
        this.#remember(interestKey(filter, queue), { filter, queue });
      }
      this.#isKnown = true;
      this.#written = text;
    } catch (error) {
      this.#remembered.clear();
      this.#rememberedTrie.clear();
      this.#tellUnreadable(error);
    }
  }

  #tellUnreadable(error: unknown): void {
    const words = diskWords(error);
    this.#env.log.warn(
      `the remembered hub interest ${this.#path} ${words?.found ?? "is unreadable"}; everything is kept until the hub tells it anew${words === undefined ? "" : `. To mend: ${words.remedy}`}`,
      { file: this.#path, error: explain(error) },
    );
  }

  #armWrite(): void {
    this.#writeTimer ??= this.#env.clock.after(WRITE_AFTER_MS, () => this.#write());
  }

  /** Writes only what differs from the file: a hub that restarts with the same interest costs the card nothing. */
  #write(): void {
    this.#writeTimer?.[Symbol.dispose]();
    this.#writeTimer = undefined;
    const entries = [...this.#remembered.values()].map(({ filter, queue }) => [filter, queue] as const);
    const text = JSON.stringify(entries.sort((a, b) => (interestKey(...a) < interestKey(...b) ? -1 : 1)));
    if (text === this.#written) return;
    this.#written = text;
    this.#writing = this.#writing
      .then(() => replaceWhole(this.#env.disk, this.#directory, FILE_NAME, Buffer.from(text, "utf8")))
      .catch((error: unknown) => {
        this.#written = "";
        this.#env.log.warn("cannot write the remembered hub interest; trying again with its next change", {
          error: explain(error),
        });
      });
  }
}
