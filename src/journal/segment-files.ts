// Which files of a journal's folder are its segments, by their names and, where that is not enough, by their headers.
//
//   sorted by name ─▶ without the newest that were never begun ─▶ without copies of a rewriting that was cut short ─▶ to be examined
//
// Tests: test/unit/journal/recovery.test.ts, rewrite.test.ts, spare.test.ts

import { type Disk, readWhole, removeIfThere } from "#base/disk.ts";
import { explain } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { CURSOR_NAMES } from "./cursor.ts";
import { OWED_NAMES } from "./owed.ts";
import { Segment } from "./segment.ts";
import { inspectHeader, isHeaderOf, SEGMENT_HEADER_BYTES_MAX, type SegmentIdentity, tryParseName } from "./segment-header.ts";
import { SPARE_NAME } from "./spare.ts";

const OWN_NAMES: ReadonlySet<string> = new Set([...CURSOR_NAMES.flatMap((name) => [name, `${name}.new`]), ...OWED_NAMES]);

export interface SegmentFile {
  readonly name: string;
  readonly identity: SegmentIdentity;
}

export function sortNames(names: readonly string[]) {
  const segments: SegmentFile[] = [];
  const foreign: string[] = [];
  const quarantined: string[] = [];
  const unfinished: string[] = [];
  for (const name of names) {
    const identity = tryParseName(name);
    if (identity !== undefined) segments.push({ name, identity });
    else if (name.endsWith(".seg.damaged")) quarantined.push(name);
    else if (name === SPARE_NAME || (name.endsWith(".new") && tryParseName(name.slice(0, -4)) !== undefined))
      unfinished.push(name);
    else if (!OWN_NAMES.has(name)) foreign.push(name);
  }
  return { segments, foreign, quarantined, unfinished };
}

/**
 * Where a rewriting was cut short between the new file and the removal of the old one, both have the same number: the old one counts,
 * for nobody was told yet of what the new one leaves out.
 */
export async function withoutCopies(disk: Disk, directory: string, files: readonly SegmentFile[]) {
  const numbers = new Map<number, SegmentFile[]>();
  for (const file of files) numbers.set(file.identity.number, [...(numbers.get(file.identity.number) ?? []), file]);
  const dispensable = new Map<string, Segment>();
  for (const group of numbers.values()) {
    if (group.length === 1) continue;
    const found = [];
    for (const { name, identity } of group) {
      const beginning = await readWhole(disk, `${directory}/${name}`, SEGMENT_HEADER_BYTES_MAX).catch(() => undefined); // examined below
      const finding = beginning === undefined ? undefined : inspectHeader(beginning);
      if (finding?.is === "ours" && isHeaderOf(finding.header, identity)) found.push({ name, header: finding.header });
    }
    found.sort((a, b) => a.header.generation - b.header.generation);
    for (const { name, header } of found.slice(1)) dispensable.set(name, new Segment(header, name));
  }
  return { files: files.filter(({ name }) => !dispensable.has(name)), copies: [...dispensable.values()] };
}

/**
 * The newest that were not even begun are no segments: before them stands the one that was being written. Others like them, further down,
 * show when they are read.
 */
export async function withoutUnborn(
  disk: Disk,
  directory: string,
  files: readonly SegmentFile[],
): Promise<readonly SegmentFile[]> {
  for (let left = files.length; left > 0; left--) {
    const { name, identity } = files[left - 1]!;
    const beginning = await readWhole(disk, `${directory}/${name}`, SEGMENT_HEADER_BYTES_MAX).catch(() => undefined); // examined below
    const finding = beginning === undefined ? undefined : inspectHeader(beginning);
    if (finding?.is !== "ours" || isHeaderOf(finding.header, identity)) return files.slice(0, left);
    await removeIfThere(disk, `${directory}/${name}`);
  }
  return [];
}

/** It was not the newest: its first append failed, and so did its removal. */
export async function removeUnborn(disk: Disk, directory: string, name: string, log: Log): Promise<void> {
  try {
    await removeIfThere(disk, `${directory}/${name}`);
  } catch (error) {
    log.warn("journal: a segment that was never begun could not be removed", { name, error: explain(error) });
  }
}
