// Writes journals as version 1 did. The program itself only reads them any more.

import { crc32c } from "#base/crc32c.ts";
import { encodeCursor } from "#journal/cursor.ts";
import { bodyBytes, RECORD_HEADER_BYTES, recordBytes } from "#journal/record.ts";
import { formatName } from "#journal/segment-header.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { DIRECTORY, layOut, type NewRecord } from "./harness.ts";

export const HEADER_1_BYTES = 64;

/** Fills in mark and checksums of a record that lies in memory. */
export function sealRecord(slab: Buffer, at: number, salt: number, isFirst: boolean): void {
  const length = bodyBytes(slab, at);
  const body = at + RECORD_HEADER_BYTES;
  slab.writeUInt32LE(isFirst ? length + 0x8000_0000 : length, at + 8);
  slab.writeUInt32LE(crc32c(slab, body, body + length, salt), at + 4);
  slab.writeUInt32LE(crc32c(slab, at + 4, body, salt), at);
}

export function header1(number: number, epoch: number, salt: number, firstSeq: number): Buffer {
  const bytes = Buffer.alloc(HEADER_1_BYTES);
  bytes.latin1Write("PTLJRNL\n", 0);
  bytes.writeUInt32LE(1, 8);
  bytes.writeUInt32LE(HEADER_1_BYTES, 12);
  bytes.writeBigUInt64LE(BigInt(number), 16);
  bytes.writeBigUInt64LE(BigInt(epoch), 24);
  bytes.writeBigUInt64LE(BigInt(firstSeq), 32);
  bytes.writeUInt32LE(salt, 48);
  bytes.writeUInt32LE(crc32c(bytes, 0, 60), 60);
  return bytes;
}

/** A closed journal of `groups`, one append each, and its first segment file. */
export function storedAs1(groups: readonly (readonly NewRecord[])[], disk = new FakeDisk(), segmentBytes = 1 << 20) {
  const epoch = 1;
  const files: string[] = [];
  let number = 0;
  let salt = 0;
  let parts: Buffer[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  const flush = () => {
    if (number === 0) return;
    const path = `${DIRECTORY}/${formatName({ number, epoch, salt })}`;
    disk.plant(path, Buffer.concat(parts));
    files.push(path);
  };
  for (const group of groups) {
    const { slab, end } = layOut(group);
    if (bytes + end > segmentBytes) {
      flush();
      number += 1;
      salt = 0x9f1c22ab + number;
      parts = [header1(number, epoch, salt, group[0]!.seq)];
      bytes = HEADER_1_BYTES;
    }
    for (let at = 0; at < end; at += recordBytes(slab, at)) sealRecord(slab, at, salt, at === 0);
    parts.push(slab);
    bytes += end;
  }
  flush();
  const cursor = encodeCursor(
    { epoch, freedThrough: 0, lastSeq: groups.at(-1)?.at(-1)?.seq ?? 0 },
    { wall: 0, boot: null, mono: 0 },
  );
  for (const name of ["epoch", "cursor"]) disk.plant(`${DIRECTORY}/${name}`, cursor);
  return { disk, file: files[0]!, files };
}
