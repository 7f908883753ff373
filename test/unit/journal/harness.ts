// What the journal's tests share: an environment on the fake disk, records made to measure, everything read back.

import assert from "node:assert/strict";
import type { Disk } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { type Journal, openJournal } from "#journal/journal.ts";
import type { JournalEnv, JournalOptions } from "#journal/journal-options.ts";
import type { Packer } from "#journal/packer.ts";
import type { JournalReader, ReadBatch } from "#journal/reader.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordBytes, recordSeq, recordTime, writeHeader } from "#journal/record.ts";
import { openS2Codec } from "#s2/codec.ts";
import { S2Packer } from "#s2/packer.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { seededRandom } from "../../support/seeded-random.ts";

export const DIRECTORY = "/data/outbox/lane";

/**
 * Tests that do something to a byte, for every byte of a file, take every so manieth in the quick run; a prime, so that all places within
 * words and headers come up. test/simulation/journal-rot.test.ts runs them over every byte.
 */
export const STRIDE = Number(process.env["JOURNAL_STRIDE"] ?? 29);
/** … and those that draw lots fewer lots. */
export const isExhaustive = STRIDE === 1;

export interface Stored {
  readonly seq: number;
  readonly time: number;
  readonly epoch: number;
  readonly body: string;
}

/** As `openJournal` is opened: with a key or without, with a packer or without. */
export interface Flavor {
  readonly name: string;
  readonly key: Buffer | null;
  readonly packer: Packer | undefined;
}

export const PLAIN: Flavor = { name: "plain", key: null, packer: undefined };
export const COMPRESSED: Flavor = { name: "compressed", key: null, packer: new S2Packer(openS2Codec()) };
export const ENCRYPTED: Flavor = { name: "encrypted", key: Buffer.alloc(32, 7), packer: new S2Packer(openS2Codec()) };
export const FLAVORS = [PLAIN, COMPRESSED, ENCRYPTED] as const;
export const BOOT = "01234567-89ab-4cde-8f01-23456789abcd";

export interface TestEnv extends JournalEnv {
  readonly clock: FakeClock;
}

export function testEnv(disk: Disk, seed = 1): TestEnv {
  const random = seededRandom(seed);
  return {
    disk,
    clock: new FakeClock(),
    entropy: { random, bytes: (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256))) },
    log: silentLog(),
  };
}

/** A journal on a fresh life of `disk`. */
export function open(
  disk: FakeDisk,
  segmentBytes = 4096,
  env: JournalEnv = testEnv(disk.mount()),
  { key, packer }: Flavor = PLAIN,
  options: Partial<Pick<JournalOptions, "segmentRecords" | "isEncrypting" | "beforeForget" | "isRecycling">> = {},
): Promise<Journal> {
  const packing = packer === undefined ? {} : { packer };
  const journalOptions = { directory: DIRECTORY, segmentBytes, key, ...options };
  return openJournal(journalOptions, { ...env, ...packing }, AbortSignal.timeout(60_000));
}

export function openAs(flavor: Flavor, disk: FakeDisk, segmentBytes = 4096): Promise<Journal> {
  return open(disk, segmentBytes, testEnv(disk.mount()), flavor);
}

export interface NewRecord {
  readonly seq: number;
  readonly body: string;
  readonly time?: number;
}

export function layOut(records: readonly NewRecord[]): { readonly slab: Buffer; readonly end: number; readonly count: number } {
  const slab = Buffer.alloc(records.reduce((sum, { body }) => sum + RECORD_HEADER_BYTES + Buffer.byteLength(body), 0));
  let at = 0;
  for (const { seq, body, time = 1000 + seq } of records) {
    const bytes = Buffer.from(body);
    writeHeader(slab, at, bytes.length, seq, time);
    bytes.copy(slab, at + RECORD_HEADER_BYTES);
    at += recordBytes(slab, at);
  }
  return { slab, end: at, count: records.length };
}

export async function append(journal: Journal, records: readonly NewRecord[], signal?: AbortSignal): Promise<void> {
  const { slab, end, count } = layOut(records);
  await journal.append(slab, 0, end, count, signal);
}

/** Records `from … through`, each with a body that tells its number. */
export function numbered(from: number, through: number, bodySize = 20): NewRecord[] {
  return Array.from({ length: through - from + 1 }, (_, index) => ({
    seq: from + index,
    body: `body ${from + index} `.padEnd(bodySize, "x"),
  }));
}

export async function readOn(reader: JournalReader, maxBytes = 1 << 20): Promise<Stored[]> {
  const all: Stored[] = [];
  for (let batch = await reader.next(maxBytes); batch !== undefined; batch = await reader.next(maxBytes)) {
    const records = recordsIn(batch);
    assert.ok(records.length === 1 || batch.end - batch.start <= maxBytes, "a batch is no larger than asked for");
    all.push(...records);
  }
  return all;
}

export function recordsIn(batch: ReadBatch): Stored[] {
  const records: Stored[] = [];
  for (let at = batch.start; at < batch.end; at += recordBytes(batch.slab, at)) {
    const body = at + RECORD_HEADER_BYTES;
    records.push({
      seq: recordSeq(batch.slab, at),
      time: recordTime(batch.slab, at),
      epoch: batch.epoch,
      body: batch.slab.toString("utf8", body, body + bodyBytes(batch.slab, at)),
    });
  }
  assert.equal(records.length, batch.count, "a batch holds as many records as it says");
  return records;
}

export function readAll(journal: Journal, fromSeq = 1): Promise<Stored[]> {
  return readOn(journal.read(fromSeq));
}

export async function seqsIn(journal: Journal): Promise<number[]> {
  return (await readAll(journal)).map(({ seq }) => seq);
}

/** Names of the segment files, in order. */
export function segmentFiles(disk: FakeDisk): string[] {
  return disk.files(DIRECTORY).filter((path) => path.endsWith(".seg"));
}

/** A disk of its own with the same files. */
export function copyOf(disk: FakeDisk): FakeDisk {
  const copy = new FakeDisk();
  for (const path of disk.files()) copy.plant(path, disk.peek(path));
  return copy;
}
