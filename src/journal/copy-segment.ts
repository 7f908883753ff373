// Writes a segment anew without the records that somebody gives up, so that a full card keeps more of what matters.
//
//   0000000007-3-9f1c22ab.seg        the old one, read
//   0000000007-3-51d07e30.seg.new    the copy: same number, epoch, first seq, boot; a salt and a seed of its own; generation + 1
//   0000000007-3-51d07e30.seg        synced, renamed, folder synced: only then the old one is removed
//
// While both are there the old one counts (recovery.ts), so a power cut at any moment leaves either all of it or what was kept.
// Readers in the midst of the old file go on in the new one by seq. Bytes that are not good are not copied over: with any damage the old
// file stays as it is. Tests: test/unit/journal/rewrite.test.ts

import { type Disk, type DiskFile, removeIfThere } from "#base/disk.ts";
import type { Entropy } from "#base/entropy.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { measureAppend } from "./appender.ts";
import { changeFailed } from "./errors.ts";
import { GroupWriter } from "./group-writer.ts";
import { recordBytes, recordSeq } from "./record.ts";
import { Segment } from "./segment.ts";
import { encodeHeader, SEED_BYTES, SEGMENT_START, SEGMENT_VERSION } from "./segment-header.ts";
import { LAID_OUT_BYTES_MAX, SegmentScanner } from "./segment-scanner.ts";
import type { Vault } from "./vault.ts";

const WINDOW_BYTES = 256 * 1024;

/** Decides about the record at `at` of the slab. */
export type Keep = (slab: Buffer, at: number, epoch: number, boot: string | null) => boolean;

export interface CopyOptions {
  readonly directory: string;
  readonly segment: Segment;
  /** Records up to here are not asked about, and not copied. */
  readonly freedThrough: number;
  /** The copy is not needed any more. */
  readonly isUnwanted: () => boolean;
  readonly keep: Keep;
  readonly vault: Vault;
}

export interface RewriteEnv {
  readonly disk: Disk;
  readonly entropy: Entropy;
  readonly log: Log;
}

export interface Copied {
  /** Holds what was kept; its file is durable under the name `segment.name` + ".new". undefined: nothing was kept, there is no file. */
  readonly successor: Segment | undefined;
  /** Seqs of the records refused, rising. */
  readonly refused: readonly number[];
}

/** undefined: nothing to be gained, or it cannot be read without loss; no file is left. Rejects with a JournalError if the disk refuses. */
export async function copySegment(options: CopyOptions, env: RewriteEnv): Promise<Copied | undefined> {
  const { directory, segment } = options;
  const header = {
    ...segment.header,
    version: SEGMENT_VERSION,
    salt: env.entropy.bytes(4).readUInt32LE(0),
    seed: env.entropy.bytes(SEED_BYTES),
    generation: segment.header.generation + 1,
    staleBytes: 0,
  };
  const successor = new Segment(header);
  if (successor.name === segment.name) return undefined; // of 2^32 salts the same: another time
  const path = `${directory}/${successor.name}.new`;
  let isFinished = false;
  try {
    await removeIfThere(env.disk, path);
    await using target = await env.disk.open(path, "create");
    await target.write(encodeHeader(header), 0);
    const refused = await copyRecords(options, env, successor, target);
    if (refused === undefined || refused.length === 0) return undefined;
    await target.datasync();
    isFinished = successor.records > 0;
    successor.know(options.freedThrough, successor.records);
    successor.isRewritten = true;
    return { successor: isFinished ? successor : undefined, refused };
  } catch (error) {
    if (!isFault(error)) throw error;
    throw changeFailed("JOURNAL_REWRITE_FAILED", `journal ${directory}: writing ${segment.name} anew`, error);
  } finally {
    if (!isFinished) await removeCopy(path, env);
  }
}

/** Gives the copy its name, durably, or takes it away again. Returns the segment that stands now, if any. */
export async function settleCopy(
  directory: string,
  { successor }: Copied,
  isWanted: boolean,
  env: RewriteEnv,
): Promise<Segment | undefined> {
  if (successor === undefined) return undefined;
  const path = `${directory}/${successor.name}`;
  if (!isWanted) {
    await removeCopy(`${path}.new`, env);
    return undefined;
  }
  try {
    await env.disk.rename(`${path}.new`, path);
    await env.disk.syncDirectory(directory);
    return successor;
  } catch (error) {
    await removeCopy(`${path}.new`, env);
    await removeCopy(path, env);
    if (!isFault(error)) throw error;
    throw changeFailed("JOURNAL_REWRITE_FAILED", `journal ${directory}: putting ${successor.name} in its place`, error);
  }
}

/** Copies what is kept, and returns the seqs of what is not; undefined: the copy would not be whole. */
async function copyRecords(
  { directory, segment, freedThrough, isUnwanted, keep, vault }: CopyOptions,
  { disk }: RewriteEnv,
  successor: Segment,
  target: DiskFile,
): Promise<number[] | undefined> {
  const { epoch, boot } = segment.header;
  const refused: number[] = [];
  const seal = vault.sealFor(successor.header);
  const writer = new GroupWriter(vault.packer);
  const reader = vault.readerFor(segment.header);
  const scratch = Buffer.allocUnsafeSlow(LAID_OUT_BYTES_MAX);
  await using source = await disk.open(`${directory}/${segment.name}`, "read");
  const scanner = new SegmentScanner({
    read: (slab, position) => source.read(slab, position),
    format: segment.format,
    salt: segment.header.salt,
    checksum: vault.checksum,
    windowBytes: WINDOW_BYTES,
    slab: Buffer.allocUnsafeSlow(WINDOW_BYTES),
  });
  for (let run = await scanner.next(segment.endBytes); run !== undefined; run = await scanner.next(segment.endBytes)) {
    if (run.is === "bad" || isUnwanted()) return undefined;
    const { slab, start, end, bad } = reader.layOut(run, scratch);
    if (bad.length > 0) return undefined;
    let to = start;
    let count = 0;
    for (let at = start; at < end; ) {
      const bytes = recordBytes(slab, at);
      const seq = recordSeq(slab, at);
      if (seq > freedThrough) {
        if (keep(slab, at, epoch, boot)) {
          if (to < at) slab.copyWithin(to, at, at + bytes);
          to += bytes;
          count += 1;
        } else refused.push(seq);
      }
      at += bytes;
    }
    if (count === 0) continue;
    const place = { salt: successor.header.salt, offset: successor.endBytes, seal };
    const groups = writer.encode(slab, start, to, place);
    await target.write(groups, successor.endBytes);
    successor.grow({ ...measureAppend(slab, start, to, count, 0), bytes: groups.length });
  }
  return successor.endBytes > SEGMENT_START || refused.length > 0 ? refused : undefined;
}

async function removeCopy(path: string, env: RewriteEnv): Promise<void> {
  try {
    await removeIfThere(env.disk, path);
  } catch (error) {
    env.log.debug("journal: a copy that is not needed could not be removed; the next start does", {
      path,
      error: explain(error),
    });
  }
}
