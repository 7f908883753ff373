// A kept message as it lies in the body of a journal record, little-endian:
//
//   │ version 1 │ flags 1 │ subject bytes 2 │ header bytes 4 │ subject │ header block │ payload │
//
// The reply subject is not there: a message with one is a request, and requests are never kept (DESIGN §4.2).
// A later version of this layout must go on reading version 1 (test/fixtures/).

import type { Batch } from "#core/batch.ts";
import { FLAGS, HEADERS, HEADERS_END, PAYLOAD, PAYLOAD_END, SPAN_WORDS, SUBJECT, SUBJECT_END } from "#core/batch.ts";
import type { KnownSubject, SubjectCache } from "./subject-cache.ts";

const VERSION = 1;
const PREFIX_BYTES = 8;

/** Bytes that message `index` takes as a record body. */
export function keptBytes(batch: Batch, index: number): number {
  const { spans } = batch;
  const at = index * SPAN_WORDS;
  return (
    PREFIX_BYTES +
    (spans[at + SUBJECT_END]! - spans[at + SUBJECT]!) +
    (spans[at + HEADERS_END]! - spans[at + HEADERS]!) +
    (spans[at + PAYLOAD_END]! - spans[at + PAYLOAD]!)
  );
}

/** Writes message `index` of the batch into `slab` at `body`, where `keptBytes` bytes are free. */
export function encodeKept(slab: Buffer, body: number, batch: Batch, index: number): void {
  const { bytes, spans } = batch;
  const at = index * SPAN_WORDS;
  const subjectBytes = spans[at + SUBJECT_END]! - spans[at + SUBJECT]!;
  const headerBytes = spans[at + HEADERS_END]! - spans[at + HEADERS]!;
  slab[body] = VERSION;
  slab[body + 1] = spans[at + FLAGS]! & 0xff;
  slab.writeUInt16LE(subjectBytes, body + 2);
  slab.writeUInt32LE(headerBytes, body + 4);
  const subject = body + PREFIX_BYTES;
  bytes.copy(slab, subject, spans[at + SUBJECT]!, spans[at + SUBJECT_END]!);
  if (headerBytes > 0) bytes.copy(slab, subject + subjectBytes, spans[at + HEADERS]!, spans[at + HEADERS_END]!);
  bytes.copy(slab, subject + subjectBytes + headerBytes, spans[at + PAYLOAD]!, spans[at + PAYLOAD_END]!);
}

/** Where the parts of a kept message lie in its slab. One object is reused for a whole pass. */
export class KeptView {
  slab: Buffer = Buffer.alloc(0);
  subject = 0;
  headers = 0;
  payload = 0;
  end = 0;
  /** The subject, if there is a cache and it knows it. */
  known: KnownSubject | undefined;
  readonly #subjects: SubjectCache | undefined;

  constructor(subjects?: SubjectCache) {
    this.#subjects = subjects;
  }

  /** Points at the body in `slab[body, body + bodyBytes)`. False if it is of a layout this version does not know. */
  look(slab: Buffer, body: number, bodyBytes: number): boolean {
    if (bodyBytes < PREFIX_BYTES || slab[body] !== VERSION) return false;
    this.slab = slab;
    this.subject = body + PREFIX_BYTES;
    this.headers = this.subject + slab.readUInt16LE(body + 2);
    this.payload = this.headers + slab.readUInt32LE(body + 4);
    this.end = body + bodyBytes;
    if (this.payload > this.end) return false;
    this.known = this.#subjects?.find(slab, this.subject, this.headers);
    return true;
  }

  subjectText(): string {
    return this.known?.text ?? this.slab.latin1Slice(this.subject, this.headers);
  }
}
