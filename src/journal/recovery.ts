// Finds out at the start what a journal holds, whatever the last life left behind. Never refuses for what it finds.
//
//   ├─ group ─┼─ group ─┼─ gro~          a write that was under way is a torn tail: cut it
//   ├─ group ─┼─ gr?up ─┼─ group ─┤      rot in the middle is not: keep the file, serve the rest, report
//
// Only the newest segment can have a torn tail, for only that one was being written. Holes in its last append, with good groups
// of the same append behind them, were torn as well (a disk writes sectors in any order): a filler is laid over them. Neither was
// ever acknowledged. What is whole there may not be on the disk yet: tail.ts. Format and rules: README.md.
// Tests: test/unit/journal/recovery.test.ts

import { type Disk, removeIfThere } from "#base/disk.ts";
import { explain } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { type Cursor, type CursorName, type CursorTime, findCursor } from "./cursor.ts";
import type { DamagedSpan } from "./damage.ts";
import { type Examined, examineSegment, unwrittenBytes } from "./examine.ts";
import { readOwed } from "./owed.ts";
import { RECORD_BODY_BYTES_MAX } from "./record.ts";
import type { Segment } from "./segment.ts";
import { removeUnborn, sortNames, withoutCopies, withoutUnborn } from "./segment-files.ts";
import { Tail } from "./tail.ts";
import type { Vault } from "./vault.ts";

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
  /** Segments that are encrypted with another key, or with one where we have none, and not freed. */
  readonly sealed: readonly string[];
  /** Files that are none of ours, left alone. */
  readonly foreign: readonly string[];
  /** Cursor copies that could not be read. */
  readonly damagedCursors: readonly CursorName[];
  /** When the last life wrote its cursor for the last time; null: not told. */
  readonly cursorTime: CursorTime | null;
}

export interface Recovered {
  /** By number, each with records that are not freed. */
  readonly segments: Segment[];
  /** Wholly freed, superseded: to be removed once the cursor is written. */
  readonly retired: Segment[];
  /** Names of segments without one readable record, … */
  readonly useless: readonly string[];
  /** … and of those set aside earlier that are too many: to be renamed, and removed, once their loss is known. */
  readonly surplus: readonly string[];
  /** Sealed, by number: they take room, hold what was never sent, and cannot be read. `fromSeq`: of the first record not freed. */
  readonly aside: Aside[];
  /** Files that must not be taken for done with before they were read: as it was found, and as it is now. */
  readonly owed: {
    readonly before: ReadonlySet<string>;
    readonly returned: ReadonlySet<string>;
    readonly now: ReadonlySet<string>;
  };
  /** With the epoch of this start. Not written yet. */
  readonly cursor: Cursor;
  /** What was found and could not be written again: nothing may be promised on it. */
  readonly doubtful: readonly Tail[];
  /** Used, and what lies up to it is durable: as much of `cursor.lastSeq` as may be written down. */
  readonly syncedSeq: number;
  readonly nextNumber: number;
  readonly report: RecoveryReport;
}

export interface Aside {
  readonly segment: Segment;
  readonly fromSeq: number;
  readonly records: number;
}

/** Read at once. A record larger than this gets memory of its own. */
const WINDOW_BYTES = 1024 * 1024;
/** `*.damaged` files kept; older ones are removed, so that rot cannot fill the card. */
const QUARANTINED_MAX = 4;
/** Added to the last seq if the newest segment cannot be read now: its numbers must not be used a second time. */
const SEQ_LEAP = 2 ** 32;
/** Added to the epoch if no copy of it can be read. */
const EPOCH_LEAP = 2 ** 20;
/** A tail that was not cut for good may be back after a power cut, then in the middle of the journal, and look like rot. */
const SETTLE_ATTEMPTS = 3;
/** What the disk never had may leave the kernel's memory while we look: then what is left counts. */
const LOOKS = 3;

