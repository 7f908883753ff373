// One file of a segment that is done with, kept for the next segment: bytes that are overwritten in their place cost the card a third of
// what a file costs that grows (README.md, Numbers).
//
//   segment freed ──▶ renamed `spare` ──▶ renamed as the next segment, folder synced ──▶ overwritten from its beginning
//                        └─ room is wanted, the journal is closed, the next start ──▶ removed
//
// What the earlier life left behind the new records is never taken for records: checksums start from the salt of the segment, and
// the salts differ; a file whose header is of another segment than its name was never begun (examine.ts). The folder is synced before the
// first byte is overwritten, so no power cut brings the old name back over new bytes. A spare never outlives its process.
// Tests: test/unit/journal/spare.test.ts

import { type Disk, removeIfThere } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import type { Segment } from "./segment.ts";

export const SPARE_NAME = "spare";

/** Longer files, by segments, are not kept: they held a single large append. */
const SEGMENTS_MAX = 2;

export class Spare {
  /** Length of the file; 0: there is none. */
  bytes = 0;
  readonly #options: { readonly directory: string; readonly segmentBytes: number };
  readonly #onlyOf: number | null;
  readonly #env: { readonly disk: Disk; readonly log: Log };

  /** `onlyOf`: the start of the journal in which a segment must be born, if what is kept must be encrypted. */
  constructor(
    options: { readonly directory: string; readonly segmentBytes: number },
    onlyOf: number | null,
    env: { readonly disk: Disk; readonly log: Log },
  ) {
    this.#options = options;
    this.#onlyOf = onlyOf;
    this.#env = env;
  }

  get #path(): string {
    return `${this.#options.directory}/${SPARE_NAME}`;
  }

  /** Keeps the file of a segment that is done with, and that the cursor says is. False: it is to be removed. */
  async tryKeep({ name, header, fileBytes }: Segment): Promise<boolean> {
    const { directory, segmentBytes } = this.#options;
    if (fileBytes <= this.bytes || fileBytes > segmentBytes * SEGMENTS_MAX) return false;
    if (this.#onlyOf !== null && header.epoch !== this.#onlyOf) return false;
    try {
      await this.#env.disk.rename(`${directory}/${name}`, this.#path); // in the place of a shorter one
      this.bytes = fileBytes;
      return true;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#env.log.debug("journal: a segment that is done with could not be kept for the next", { name, error: explain(error) });
      return false;
    }
  }

  /** Gives the file the name of a new segment, durably. Returns its length; 0: there is none. Rejects with the system's fault. */
  async become(name: string): Promise<number> {
    const { bytes } = this;
    if (bytes === 0) return 0;
    const { directory } = this.#options;
    this.bytes = 0; // whatever comes of it
    await this.#env.disk.rename(this.#path, `${directory}/${name}`);
    await this.#env.disk.syncDirectory(directory);
    return bytes;
  }

  /** Gives its room back. A disk that refuses is asked again at the next start. Returns the bytes. */
  async remove(): Promise<number> {
    const { bytes } = this;
    if (bytes === 0) return 0;
    this.bytes = 0;
    try {
      await removeIfThere(this.#env.disk, this.#path);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#env.log.debug("journal: the spare file could not be removed; the next start does", { error: explain(error) });
    }
    return bytes;
  }
}
