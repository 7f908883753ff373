// A store on a disk that loses its power again and again, and a notebook of what it promised.
//
//   turn 1: put a, put b     turn 2: remove a     turn 3: put b     …     ✂      found: the keys as they were after some turn,
//           └─ states: {a b}         {b}                  {b'}                   and not an earlier one than what was safe
//
// Everything is drawn from the seed: keys, sizes, faults of the disk, and the moment of each cut.

import assert from "node:assert/strict";
import type { Disk } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { openStore } from "#store/open-store.ts";
import { STORE_BYTES_MIN, storeDefaults } from "#store/options.ts";
import type { CommitUrgency, Mark, Store } from "#store/store.ts";
import { FakeClock, turn } from "../support/fake-clock.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { seededRandom } from "../support/seeded-random.ts";

const FOLDER = "/data/store";
const SIGNAL = new AbortController().signal;

/** Values by key, as text: what is compared. */
type State = ReadonlyMap<string, string>;

interface Turn {
  readonly state: State;
  /** Of its last change. */
  readonly mark: Mark;
  /** All that it did was to delete these; null: it did something else, too. */
  readonly onlyDeleted: ReadonlySet<string> | null;
}

export class StoreWorld {
  readonly disk: FakeDisk;
  readonly clock = new FakeClock();
  cuts = 0;
  turns = 0;
  /** Turns that were safe when the power went, and those that were found all the same. */
  safeTurns = 0;
  copiedBytes = 0;
  committedBytes = 0;
  failedCommits = 0;
  cancelled = 0;
  /** Lives that failed to be synced and were killed right then, and those that could not make durable what they had found, for a while. */
  killedUnsynced = 0;
  doubtful = 0;
  readonly #random: () => number;
  readonly #key: Buffer | null;
  /** Since the start of this life; the first is what was found. */
  #history: Turn[] = [];
  /** The last turn in it that is known to be safe. */
  #first = 0;
  #state = new Map<string, string>();
  #writing = 0;
  /** What is there of the journal's segments cannot be written to. */
  #isStubborn = false;

  readonly #spoil: (disk: Disk) => Disk;

  /** `spoil`: what is done to the disk of each life. */
  constructor(seed: number, spoil: (disk: Disk) => Disk = (disk) => disk) {
    this.#spoil = spoil;
    this.#random = seededRandom(seed);
    this.disk = new FakeDisk({ seed });
    this.#key = seed % 3 === 0 ? Buffer.alloc(32, 7) : null;
  }

