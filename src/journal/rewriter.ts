// Replaces segments by copies without the records that somebody gives up. The copying goes on beside the appends; only the change of
// places waits its turn among them.
//
//   oldest that is old enough ──copy──▶ N.seg.new ──in the queue──▶ told of, renamed, in its place; the old one removed
//                                          └── freed, dropped, closed meanwhile: removed again
//
// Tests: test/unit/journal/rewrite.test.ts

import { assert } from "#base/assert.ts";
import { explain, isFault } from "#base/errors.ts";
import { type Copied, copySegment, type Keep, type RewriteEnv, settleCopy } from "./copy-segment.ts";
import type { Segment } from "./segment.ts";
import type { Shelf } from "./shelf.ts";
import type { Vault } from "./vault.ts";

/** What a rewriter needs of its journal. */
export interface RewriterHost {
  readonly freedThrough: number;
  readonly isClosing: boolean;
  isActive(segment: Segment): boolean;
  /** Runs `task` when everything else that writes has had its turn. */
  exclusively<T>(task: () => Promise<T>): Promise<T>;
  /** The shelf has changed: files are to be removed. In its turn already. */
  onReplaced(): Promise<void>;
}

export interface GivenUp {
  readonly fromSeq: number;
  readonly throughSeq: number;
  readonly records: number;
  readonly bytes: number;
}

export class Rewriter {
  readonly #shelf: Shelf;
  readonly #vault: Vault;
  readonly #directory: string;
  readonly #env: RewriteEnv;
  readonly #host: RewriterHost;
  #running: Promise<GivenUp | undefined> | undefined;

  constructor(shelf: Shelf, vault: Vault, directory: string, env: RewriteEnv, host: RewriterHost) {
    this.#shelf = shelf;
    this.#vault = vault;
    this.#directory = directory;
    this.#env = env;
    this.#host = host;
  }

  /** Resolves when nothing is being rewritten; never rejects. */
  get finished(): Promise<void> {
    const ignore = () => undefined; // the asker hears of it
    return (this.#running ?? Promise.resolve()).then(ignore, ignore);
  }

  async rewriteOldest(
    isOld: (newestTime: number, boot: string | null) => boolean,
    keep: Keep,
    onDoomed: ((doomed: GivenUp) => Promise<boolean>) | undefined,
  ): Promise<GivenUp | undefined> {
    assert(this.#running === undefined, "a journal is asked to rewrite twice at once");
    const segment = this.#shelf.find(
      (each) => !each.isRewritten && !this.#host.isActive(each) && isOld(each.newestTime, each.header.boot),
    );
    if (segment === undefined) return undefined;
    this.#running = this.#rewrite(segment, keep, onDoomed);
    try {
      return await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  async #rewrite(segment: Segment, keep: Keep, onDoomed: ((doomed: GivenUp) => Promise<boolean>) | undefined): Promise<GivenUp> {
    segment.isRewritten = true; // also if it fails: a file that cannot be copied now is not tried again and again
    const options = {
      directory: this.#directory,
      segment,
      freedThrough: this.#host.freedThrough,
      isUnwanted: () => segment.isGone || this.#host.isClosing,
      keep,
      vault: this.#vault,
    };
    const copied = await copySegment(options, this.#env);
    if (copied === undefined) return nothingOf(segment);
    return await this.#host.exclusively(() => this.#replace(segment, copied, onDoomed));
  }

  /** The copy takes the segment's place, unless that was freed or dropped while it was made. */
  async #replace(
    segment: Segment,
    copied: Copied,
    onDoomed: ((doomed: GivenUp) => Promise<boolean>) | undefined,
  ): Promise<GivenUp> {
    let isWanted = !segment.isGone && !this.#host.isClosing;
    if (isWanted && (await onDoomed?.(this.#count(segment, copied))) === false) {
      isWanted = false;
      segment.isRewritten = false; // another time
    }
    const successor = await settleCopy(this.#directory, copied, isWanted, this.#env);
    if (!isWanted) return nothingOf(segment);
    const givenUp = this.#count(segment, copied);
    const isReplaced = this.#shelf.replace(segment, successor);
    if (!isReplaced && successor !== undefined) this.#shelf.retire(successor); // all of it was freed in the last moment
    await this.#host.onReplaced();
    await this.#settleRemoval();
    return isReplaced ? givenUp : nothingOf(segment);
  }

  /** A power cut must not bring back what was told to be given up. */
  async #settleRemoval(): Promise<void> {
    try {
      await this.#env.disk.syncDirectory(this.#directory);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#env.log.warn("journal: a segment that was rewritten may be back after a power cut", { error: explain(error) });
    }
  }

  /** What is lost by it; what was freed meanwhile is not. */
  #count(segment: Segment, { refused, successor }: Copied): GivenUp {
    const seqs = refused.filter((seq) => seq > this.#host.freedThrough);
    const bytes = segment.endBytes - (successor?.endBytes ?? 0);
    return { fromSeq: seqs[0] ?? segment.firstSeq, throughSeq: seqs.at(-1) ?? segment.lastSeq, records: seqs.length, bytes };
  }
}

function nothingOf(segment: Segment): GivenUp {
  return { fromSeq: segment.firstSeq, throughSeq: segment.lastSeq, records: 0, bytes: 0 };
}