export async function recover(disk: Disk, directory: string, vault: Vault, log: Log, signal: AbortSignal): Promise<Recovered> {
  let nextNumber = 1; // also if the file that had the last one was removed by a look before
  for (let look = 1; ; look++) {
    const recovered = await tryRecover(disk, directory, vault, log, signal, look === LOOKS, nextNumber);
    if (typeof recovered !== "number") return recovered;
    nextNumber = recovered;
  }
}

/** A number, the next segment's: the last append has changed while we looked at it. */
async function tryRecover(
  disk: Disk,
  directory: string,
  vault: Vault,
  log: Log,
  signal: AbortSignal,
  isLastLook: boolean,
  numberBefore: number,
): Promise<Recovered | number> {
  const { segments: all, foreign, quarantined, unfinished } = sortNames(await disk.list(directory));
  for (const name of unfinished) await removeIfThere(disk, `${directory}/${name}`);
  const nextNumber = Math.max(numberBefore, (all.at(-1)?.identity.number ?? 0) + 1);
  const { files, copies: rewritten } = await withoutCopies(disk, directory, await withoutUnborn(disk, directory, all));
  const { cursor: found, found: copies, damaged: damagedCursors, time: cursorTime } = await findCursor(disk, directory);
  const slab = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  const examined: Examined[] = [];
  const newer: string[] = [];
  const unreadable: string[] = [];
  const aside: Aside[] = [];
  const done: Segment[] = [];
  const owed = { before: await readOwed(disk, directory), returned: new Set<string>(), now: new Set<string>() };
  const lost: DamagedSpan[] = [];
  const useless: string[] = [];
  const tails: Tail[] = [];
  let tornBytes = 0;
  let lastSeq = Math.max(found.lastSeq, found.freedThrough);
  let epoch = found.epoch;
  let isNewestKnown = true;
  let { freedThrough } = found;

  for (const [index, { name, identity }] of files.entries()) {
    signal.throwIfAborted();
    const isNewest = index === files.length - 1;
    const lastSeqBefore = examined.at(-1)?.segment.lastSeq ?? 0;
    const seqEnd = Number.POSITIVE_INFINITY;
    const finding = await examineSegment(disk, directory, {
      name,
      identity,
      freedThrough: found.freedThrough,
      seqEnd,
      lastSeqBefore,
      slab,
      vault,
    });
    epoch = Math.max(epoch, finding.is === "segment" ? finding.segment.header.epoch : identity.epoch);
    isNewestKnown = finding.is === "segment" && finding.refusals === 0;
    if (finding.is === "unborn") await removeUnborn(disk, directory, name, log);
    else if (finding.is === "newer") {
      newer.push(name);
      owed.now.add(name);
      log.warn("journal: a segment was written by a later version of this program; left alone", {
        name,
        version: finding.version,
      });
    } else if (finding.is === "unreadable") {
      unreadable.push(name);
      owed.now.add(name);
      log.error("journal: the disk will not read a segment; left alone, tried again at the next start", {
        name,
        reason: finding.reason,
      });
    } else {
      for (const span of finding.damage.spans) lastSeq = Math.max(lastSeq, span.throughSeq ?? 0);
      if (finding.isSealed && !(isNewest && isTornBirth(finding, vault))) {
        const { segment } = finding;
        lastSeq = Math.max(lastSeq, segment.lastSeq);
        const isOwed = owed.before.has(name);
        const records = isOwed ? segment.records : finding.live;
        if (records === 0 && finding.refusals === 0) done.push(segment);
        else {
          owed.now.add(name);
          if (isNewest && segment.lastSeq > found.lastSeq) tails.push(new Tail(finding, disk, directory, vault.checksum));
          aside.push({
            segment,
            records,
            fromSeq: isOwed ? segment.firstSeq : Math.max(segment.firstSeq, found.freedThrough + 1),
          });
          log.error("journal: a segment is encrypted with a key that is not here; tried again at the next start", {
            name,
            records,
          });
        }
        continue;
      }
      if (isNewest && finding.refusals === 0) tornBytes += await settleNewest(disk, directory, finding, log);
      if (finding.segment.records > 0 && !finding.isSealed) {
        examined.push(finding);
        if (owed.before.has(name)) {
          owed.returned.add(name);
          freedThrough = Math.min(freedThrough, finding.segment.firstSeq - 1);
        }
      } else if (finding.refusals > 0) {
        unreadable.push(name);
        owed.now.add(name);
      } else if (!isNewest) await sortOut(disk, directory, finding, useless, lost, log);
    }
  }
  for (const { segment } of examined) lastSeq = Math.max(lastSeq, segment.lastSeq);
  if (!isNewestKnown) lastSeq += SEQ_LEAP;
  if (copies.length === 0 && (damagedCursors.length > 0 || files.length > 0)) epoch += EPOCH_LEAP;

  const { standing, superseded } = await settleOverlaps(disk, directory, examined, freedThrough, slab, vault);
  for (const [at, each] of standing.entries()) {
    // The newest one, nearly always; and before it what a life has found that could not settle it, and went on.
    const isLastOfLife = each.segment.header.epoch !== standing[at + 1]?.segment.header.epoch;
    const isDoubtful = owed.returned.has(each.segment.name) || (isLastOfLife && each.segment.lastSeq > found.lastSeq);
    if (isDoubtful && each.segment.lastSeq > freedThrough) tails.push(new Tail(each, disk, directory, vault.checksum));
  }
  const doubtful: Tail[] = [];
  for (const tail of tails) {
    const isRead = await tail.tryRead();
    if (!isRead && !isLastLook) return nextNumber;
    if (isRead && (await tail.tryWriteAgain(log))) continue;
    doubtful.push(tail);
    if (owed.returned.has(tail.segment.name)) owed.now.add(tail.segment.name); // for the next start
  }
  const damaged = reportDamage(standing, freedThrough, lost);
  const segments = standing.filter(({ segment }) => segment.lastSeq > freedThrough).map(({ segment }) => segment);
  const retired = standing.filter(({ segment }) => segment.lastSeq <= freedThrough).map(({ segment }) => segment);
  for (const span of damaged) log.error("journal: part of a segment is damaged; what it held is lost", { ...span });
  if (tornBytes > 0) log.info("journal: cut off a write that was under way when the power went", { bytes: tornBytes });
  if (foreign.length > 0) log.info("journal: files that are not ours, left alone", { names: foreign.join(" ") });
  if (damagedCursors.length > 0)
    log.warn("journal: a cursor was damaged; some records may be sent twice", { names: damagedCursors.join(" ") });
  const inQuarantine = [...quarantined, ...useless.map(damagedName)].toSorted();
  const records = segments.reduce((sum, segment) => sum + segment.liveRecords(freedThrough), 0);
  return {
    segments,
    retired: [...retired, ...superseded, ...rewritten, ...done],
    useless,
    surplus: inQuarantine.slice(0, -QUARANTINED_MAX),
    aside,
    owed,
    cursor: { epoch: epoch + 1, freedThrough, lastSeq },
    doubtful,
    syncedSeq: doubtful.length === 0 ? lastSeq : found.lastSeq,
    nextNumber,
    report: {
      records,
      bytes: segments.reduce((sum, segment) => sum + segment.endBytes, 0),
      segments: segments.length,
      firstSeq: segments.length === 0 ? 0 : Math.max(segments[0]!.firstSeq, freedThrough + 1),
      lastSeq: segments.at(-1)?.lastSeq ?? 0,
      tornBytes,
      damaged,
      quarantined: inQuarantine.slice(-QUARANTINED_MAX),
      unreadable,
      newer,
      sealed: aside.map(({ segment }) => segment.name),
      foreign,
      damagedCursors,
      cursorTime,
    },
  };
}

