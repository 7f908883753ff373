// What a process wrote and how often it made it durable: by the kernel's account, and by a look at its system calls.

import * as fs from "node:fs/promises";
import { SpawnedProcess } from "./processes.ts";

export interface IoFigures {
  /** Bytes of pages made dirty on their way to a block device: a page that is written twice before it gets there counts once. */
  readonly pageBytes: number;
  /** Bytes of every write and send, sockets included. */
  readonly writtenBytes: number;
}

/** Source: /proc/PID/io, proc(5). */
export async function readIo(pid: number): Promise<IoFigures> {
  const text = await fs.readFile(`/proc/${pid}/io`, "latin1");
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)![1]);
  return { pageBytes: field("write_bytes"), writtenBytes: field("wchar") };
}

export interface SyncCounts {
  readonly fdatasync: number;
  readonly fsync: number;
  readonly writes: number;
  /** Bytes of all writes at a position of a file: those of journals, cursors and settings. */
  readonly bytes: number;
}

/** Watches the file writes and syncs of a running process, all threads, through strace. */
export class SyncWatch implements AsyncDisposable {
  readonly #strace: SpawnedProcess;

  static async of(pid: number): Promise<SyncWatch> {
    const calls = "trace=fdatasync,fsync,pwrite64,pwritev,pwritev2";
    const strace = await SpawnedProcess.start("strace", ["-f", "-p", String(pid), "-e", calls, "-e", "signal=none", "-s", "0"]);
    try {
      await strace.says(/attached/);
    } catch (error) {
      await strace.kill();
      throw error;
    }
    return new SyncWatch(strace);
  }

  private constructor(strace: SpawnedProcess) {
    this.#strace = strace;
  }

  /** Since it began to watch. Ends the watch. */
  async end(): Promise<SyncCounts> {
    this.#strace.signal("SIGINT"); // it lets go of the process and says the rest
    await this.#strace.exited;
    const text = this.#strace.stderr;
    const count = (call: string) => text.match(new RegExp(`\\b${call}\\(`, "g"))?.length ?? 0;
    const sizes = text.matchAll(/\bpwrite(?:64|v2?)\b(?:\(.*|.* resumed>.*) = (\d+)$/gm);
    let bytes = 0;
    for (const [, size] of sizes) bytes += Number(size);
    return { fdatasync: count("fdatasync"), fsync: count("fsync"), writes: count("pwrite64") + count("pwritev2?"), bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#strace.signal("SIGINT");
    await this.#strace.exited;
  }
}