  /** Opens, checks what is there, works for a while, and loses the power (or is killed, or closes) somewhere. */
  async live(turns: number): Promise<void> {
    this.#isStubborn = this.#chance(0.1);
    const store = await this.#open();
    const found = this.#found(store);
    const before = { history: this.#history, first: this.#first };
    if (store.found > store.safe) this.doubtful += 1;
    this.#checkFound(found);
    this.#state = new Map(found);
    this.#history = [{ state: found, mark: 0, onlyDeleted: null }];
    this.#first = 0;
    if (this.#chance(0.5)) store.release();
    let heard: Mark = 0;
    let told = 0;
    using _watch = store.watch((safe) => {
      assert.ok(safe > heard, "safe only rises");
      heard = safe;
      told += 1;
    });
    const ending = this.#chance(0.7) ? "strike" : this.#chance(0.5) ? "cut" : "close";
    const struck = Promise.withResolvers<void>();
    let isStruck = false;
    this.disk.onStrike = () => {
      isStruck = true;
      struck.resolve();
    };
    if (ending === "strike") this.disk.strikeAfter(1 + this.#below(turns * 6), this.#chance(0.8) ? "power" : "kill");
    for (let i = 0; i < turns && !isStruck; i++) {
      this.#faults();
      const before = store.safe;
      const done = this.#turn(store);
      assert.ok(store.safe >= before);
      if (done !== undefined) this.#history.push(done);
      if (this.#chance(0.4)) await this.clock.pass(this.#below(40));
      else if (this.#chance(0.3)) await turn();
      if (this.#chance(0.03)) await this.clock.pass(11_000);
      assert.ok(told <= store.status().commits + this.turns + i + 1, "watchers are told once a commit or a turn");
    }
    this.#calm();
    // What is known to be safe at the moment of the cut is what counts, not what becomes safe later in a dead store.
    const { safe } = store;
    if (ending === "close") {
      const last = store.status().fault === null;
      await store[Symbol.asyncDispose]();
      // A store that closes writes what is staged, lazy or not, unless the disk was at fault up to then.
      this.#noteSafe(last && !isStruck ? Number.MAX_SAFE_INTEGER : safe);
      if (this.#chance(0.5)) this.disk.powerCut();
    } else {
      if (!isStruck) this.disk.powerCut();
      this.#noteSafe(safe);
      await this.clock.pass(50);
      await store[Symbol.asyncDispose](); // of a dead disk: says nothing, and leaves nothing behind
    }
    if (store.safe < store.found) {
      // What was found was never called safe: the power may have taken it away, with all that came after it.
      this.#history = [...before.history.slice(before.first), ...this.#history];
      this.#first = 0;
    }
    this.disk.strikeAfter(undefined);
    this.disk.onStrike = undefined;
    this.cuts += 1;
    this.turns += this.#history.length - 1;
    const { copiedBytes, committedBytes, failedCommits } = store.status();
    this.copiedBytes += copiedBytes;
    this.committedBytes += committedBytes;
    this.failedCommits += failedCommits;
    assert.equal(this.clock.pending, 0, "a closed store has no timer");
  }

  async #open(): Promise<Store> {
    const options = {
      ...storeDefaults(),
      maxBytes: STORE_BYTES_MIN,
      freeReserve: 0,
      key: this.#key,
      isEncrypting: this.#key !== null,
    };
    const bytes = (count: number) => Buffer.from(Array.from({ length: count }, () => this.#below(256)));
    const env = { clock: this.clock, disk: this.#mount(), entropy: { random: this.#random, bytes }, log: silentLog() };
    return await openStore(FOLDER, options, env, SIGNAL);
  }

  #mount(): Disk {
    const mounted = this.#spoil(this.disk.mount());
    return {
      ...mounted,
      open: (path, mode) => {
        if (this.#isStubborn && mode === "update" && path.endsWith(".seg"))
          return Promise.reject(Object.assign(new Error("EACCES"), { code: "EACCES" }));
        return mounted.open(path, mode);
      },
    };
  }

  #found(store: Store): State {
    return new Map(Array.from(store.entries(""), ([key, value]) => [key, text(value)]));
  }

  /**
   * The state after some whole turn, none before the last that was safe. What was put, perhaps anew several times, and deleted by a turn
   * that did nothing else, may never have been there.
   */
  #checkFound(found: State): void {
    const candidates = this.#history.slice(this.#first);
    if (candidates.length === 0 || candidates.some((_, i) => this.#isAfter(this.#first + i, found))) return;
    const nearest = candidates.map(({ state, mark }) => `${mark}: ${difference(state, found)}`);
    assert.fail(`what was found is the state after no turn that may have been last:\n${nearest.join("\n")}`);
  }

  #isAfter(index: number, found: State): boolean {
    const { state } = this.#history[index]!;
    if (found.keys().some((key) => found.get(key) !== state.get(key))) return false;
    const missing = state.keys().filter((key) => !found.has(key));
    return missing.every((key) => {
      const gone = this.#history.find((turn, i) => i > index && !turn.state.has(key));
      return gone?.onlyDeleted?.has(key) === true;
    });
  }

  #noteSafe(safe: Mark): void {
    this.#first = Math.max(
      0,
      this.#history.findLastIndex(({ mark }) => mark <= safe),
    );
    this.safeTurns += this.#first;
  }

  #turn(store: Store): Turn | undefined {
    let mark: Mark = 0;
    const onlyDeleted = new Set<string>();
    let hasPut = false;
    for (let n = this.#below(5); n > 0; n--) {
      const urgency: CommitUrgency = this.#chance(0.6) ? "soon" : "lazy";
      const key = this.#chance(0.5) ? `often ${this.#below(4)}` : `seldom ${this.#below(60)}`;
      if (this.#chance(0.35)) {
        mark = store.delete(key, urgency);
        this.#state.delete(key);
        onlyDeleted.add(key);
        continue;
      }
      const value = this.#value();
      mark = store.put(key, value, urgency);
      this.#state.set(key, text(value));
      hasPut = true;
      if (this.#chance(0.15)) {
        mark = store.delete(key, urgency);
        this.#state.delete(key);
        this.cancelled += 1;
      }
    }
    return mark === 0 ? undefined : { state: new Map(this.#state), mark, onlyDeleted: hasPut ? null : onlyDeleted };
  }

  #value(): Buffer {
    const length = this.#chance(0.1) ? this.#below(60_000) : this.#chance(0.02) ? 150_000 : this.#below(300);
    this.#writing += 1;
    return Buffer.alloc(length + 8, `${this.#writing}.`);
  }

  #faults(): void {
    const { faults } = this.disk;
    const dice = this.#random();
    if (dice < 0.02) faults.failWriteIn = 1 + this.#below(3);
    else if (dice < 0.04) faults.failDatasyncIn = 1 + this.#below(3);
    else if (dice < 0.05) faults.failSyncDirectoryIn = 1;
    else if (dice < 0.06) faults.isReadOnly = true;
    else if (dice < 0.07) this.disk.totalBytes = this.disk.usedBytes + this.#below(2000);
    else if (dice < 0.075) {
      // Before it can take away what could not be synced, most often.
      faults.failDatasyncIn = 1;
      this.disk.strikeAfter(2 + this.#below(4), "kill");
      this.killedUnsynced += 1;
    } else if (dice < 0.2) this.#calm();
  }

  #calm(): void {
    const { faults } = this.disk;
    this.#isStubborn = false;
    faults.failWriteIn = undefined;
    faults.failDatasyncIn = undefined;
    faults.failSyncDirectoryIn = undefined;
    faults.isReadOnly = false;
    this.disk.totalBytes = 64 * 1024 ** 3;
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}

/** Enough of a value to know it by. */
function text(value: Buffer): string {
  return `${value.length}:${value.toString("latin1", 0, 12)}:${value.toString("latin1", Math.max(0, value.length - 4))}`;
}

function difference(wanted: State, found: State): string {
  const keys = [...new Set([...wanted.keys(), ...found.keys()])].filter((key) => wanted.get(key) !== found.get(key));
  return keys
    .slice(0, 4)
    .map((key) => `${key} ${wanted.get(key)?.slice(0, 20)} → ${found.get(key)?.slice(0, 20)}`)
    .join("; ");
}
