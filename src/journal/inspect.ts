// Looks into a journal without touching it: for an owner who wants to know what is kept, also while a spoke is at work on it.
//
// Files may vanish and grow under our eyes: what is gone was freed or dropped, and bad bytes at the end of the newest segment are most
// likely being written. Nothing is locked, cut, renamed or removed. Tests: test/unit/journal/inspect.test.ts

import type { Disk } from "#base/disk.ts";
import { isFault, systemCode } from "#base/errors.ts";
import { type CursorTime, findCursor } from "./cursor.ts";
import type { DamagedSpan } from "./damage.ts";
import { type Examined, examineSegment, unwrittenBytes } from "./examine.ts";
import type { Packer } from "./packer.ts";
import type { ReadBatch } from "./reader.ts";
import { recordBytes, recordSeq } from "./record.ts";
import type { Segment } from "./segment.ts";
import { type SegmentIdentity, tryParseName } from "./segment-header.ts";
import { SegmentScanner } from "./segment-scanner.ts";
import { SPARE_NAME } from "./spare.ts";
import { Vault } from "./vault.ts";

const WINDOW_BYTES = 256 * 1024;

export interface InspectedSegment {
  readonly name: string;
  readonly is: "fine" | "damaged" | "sealed" | "newer" | "unreadable";
  readonly version: number;
  readonly epoch: number;
  /** Which boot its records' times are of; null: wall times, or not known. */
  readonly boot: string | null;
  /** Wall time at its birth; 0: not known. */
  readonly born: number;
  readonly fileBytes: number;
  readonly records: number;
  /** Those not freed, by the cursor on the disk. */
  readonly live: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly newestTime: number;
}

export interface Inspection {
  readonly segments: readonly InspectedSegment[];
  readonly damaged: readonly DamagedSpan[];
  /** Bytes at the end of the newest segment that hold nothing whole: being written, or torn. */
  readonly tailBytes: number;
  readonly epoch: number;
  readonly freedThrough: number;
  readonly cursorTime: CursorTime | null;
  /** Names that belong to no journal, and files set aside. */
  readonly others: readonly string[];
  /** What is not freed, in order, in batches whose slab is yours. What vanishes meanwhile is passed by. */
  records(): AsyncGenerator<ReadBatch>;
}

export interface InspectOptions {
  readonly key?: Buffer | null;
  readonly packer?: Packer;
}

/** Rejects with the system's fault if the folder cannot be read at all. */
export async function inspectJournal(disk: Disk, directory: string, options: InspectOptions = {}): Promise<Inspection> {
  const vault = new Vault(options.packer, options.key ?? undefined);
  const { cursor, time } = await findCursor(disk, directory);
  const files: { name: string; identity: SegmentIdentity }[] = [];
  const others: string[] = [];
  for (const name of await disk.list(directory)) {
    const identity = tryParseName(name);
    if (identity !== undefined) files.push({ name, identity });
    else if (name !== "epoch" && name !== "cursor" && name !== "owed" && name !== SPARE_NAME && !name.endsWith(".new"))
      others.push(name);
  }
  const slab = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  const segments: InspectedSegment[] = [];
  const standing: Segment[] = [];
  const damaged: DamagedSpan[] = [];
  let tailBytes = 0;
  let lastSeqBefore = 0;
  for (const [index, { name, identity }] of files.entries()) {
    const found = await examineSegment(disk, directory, {
      name,
      identity,
      freedThrough: cursor.freedThrough,
      seqEnd: Number.POSITIVE_INFINITY,
      lastSeqBefore,
      slab,
      vault,
    });
    if (found.is === "segment") {
      const isNewest = index === files.length - 1;
      const tail = isNewest ? found.damage.spans.filter(({ from }) => from >= found.lastAppendAt) : [];
      tailBytes += unwrittenBytes(tail, found);
      const spans = found.damage.spans.slice(0, found.damage.spans.length - tail.length);
      damaged.push(...spans.map((span) => ({ file: name, ...span })));
      segments.push(describe(found, spans.length > 0));
      lastSeqBefore = found.segment.lastSeq;
      if (!found.isSealed) standing.push(found.segment);
    } else if (found.is === "newer") segments.push(unknown(name, identity, "newer", found.version));
    else if (!(await isGone(disk, `${directory}/${name}`))) segments.push(unknown(name, identity, "unreadable", 0));
  }
  const { epoch, freedThrough } = cursor;
  const records = () => readSegments(disk, directory, standing, freedThrough, vault);
  return { segments, damaged, tailBytes, epoch, freedThrough, cursorTime: time, others, records };
}

function describe({ segment, fileBytes, live, isSealed }: Examined, isDamaged: boolean): InspectedSegment {
  const { name, header, records, firstSeq, lastSeq, newestTime } = segment;
  const { version, epoch, boot, born } = header;
  const is = isSealed ? "sealed" : isDamaged ? "damaged" : "fine";
  return { name, is, version, epoch, boot, born, fileBytes, records, live, firstSeq, lastSeq, newestTime };
}

function unknown(name: string, { epoch }: SegmentIdentity, is: "newer" | "unreadable", version: number): InspectedSegment {
  const nothing = { fileBytes: 0, records: 0, live: 0, firstSeq: 0, lastSeq: 0, newestTime: 0 };
  return { name, is, version, epoch, boot: null, born: 0, ...nothing };
}

async function isGone(disk: Disk, path: string): Promise<boolean> {
  try {
    await using _file = await disk.open(path, "read");
    return false;
  } catch (error) {
    if (!isFault(error)) throw error;
    return systemCode(error) === "ENOENT";
  }
}

async function* readSegments(
  disk: Disk,
  directory: string,
  segments: readonly Segment[],
  freedThrough: number,
  vault: Vault,
): AsyncGenerator<ReadBatch> {
  let lastSeq = freedThrough;
  for (const segment of segments) {
    if (segment.lastSeq <= lastSeq) continue;
    try {
      await using file = await disk.open(`${directory}/${segment.name}`, "read");
      const { epoch, boot, salt } = segment.header;
      const reader = vault.readerFor(segment.header);
      const read = (target: Buffer, position: number) => file.read(target, position);
      const scanner = new SegmentScanner({
        read,
        format: segment.format,
        salt,
        checksum: vault.checksum,
        windowBytes: WINDOW_BYTES,
      });
      for (let run = await scanner.next(segment.endBytes); run !== undefined; run = await scanner.next(segment.endBytes)) {
        if (run.is === "bad" || run.lastSeq <= lastSeq) continue;
        const { slab, start: first, end, count: all } = reader.layOut(run);
        let start = first;
        let count = all;
        for (; start < end && recordSeq(slab, start) <= lastSeq; start += recordBytes(slab, start)) count -= 1;
        lastSeq = run.lastSeq;
        if (count > 0) yield { slab, start, end, count, epoch, boot };
      }
    } catch (error) {
      if (!isFault(error)) throw error; // removed meanwhile, or the disk refuses: told by `segments`
    }
  }
}
