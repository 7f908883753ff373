// Running another program: a file and its arguments, never a shell. The seam that tests replace.

import { spawn } from "node:child_process";
import type { Millis } from "./clock.ts";

export interface ExecRequest {
  /** Looked up on PATH when it has no slash. */
  readonly file: string;
  readonly args: readonly string[];
  /** Given on standard input; without it the input is empty. */
  readonly input?: string;
  /** It is killed after this long. */
  readonly timeoutMs: Millis;
  /** Of standard output and of standard error each; it is killed beyond. */
  readonly outputBytesMax?: number;
}

export interface ExecResult {
  /** null: it was killed. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Why we killed it, if we did. */
  readonly killed: "timeout" | "output" | null;
}

export interface Exec {
  /** Rejects with the system's fault (ENOENT, EACCES) when it cannot be started, and with the signal's reason. */
  run(request: ExecRequest, signal: AbortSignal): Promise<ExecResult>;
}

const OUTPUT_BYTES_MAX = 4_194_304;

/** Where the system's own programs lie. */
export function systemExec(): Exec {
  return openExec("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

/** The real one. The program gets no environment but PATH and a plain locale, so that its words do not vary. */
export function openExec(searchPath: string): Exec {
  return { run: (request, signal) => run(request, searchPath, signal) };
}

function run(request: ExecRequest, searchPath: string, signal: AbortSignal): Promise<ExecResult> {
  signal.throwIfAborted();
  const limit = request.outputBytesMax ?? OUTPUT_BYTES_MAX;
  const { promise, resolve, reject } = Promise.withResolvers<ExecResult>();
  // Killed by spawn itself after the time; SIGKILL, since what hangs may not listen to less.
  const child = spawn(request.file, [...request.args], {
    env: { PATH: searchPath, LC_ALL: "C" },
    timeout: request.timeoutMs,
    killSignal: "SIGKILL",
    signal,
    windowsHide: true,
  });
  let killed: "output" | null = null;
  const gather = (chunks: Buffer[]) => {
    let bytes = 0;
    return (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limit) chunks.push(chunk);
      else if (killed === null) {
        killed = "output";
        child.kill("SIGKILL");
      }
    };
  };
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", gather(stdout));
  child.stderr.on("data", gather(stderr));
  child.stdin.on("error", () => {
    // it may end without reading: its exit status tells
  });
  child.on("error", (error) => reject(signal.aborted ? signal.reason : error));
  child.on("close", (status) => {
    const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
    const why = killed ?? (status === null && !signal.aborted ? "timeout" : null);
    resolve({ status, stdout: text(stdout), stderr: text(stderr), killed: why });
  });
  child.stdin.end(request.input ?? "");
  return promise;
}
