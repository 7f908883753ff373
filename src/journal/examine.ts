// Reads one segment from beginning to end, as recovery finds it, and says what is in it. Changes nothing on the disk.

import type { Disk, DiskFile } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import { DamageList } from "./damage.ts";
import { recordBytes, recordSeq } from "./record.ts";
import { salvageRead } from "./salvage-read.ts";
import { Segment } from "./segment.ts";
import {
  headerFromName,
  inspectHeader,
  isHeaderOf,
  SEGMENT_HEADER_BYTES_MAX,
  SEGMENT_VERSION,
  type SegmentHeader,
  type SegmentIdentity,
} from "./segment-header.ts";
import { SegmentScanner, type UnitRun } from "./segment-scanner.ts";
import type { Vault } from "./vault.ts";

const COUNT_WINDOW_BYTES = 256 * 1024;

export interface Examined {
  readonly is: "segment";
  readonly segment: Segment;
  /** undefined: rotten, what is known comes from the file's name. */
  readonly header: SegmentHeader | undefined;
  readonly fileBytes: number;
  /** Records above `freedThrough` and below `seqEnd`, counted. */
  readonly live: number;
  readonly damage: DamageList;
  /** Where it was damaged, whatever becomes of that later. */
  readonly bad: readonly { readonly from: number; readonly to: number }[];
  /** Offset of the last unit that began an append, -1 if there is none. */
  readonly lastAppendAt: number;
  /** The disk refused to read parts of it: not rot, it may come back. */
  readonly refusals: number;
  /** Encrypted, and not with the key we have: its numbers are known, its records are not to be had. */
  readonly isSealed: boolean;
}

export type Examination =
  | Examined
  /** The file was given to a new segment, and the power went before that had begun: nothing in it counts. */
  | { readonly is: "unborn" }
  | { readonly is: "newer"; readonly version: number }
  | { readonly is: "unreadable"; readonly reason: string };

export interface ExamineOptions {
  readonly name: string;
  readonly identity: SegmentIdentity;
  readonly freedThrough: number;
  /** Records from here on stand in a later segment: those count, these do not, nor does a group that reaches as far. */
  readonly seqEnd: number;
  /** Highest number known to stand before this segment. */
  readonly lastSeqBefore: number;
  /** Memory to read into, used again for every segment. */
  readonly slab: Buffer;
  readonly vault: Vault;
}

export async function examineSegment(disk: Disk, directory: string, options: ExamineOptions): Promise<Examination> {
  try {
    await using file = await disk.open(`${directory}/${options.name}`, "read");
    const fileBytes = await file.size();
    const beginning = Buffer.alloc(Math.min(fileBytes, SEGMENT_HEADER_BYTES_MAX));
    const { refusals } = await salvageRead(file, beginning, 0);
    const finding = inspectHeader(beginning);
    if (finding.is === "newer") return finding;
    if (finding.is === "ours" && !isHeaderOf(finding.header, options.identity)) return { is: "unborn" };
    if (finding.is === "ours") return await examineAs(file, fileBytes, finding.header, finding.header, refusals, options);
    // The header is lost: of either format only its own units hold.
    const { identity } = options;
    const found = await examineAs(file, fileBytes, headerFromName(identity, SEGMENT_VERSION), undefined, refusals, options);
    if (found.segment.records > 0) return found;
    const old = await examineAs(file, fileBytes, headerFromName(identity, 1), undefined, refusals, options);
    return old.segment.records > 0 ? old : found;
  } catch (error) {
    if (!isFault(error)) throw error;
    return { is: "unreadable", reason: explain(error) };
  }
}

/** Bytes of bad spans at its end, but for those that its file had before it was given to this segment. */
export function unwrittenBytes(
  spans: readonly { readonly from: number; readonly to: number }[],
  { segment, fileBytes }: Examined,
): number {
  let bytes = 0;
  for (const { from, to } of spans)
    bytes += to < fileBytes ? to - from : Math.max(0, to - Math.max(from, segment.header.staleBytes));
  return bytes;
}

