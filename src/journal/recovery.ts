// Finds out at the start what a journal holds, whatever the last life left behind. Never refuses for what it finds.
//
//   ├─ record ─┼─ record ─┼─ rec~          a write that was under way is a torn tail: cut it
//   ├─ record ─┼─ r?cord ─┼─ record ─┤     rot in the middle is not: keep the file, serve the rest, report
//
// Only the newest segment can have a torn tail, for only that one was being written. Holes in its last group, with good records
// of the same group behind them, were torn as well (a disk writes sectors in any order): a filler is laid over them. Neither was
// ever acknowledged. Format and rules: README.md. Tests: test/unit/journal/recovery.test.ts

import { type Disk, removeIfThere } from "#base/disk.ts";
import { explain } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { CURSOR_NAMES, type Cursor, type CursorName, findCursor } from "./cursor.ts";
import type { DamagedSpan } from "./damage.ts";
import { type Examined, examineSegment } from "./examine.ts";
import { fillerHeader, RECORD_BODY_BYTES_MAX, RECORD_HEADER_BYTES } from "./record.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES, type SegmentIdentity, tryParseName } from "./segment-header.ts";

export interface RecoveryReport {
  /** Stored and not freed. */
  readonly records: number;
  readonly bytes: number;
  readonly segments: number;
  /** Lowest and highest seq stored and not freed; 0 when there is none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Bytes of writes that were under way when the power went: cut off, never acknowledged. */
  readonly tornBytes: number;
  /** Rot. Reported at every start while the file is there; `file` and `from` name it for good. */
  readonly damaged: readonly DamagedSpan[];
  /** Files without one readable record, renamed to `*.damaged` and kept for a look; the newest few of them. */
  readonly quarantined: readonly string[];
  /** Files the disk will not read now, left alone. */
  readonly unreadable: readonly string[];
  /** Segments of a later version of this program, left alone. */
  readonly newer: readonly string[];
  /** Files that are none of ours, left alone. */
  readonly foreign: readonly string[];
  /** Cursor copies that could not be read. */
  readonly damagedCursors: readonly CursorName[];
}

export interface Recovered {
  /** By number, each with records that are not freed. */
  readonly segments: Segment[];
  /** Wholly freed, superseded: to be removed once the cursor is written. */
  readonly retired: Segment[];
  /** With the epoch of this start. Not written yet. */
  readonly cursor: Cursor;
  readonly nextNumber: number;
  readonly report: RecoveryReport;
}

/** Read at once. A record larger than this gets memory of its own. */
const WINDOW_BYTES = 1024 * 1024;
/** `*.damaged` files kept; older ones are removed, so that rot cannot fill the card. */
const QUARANTINED_MAX = 4;
/** Added to the last seq if the newest segment cannot be read now: its numbers must not be used a second time. */
const SEQ_LEAP = 2 ** 32;
/** Added to the epoch if no copy of it can be read. */
const EPOCH_LEAP = 2 ** 20;

