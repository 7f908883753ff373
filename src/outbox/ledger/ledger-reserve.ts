// Room on the disk that is the ledger's whatever happens: where nothing else can be written any more, what is displaced still can.
//
//   there is room ──▶ ledger.reserve, 64 KiB ──▶ the ledger finds no space ──▶ removed: its lines have the room
//                          ▲                                                              │
//                          └────────────────── there is room again ───────────────────────┘
//
// Tests: test/unit/outbox/ledger/ledger-file.test.ts, test/integration/outbox-full-disk.test.ts

import { type Disk, removeIfThere } from "#base/disk.ts";
import { isFault, systemCode } from "#base/errors.ts";

const NAME = "ledger.reserve";
const RESERVE_BYTES = 64 * 1024;
/** Not made where less than this would be left to others: what made room for it must gain some, too. */
const ROOM_BYTES = RESERVE_BYTES;

export class LedgerReserve {
  /** undefined: nobody has looked yet. */
  #isThere: boolean | undefined;
  readonly #disk: Disk;
  readonly #directory: string;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  get isThere(): boolean {
    return this.#isThere === true;
  }

  /** Makes it, if it is not there and there is room. Never rejects: without it the ledger does what it can. */
  async make(): Promise<void> {
    if (this.#isThere === true) return;
    try {
      if (this.#isThere === undefined && (await this.#isWhole())) {
        this.#isThere = true;
        return;
      }
      this.#isThere = false;
      const { freeBytes } = await this.#disk.space(this.#directory);
      if (freeBytes < RESERVE_BYTES + ROOM_BYTES) return;
      await removeIfThere(this.#disk, this.#path); // half of one
      {
        await using file = await this.#disk.open(this.#path, "create");
        await file.write(noise(), 0);
        await file.datasync();
      }
      await this.#disk.syncDirectory(this.#directory);
      this.#isThere = true;
    } catch (error) {
      if (!isFault(error)) throw error; // a disk that refuses this refuses the ledger, too, which says so
    }
  }

  /** True: there is more room than before. */
  async release(): Promise<boolean> {
    try {
      await this.#disk.remove(this.#path);
    } catch (error) {
      if (!isFault(error)) throw error;
      if (systemCode(error) === "ENOENT") this.#isThere = false;
      return false;
    }
    this.#isThere = false;
    return true;
  }

  get #path(): string {
    return `${this.#directory}/${NAME}`;
  }

  async #isWhole(): Promise<boolean> {
    try {
      await using file = await this.#disk.open(this.#path, "read");
      return (await file.size()) === RESERVE_BYTES;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return false;
      throw error;
    }
  }
}

/** A file system that compresses must not make it small. */
function noise(): Buffer {
  const bytes = Buffer.allocUnsafe(RESERVE_BYTES);
  for (let i = 0, state = 1; i < RESERVE_BYTES; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
