// Other programs in tests: started with their output kept, ended for certain.
//
// Disposing asks with SIGTERM, insists with SIGKILL, and resolves only when the process is gone.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";

export interface SpawnOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How long a process may take to end politely, in milliseconds. */
const POLITE_MS = 5_000;
/** How long a test waits for a line before it gives up, in milliseconds. */
const LINE_TIMEOUT_MS = 10_000;
const OUTPUT_CHARS_MAX = 1_000_000;

export class SpawnedProcess implements AsyncDisposable {
  /** The command line, for messages. */
  readonly title: string;
  /** Resolves when it has ended, by itself or not; never rejects. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #listeners = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #output = "";
  #exit: Exit | undefined;

  /** Resolves once the program runs; rejects if there is none of that name. */
  static async start(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<SpawnedProcess> {
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once("spawn", resolve).once("error", (cause) => {
      reject(new Error(`${command} could not be started: ${cause.message}`, { cause }));
    });
    const spawned = new SpawnedProcess([command, ...args].join(" "), child);
    await promise;
    return spawned;
  }

  private constructor(title: string, child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.title = title;
    this.#child = child;
    child.stdin.on("error", () => undefined); // it may close its input whenever it likes
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-OUTPUT_CHARS_MAX);
      this.#heard(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-OUTPUT_CHARS_MAX);
      this.#heard(text);
    });
    const { promise, resolve } = Promise.withResolvers<Exit>();
    child.once("close", (code, signal) => {
      this.#exit = { code, signal };
      resolve(this.#exit);
      this.#heard("");
    });
    this.exited = promise;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Both streams in the order they came; the newest million characters. */
  get output(): string {
    return this.#output;
  }

  get hasExited(): boolean {
    return this.#exit !== undefined;
  }

  /** What the pattern matches in the output, now or later. Rejects when the process ends first or says nothing of the kind. */
  async says(pattern: RegExp, timeoutMs = LINE_TIMEOUT_MS): Promise<RegExpExecArray> {
    return await this.when(() => pattern.exec(this.#output) ?? undefined, `to say ${pattern}`, timeoutMs);
  }

  /** The first answer of `look` that is not undefined; asked again whenever the process has said something. */
  async when<T>(look: () => T | undefined, wanted: string, timeoutMs = LINE_TIMEOUT_MS): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const check = () => {
      const found = look();
      if (found !== undefined) resolve(found);
      else if (this.#exit !== undefined)
        reject(this.#complaint(`ended with ${this.#exit.signal ?? `code ${this.#exit.code}`}`, wanted));
    };
    const timer = setTimeout(() => reject(this.#complaint(`${timeoutMs} ms went by`, wanted)), timeoutMs);
    this.#listeners.add(check);
    check();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(check);
    }
  }

  write(bytes: string | Uint8Array): void {
    this.#child.stdin.write(bytes);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /** False when it is gone already. */
  signal(name: NodeJS.Signals): boolean {
    return this.#child.kill(name);
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<Exit> {
    this.signal("SIGKILL");
    return await this.exited;
  }

  /** Ends it politely; insists when that takes too long. A stopped process is woken first. */
  async stop(): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit;
    this.signal("SIGTERM");
    this.signal("SIGCONT");
    const timer = setTimeout(() => this.signal("SIGKILL"), POLITE_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #heard(text: string): void {
    this.#output = (this.#output + text).slice(-OUTPUT_CHARS_MAX);
    for (const listener of [...this.#listeners]) listener();
  }

  #complaint(what: string, wanted: string): Error {
    return new Error(`waited for ${this.title} ${wanted}, but ${what}. It said:\n${this.#output.slice(-4_000)}`);
  }
}