/**
 * The first append of a segment whose header never reached the disk, while we have the key: without the seed it cannot be opened, and
 * it was never acknowledged.
 */
function isTornBirth({ header, segment, lastAppendAt, refusals }: Examined, vault: Vault): boolean {
  return header === undefined && lastAppendAt === segment.format.start && refusals === 0 && vault.hasKey;
}

/** Cuts or covers what was torn, and syncs the file: a cut may be in the kernel's memory only. Returns the bytes torn. */
async function settleNewest(disk: Disk, directory: string, newest: Examined, log: Log): Promise<number> {
  const { segment, damage, fileBytes, lastAppendAt } = newest;
  const path = `${directory}/${segment.name}`;
  const torn = damage.spans.filter((span) => span.from >= lastAppendAt);
  const isNothing = segment.records === 0 || newest.isSealed;
  const tornBytes = isNothing ? Math.max(0, fileBytes - segment.staleEnd) : unwrittenBytes(torn, newest);
  damage.spans.splice(damage.spans.length - torn.length, torn.length);
  for (let attempt = 1; ; attempt++) {
    try {
      if (isNothing) {
        await removeIfThere(disk, path);
        return tornBytes;
      }
      await using file = await disk.open(path, "update");
      segment.staleEnd = 0;
      if (segment.endBytes < fileBytes) await file.truncate(segment.endBytes);
      for (const { from, to } of torn) {
        const bytes = to - from;
        const { headerBytes } = segment.format;
        const mayCover = to <= segment.endBytes && bytes >= headerBytes && bytes - headerBytes <= RECORD_BODY_BYTES_MAX;
        if (mayCover) await file.write(segment.format.filler(bytes, segment.header.salt), from);
      }
      await file.datasync();
      return tornBytes;
    } catch (error) {
      // All of it again, not only the sync: after a fault the kernel may call clean what it never wrote.
      if (attempt < SETTLE_ATTEMPTS) continue;
      log.warn("journal: a torn tail could not be cut off; it is passed over", { name: segment.name, error: explain(error) });
      return tornBytes;
    }
  }
}

