// `petiole serial listen --record FILE`: writes down what comes, with its times, for `replay` and `guess`. Format: capture-file.ts.

import type { Clock, Millis } from "#base/clock.ts";
import { timestamp } from "#base/clock.ts";
import type { Disk, DiskFile } from "#base/disk.ts";
import { explain, isCausedBy, isFault, PetioleError, systemCode } from "#base/errors.ts";
import {
  CAPTURE_BYTES_MAX,
  type CaptureHead,
  formatCaptureChunk,
  formatCaptureHead,
} from "#ingress/serial/guess/capture-file.ts";

export const CAPTURE_NOT_WRITTEN = "CAPTURE_NOT_WRITTEN";

const WHY_NOT: Readonly<Record<string, string>> = {
  EEXIST: "it is there already; name another, or remove it",
  EISDIR: "that is a folder; name a file in it",
  ENOENT: "there is no such folder",
  ENOSPC: "the disk is full; free space, or record elsewhere",
  EROFS: "nothing can be written there; the data directory can",
};

export class Recorder implements AsyncDisposable {
  readonly #path: string;
  readonly #file: DiskFile;
  readonly #clock: Clock;
  readonly #say: (line: string) => void;
  #beganAt: Millis | undefined;
  #bytes = 0;
  #chunks = 0;
  /** Why nothing more is written; undefined: it is. */
  #fault: string | undefined;
  #tail: Promise<void> = Promise.resolve();

  /** Never over an older recording. Throws CAPTURE_NOT_WRITTEN. */
  static async create(path: string, disk: Disk, clock: Clock, say: (line: string) => void): Promise<Recorder> {
    try {
      return new Recorder(path, await disk.open(path, "create"), clock, say);
    } catch (cause) {
      if (!isFault(cause)) throw cause;
      const why = WHY_NOT[systemCode(cause) ?? ""] ?? "may you write there?";
      throw new PetioleError(CAPTURE_NOT_WRITTEN, `cannot record to ${path}: ${why}`, { remedy: "never", cause });
    }
  }

  private constructor(path: string, file: DiskFile, clock: Clock, say: (line: string) => void) {
    this.#path = path;
    this.#file = file;
    this.#clock = clock;
    this.#say = say;
  }

  /** From here on time is counted. */
  begin(head: Omit<CaptureHead, "started">): void {
    this.#beganAt = this.#clock.now();
    this.#append(formatCaptureHead({ ...head, started: timestamp(this.#clock.wall()) }));
  }

  /** A borrowed chunk. */
  add(chunk: Buffer): void {
    if (this.#beganAt === undefined) return;
    this.#chunks += 1;
    this.#append(formatCaptureChunk(this.#clock.now() - this.#beganAt, chunk));
  }

  /** Waits for what is still to be written. */
  async finish(): Promise<boolean> {
    await this.#tail;
    return this.isWhole;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tail;
    try {
      await this.#file[Symbol.asyncDispose]();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#fail(error);
    }
    if (this.isWhole) this.#say(`recorded ${this.#chunks} chunks to ${this.#path}`);
  }

  /** False: something that came is not in the file. */
  get isWhole(): boolean {
    return this.#fault === undefined;
  }

  #append(text: string): void {
    if (this.#fault !== undefined) return;
    const bytes = Buffer.from(text);
    if (this.#bytes + bytes.length > CAPTURE_BYTES_MAX) {
      this.#end(`${this.#path} is full (${CAPTURE_BYTES_MAX} bytes); what comes later is not in it`);
      return;
    }
    const at = this.#bytes;
    this.#bytes += bytes.length;
    this.#tail = this.#tail.then(() => this.#write(bytes, at));
  }

  async #write(bytes: Buffer, at: number): Promise<void> {
    if (this.#fault !== undefined) return;
    try {
      await this.#file.write(bytes, at);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const why = isCausedBy(error, "ENOSPC") ? "the disk is full; free space, or record elsewhere" : explain(error);
    this.#end(`recording to ${this.#path} ended, what comes later is not in it: ${why}`);
  }

  /** Said when it happens: whoever records for hours should not learn it at the end. */
  #end(fault: string): void {
    if (this.#fault === undefined) this.#say(fault);
    this.#fault ??= fault;
  }
}