/** Counts the records of a segment that are not freed, by reading it, unless that is known. */
export async function countLive(
  disk: Disk,
  directory: string,
  segment: Segment,
  freedThrough: number,
  vault: Vault,
): Promise<void> {
  if (segment.isExact(freedThrough)) return;
  const found = await examineSegment(disk, directory, {
    name: segment.name,
    identity: segment.header,
    freedThrough,
    seqEnd: segment.lastSeq + 1,
    lastSeqBefore: 0,
    slab: Buffer.allocUnsafeSlow(COUNT_WINDOW_BYTES),
    vault,
  });
  if (found.is === "segment") segment.know(freedThrough, found.live);
}

async function examineAs(
  file: DiskFile,
  fileBytes: number,
  assumed: SegmentHeader,
  header: SegmentHeader | undefined,
  refusalsBefore: number,
  options: ExamineOptions,
): Promise<Examined> {
  const { freedThrough, seqEnd, vault } = options;
  const segment = new Segment({ ...assumed, number: options.identity.number }, options.name);
  segment.staleEnd = Math.min(segment.staleEnd, fileBytes);
  segment.isRewritten = header === undefined; // what a copy would need of it is lost
  const damage = new DamageList(Math.max(options.lastSeqBefore, assumed.firstSeq - 1));
  const reader = vault.readerFor(segment.header);
  let refusals = refusalsBefore;
  const scanner = new SegmentScanner({
    read: async (target, position) => {
      const salvage = await salvageRead(file, target, position);
      refusals += salvage.refusals;
      return salvage.bytesRead;
    },
    format: segment.format,
    salt: assumed.salt,
    checksum: vault.checksum,
    windowBytes: options.slab.length,
    slab: options.slab,
  });
  let live = 0;
  let lastAppendAt = -1;
  let isSealed: boolean | undefined;
  for (let found = await scanner.next(fileBytes); found !== undefined; found = await scanner.next(fileBytes)) {
    if (found.is === "bad") {
      damage.onBad(found);
      continue;
    }
    isSealed ??= !reader.opens(found);
    const run = found.lastSeq < seqEnd ? found : cutRun(found, seqEnd);
    if (run === undefined) continue;
    damage.onRecords(run);
    segment.grow({ ...run, bytes: run.endOffset - segment.endBytes });
    if (run.firstSeq > freedThrough) live += run.count;
    else if (run.lastSeq > freedThrough) live += countAbove(run, freedThrough, isSealed ? undefined : reader.layOut(run));
    lastAppendAt = Math.max(lastAppendAt, run.lastAppendAt);
  }
  segment.know(freedThrough, live);
  return {
    is: "segment",
    segment,
    header,
    fileBytes,
    live,
    damage,
    bad: [...damage.spans],
    lastAppendAt,
    refusals,
    isSealed: isSealed === true,
  };
}

/** The units of a run that lie below `seqEnd`; newest time and last append may be those of the whole, which harms nobody. */
function cutRun(run: UnitRun, seqEnd: number): UnitRun | undefined {
  const { format, slab } = run;
  let end = run.start;
  let count = 0;
  let lastSeq = 0;
  while (end < run.end && format.lastSeq(slab, end) < seqEnd) {
    lastSeq = format.lastSeq(slab, end);
    count += format.count(slab, end);
    end += format.unitBytes(slab, end);
  }
  return count === 0 ? undefined : { ...run, end, count, lastSeq, endOffset: run.endOffset - (run.end - end) };
}

/** Counts the records above `seq`; of a sealed run, at most as many as numbers are left. */
function countAbove(
  run: UnitRun,
  seq: number,
  laidOut: { readonly slab: Buffer; readonly start: number; readonly end: number } | undefined,
): number {
  if (laidOut === undefined) return Math.min(run.count, run.lastSeq - seq);
  let count = 0;
  for (let at = laidOut.start; at < laidOut.end; at += recordBytes(laidOut.slab, at)) {
    if (recordSeq(laidOut.slab, at) > seq) count += 1;
  }
  return count;
}