/** A segment without one readable record that is not the newest: what it held is lost. The file is kept for a look, out of the way. */
async function sortOut(
  disk: Disk,
  directory: string,
  examined: Examined,
  useless: string[],
  lost: DamagedSpan[],
  log: Log,
): Promise<void> {
  const { segment, fileBytes, damage, header } = examined;
  if (fileBytes <= segment.format.start) {
    try {
      await removeIfThere(disk, `${directory}/${segment.name}`); // its first write never came
      return;
    } catch (error) {
      log.warn("journal: an empty segment could not be removed", { name: segment.name, error: explain(error) });
    }
  }
  useless.push(segment.name);
  lost.push({
    file: segment.name,
    from: segment.format.start,
    to: fileBytes,
    fromSeq: damage.spans[0]?.fromSeq ?? header?.firstSeq ?? 1,
    throughSeq: damage.spans.at(-1)?.throughSeq,
  });
}

/**
 * A later segment wins: groups of an earlier one count only below its first seq. The others were written by an append that failed,
 * and written again, or given up.
 */
async function settleOverlaps(
  disk: Disk,
  directory: string,
  examined: readonly Examined[],
  freedThrough: number,
  slab: Buffer,
  vault: Vault,
) {
  const standing: Examined[] = [];
  const superseded: Segment[] = [];
  let seqEnd = Number.POSITIVE_INFINITY;
  for (const each of examined.toReversed()) {
    const { segment } = each;
    const firstSeq = each.header?.firstSeq ?? segment.firstSeq;
    if (segment.firstSeq >= seqEnd) superseded.push(segment);
    else if (segment.lastSeq < seqEnd) standing.unshift(each);
    else {
      const { name, header: identity } = segment;
      const again = await examineSegment(disk, directory, {
        name,
        identity,
        freedThrough,
        seqEnd,
        lastSeqBefore: 0,
        slab,
        vault,
      });
      if (again.is !== "segment" || again.refusals > each.refusals) standing.unshift(each);
      else if (again.segment.records > 0) standing.unshift(again);
      else superseded.push(segment);
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

export function damagedName(segmentName: string): string {
  return `${segmentName}.damaged`;
}