export async function recover(disk: Disk, directory: string, log: Log, signal: AbortSignal): Promise<Recovered> {
  const { segments: files, foreign, quarantined } = sortNames(await disk.list(directory));
  const { cursor: found, found: copies, damaged: damagedCursors } = await findCursor(disk, directory);
  const slab = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  const examined: Examined[] = [];
  const newer: string[] = [];
  const unreadable: string[] = [];
  const lost: DamagedSpan[] = [];
  let tornBytes = 0;
  let lastSeq = Math.max(found.lastSeq, found.freedThrough);
  let epoch = found.epoch;
  let isNewestKnown = true;

  for (const [index, { name, identity }] of files.entries()) {
    signal.throwIfAborted();
    const isNewest = index === files.length - 1;
    const lastSeqBefore = examined.at(-1)?.segment.lastSeq ?? 0;
    const freedThrough = found.freedThrough;
    const seqEnd = Number.POSITIVE_INFINITY;
    const finding = await examineSegment(disk, directory, { name, identity, freedThrough, seqEnd, lastSeqBefore, slab });
    epoch = Math.max(epoch, finding.is === "segment" ? finding.segment.epoch : identity.epoch);
    isNewestKnown = finding.is === "segment" && finding.refusals === 0;
    if (finding.is === "newer") {
      newer.push(name);
      log.warn("journal: a segment was written by a later version of this program; left alone", {
        name,
        version: finding.version,
      });
    } else if (finding.is === "unreadable") {
      unreadable.push(name);
      log.error("journal: the disk will not read a segment; left alone, tried again at the next start", {
        name,
        reason: finding.reason,
      });
    } else {
      for (const span of finding.damage.spans) lastSeq = Math.max(lastSeq, span.throughSeq ?? 0);
      if (isNewest && finding.refusals === 0) tornBytes += await settleNewest(disk, directory, finding, log);
      if (finding.segment.records > 0) examined.push(finding);
      else if (finding.refusals > 0) unreadable.push(name);
      else if (!isNewest) await setAside(disk, directory, finding, quarantined, lost, log);
    }
  }
  for (const { segment } of examined) lastSeq = Math.max(lastSeq, segment.lastSeq);
  if (!isNewestKnown) lastSeq += SEQ_LEAP;
  if (copies.length === 0 && (damagedCursors.length > 0 || files.length > 0)) epoch += EPOCH_LEAP;

  const { standing, superseded } = await settleOverlaps(disk, directory, examined, found.freedThrough, slab);
  const damaged = reportDamage(standing, found.freedThrough, lost);
  const segments = standing.filter(({ segment }) => segment.lastSeq > found.freedThrough).map(({ segment }) => segment);
  const retired = standing.filter(({ segment }) => segment.lastSeq <= found.freedThrough).map(({ segment }) => segment);
  for (const span of damaged) log.error("journal: part of a segment is damaged; what it held is lost", { ...span });
  if (tornBytes > 0) log.info("journal: cut off a write that was under way when the power went", { bytes: tornBytes });
  if (foreign.length > 0) log.info("journal: files that are not ours, left alone", { names: foreign.join(" ") });
  if (damagedCursors.length > 0)
    log.warn("journal: a cursor was damaged; some records may be sent twice", { names: damagedCursors.join(" ") });
  const records = segments.reduce((sum, segment) => sum + segment.liveRecords(found.freedThrough), 0);
  return {
    segments,
    retired: [...retired, ...superseded],
    cursor: { epoch: epoch + 1, freedThrough: found.freedThrough, lastSeq },
    nextNumber: (files.at(-1)?.identity.number ?? 0) + 1,
    report: {
      records,
      bytes: segments.reduce((sum, segment) => sum + segment.endBytes, 0),
      segments: segments.length,
      firstSeq: segments.length === 0 ? 0 : Math.max(segments[0]!.firstSeq, found.freedThrough + 1),
      lastSeq: segments.at(-1)?.lastSeq ?? 0,
      tornBytes,
      damaged,
      quarantined: await trimQuarantine(disk, directory, quarantined),
      unreadable,
      newer,
      foreign,
      damagedCursors,
    },
  };
}

interface SegmentFile {
  readonly name: string;
  readonly identity: SegmentIdentity;
}

function sortNames(names: readonly string[]) {
  const segments: SegmentFile[] = [];
  const foreign: string[] = [];
  const quarantined: string[] = [];
  for (const name of names) {
    const identity = tryParseName(name);
    if (identity !== undefined) segments.push({ name, identity });
    else if (name.endsWith(".seg.damaged")) quarantined.push(name);
    else if (!CURSOR_NAMES.some((own) => name === own || name === `${own}.new`)) foreign.push(name);
  }
  return { segments, foreign, quarantined };
}

/** Cuts or covers what was torn, and makes sure that what is left is durable, not only seen. Returns the bytes torn. */
async function settleNewest(disk: Disk, directory: string, newest: Examined, log: Log): Promise<number> {
  const { segment, damage, fileBytes, lastGroupAt } = newest;
  const path = `${directory}/${segment.name}`;
  const torn = damage.spans.filter((span) => span.from >= lastGroupAt);
  const tornBytes = segment.records === 0 ? fileBytes : torn.reduce((sum, span) => sum + span.to - span.from, 0);
  damage.spans.splice(damage.spans.length - torn.length, torn.length);
  try {
    if (segment.records === 0) {
      await removeIfThere(disk, path);
      return tornBytes;
    }
    await using file = await disk.open(path, "update");
    if (segment.endBytes < fileBytes) await file.truncate(segment.endBytes);
    for (const { from, to } of torn) {
      const bytes = to - from;
      const mayCover =
        to <= segment.endBytes && bytes >= RECORD_HEADER_BYTES && bytes - RECORD_HEADER_BYTES <= RECORD_BODY_BYTES_MAX;
      if (mayCover) await file.write(fillerHeader(bytes, segment.salt), from);
    }
    await file.datasync();
  } catch (error) {
    log.warn("journal: a torn tail could not be cut off; it is passed over", { name: segment.name, error: explain(error) });
  }
  return tornBytes;
}

