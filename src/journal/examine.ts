// Reads one segment from beginning to end, as recovery finds it, and says what is in it. Changes nothing on the disk.

import type { Disk } from "#base/disk.ts";
import { explain, isFault } from "#base/errors.ts";
import { DamageList } from "./damage.ts";
import { recordBytes, recordSeq } from "./record.ts";
import { salvageRead } from "./salvage-read.ts";
import { Segment } from "./segment.ts";
import {
  inspectHeader,
  SEGMENT_HEADER_BYTES,
  SEGMENT_HEADER_BYTES_MAX,
  type SegmentHeader,
  type SegmentIdentity,
} from "./segment-header.ts";
import { type RecordRun, SegmentScanner } from "./segment-scanner.ts";

export interface Examined {
  readonly is: "segment";
  readonly segment: Segment;
  /** undefined: rotten, what is known comes from the file's name. */
  readonly header: SegmentHeader | undefined;
  readonly fileBytes: number;
  /** Records above `freedThrough` and below `seqEnd`, counted. */
  readonly live: number;
  readonly damage: DamageList;
  /** Offset of the last record that began an append, -1 if there is none. */
  readonly lastGroupAt: number;
  /** The disk refused to read parts of it: not rot, it may come back. */
  readonly refusals: number;
}

export type Examination =
  | Examined
  | { readonly is: "newer"; readonly version: number }
  | { readonly is: "unreadable"; readonly reason: string };

export interface ExamineOptions {
  readonly name: string;
  readonly identity: SegmentIdentity;
  readonly freedThrough: number;
  /** Records from here on stand in a later segment: those count, these do not. */
  readonly seqEnd: number;
  /** Highest number known to stand before this segment. */
  readonly lastSeqBefore: number;
  /** Memory to read into, used again for every segment. */
  readonly slab: Buffer;
}

export async function examineSegment(disk: Disk, directory: string, options: ExamineOptions): Promise<Examination> {
  try {
    await using file = await disk.open(`${directory}/${options.name}`, "read");
    const fileBytes = await file.size();
    const beginning = Buffer.alloc(Math.min(fileBytes, SEGMENT_HEADER_BYTES_MAX));
    let { refusals } = await salvageRead(file, beginning, 0);
    const finding = inspectHeader(beginning);
    if (finding.is === "newer") return finding;
    const header = finding.is === "ours" ? finding.header : undefined;
    const { epoch, salt } = header ?? options.identity;
    const segment = new Segment({ number: options.identity.number, epoch, salt }, header?.firstSeq ?? 1, options.name);
    const damage = new DamageList(Math.max(options.lastSeqBefore, (header?.firstSeq ?? 1) - 1));
    const scanner = new SegmentScanner({
      read: async (target, position) => {
        const salvage = await salvageRead(file, target, position);
        refusals += salvage.refusals;
        return salvage.bytesRead;
      },
      salt,
      start: SEGMENT_HEADER_BYTES,
      windowBytes: options.slab.length,
      slab: options.slab,
    });
    let live = 0;
    let lastGroupAt = -1;
    for (let found = await scanner.next(fileBytes); found !== undefined; found = await scanner.next(fileBytes)) {
      if (found.is === "bad") damage.onBad(found);
      else if (found.firstSeq < options.seqEnd) {
        const run = found.lastSeq < options.seqEnd ? found : cutRun(found, options.seqEnd);
        damage.onRecords(run);
        segment.grow({ ...run, bytes: run.endOffset - segment.endBytes });
        live += countAbove(run, options.freedThrough);
        lastGroupAt = Math.max(lastGroupAt, run.lastGroupAt);
      }
    }
    segment.know(options.freedThrough, live);
    return { is: "segment", segment, header, fileBytes, live, damage, lastGroupAt, refusals };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { is: "unreadable", reason: explain(error) };
  }
}

/** The part of a run below `seqEnd`; its newest time and last group may be those of the whole, which harms nobody. */
function cutRun(run: RecordRun, seqEnd: number): RecordRun {
  let end = run.start;
  let count = 0;
  let lastSeq = 0;
  while (recordSeq(run.slab, end) < seqEnd) {
    lastSeq = recordSeq(run.slab, end);
    count += 1;
    end += recordBytes(run.slab, end);
  }
  return { ...run, end, count, lastSeq, endOffset: run.endOffset - (run.end - end) };
}

function countAbove(run: RecordRun, seq: number): number {
  if (run.firstSeq > seq) return run.count;
  if (run.lastSeq <= seq) return 0;
  let count = run.count;
  for (let at = run.start; recordSeq(run.slab, at) <= seq; at += recordBytes(run.slab, at)) count -= 1;
  return count;
}