/** A segment without one readable record that is not the newest: what it held is lost. Kept for a look, out of the way. */
async function setAside(
  disk: Disk,
  directory: string,
  examined: Examined,
  quarantined: string[],
  lost: DamagedSpan[],
  log: Log,
): Promise<void> {
  const { segment, fileBytes, damage, header } = examined;
  const path = `${directory}/${segment.name}`;
  try {
    if (fileBytes <= SEGMENT_HEADER_BYTES) {
      await removeIfThere(disk, path); // its first write never came
      return;
    }
    await disk.rename(path, `${path}.damaged`);
    quarantined.push(`${segment.name}.damaged`);
  } catch (error) {
    log.warn("journal: a damaged segment could not be set aside", { name: segment.name, error: explain(error) });
  }
  lost.push({
    file: segment.name,
    from: SEGMENT_HEADER_BYTES,
    to: fileBytes,
    fromSeq: damage.spans[0]?.fromSeq ?? header?.firstSeq ?? 1,
    throughSeq: damage.spans.at(-1)?.throughSeq,
  });
}

/**
 * A later segment wins: records of an earlier one count only below its first seq. They were written by an append that failed,
 * and written again, or given up.
 */
async function settleOverlaps(disk: Disk, directory: string, examined: readonly Examined[], freedThrough: number, slab: Buffer) {
  const standing: Examined[] = [];
  const superseded: Segment[] = [];
  let seqEnd = Number.POSITIVE_INFINITY;
  for (const each of examined.toReversed()) {
    const { segment } = each;
    const firstSeq = each.header?.firstSeq ?? segment.firstSeq;
    if (segment.firstSeq >= seqEnd) superseded.push(segment);
    else if (segment.lastSeq < seqEnd) standing.unshift(each);
    else {
      const identity = { number: segment.number, epoch: segment.epoch, salt: segment.salt };
      const again = await examineSegment(disk, directory, {
        name: segment.name,
        identity,
        freedThrough,
        seqEnd,
        lastSeqBefore: 0,
        slab,
      });
      standing.unshift(again.is === "segment" && again.segment.records > 0 ? again : each);
    }
    seqEnd = Math.min(seqEnd, firstSeq);
  }
  return { standing, superseded };
}

/** What is missing to somebody: damage among numbers that are not freed yet. `lost`: that of segments set aside. */
function reportDamage(standing: readonly Examined[], freedThrough: number, lost: readonly DamagedSpan[]): DamagedSpan[] {
  const inStanding = standing.flatMap(({ segment, damage }) => damage.spans.map((span) => ({ file: segment.name, ...span })));
  const found: DamagedSpan[] = [];
  for (const span of [...inStanding, ...lost].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.from - b.from))) {
    const next = standing.find(({ segment }) => segment.name > span.file);
    const throughSeq = span.throughSeq ?? (next === undefined ? undefined : (next.header?.firstSeq ?? next.segment.firstSeq) - 1);
    const fromSeq = Math.max(span.fromSeq, freedThrough + 1);
    if (throughSeq === undefined || throughSeq >= fromSeq) found.push({ ...span, fromSeq, throughSeq });
  }
  return found;
}

async function trimQuarantine(disk: Disk, directory: string, quarantined: readonly string[]): Promise<readonly string[]> {
  const sorted = quarantined.toSorted();
  const tooMany = sorted.slice(0, -QUARANTINED_MAX);
  for (const name of tooMany) await removeIfThere(disk, `${directory}/${name}`);
  return sorted.slice(-QUARANTINED_MAX);
}
