// The bench's side of the talk with a worker process: a request and its answer. See worker-channel.ts.

import * as path from "node:path";
import { SpawnedProcess } from "../../../test/support/processes.ts";
import { type Cores, pinned, within } from "./cores.ts";

/** Above the longest run that any workload asks for. */
const ANSWER_MS = 90_000;

export type WorkerFile =
  | "load-worker.ts"
  | "mqtt-load-worker.ts"
  | "subscriber-worker.ts"
  | "outbox-load-worker.ts"
  | "hostile-worker.ts"
  | "hostile-device.ts"
  | "floor-sink.ts"
  | "site-load-worker.ts";

export interface WorkerOptions {
  /** It takes only the time nobody else wants. */
  readonly isPatient?: boolean;
  /** What its command line begins with: see systems.ts, `Line`. */
  readonly within?: readonly string[];
}

const PATIENT = ["nice", "-n", "19"] as const;

export class Worker implements AsyncDisposable {
  readonly #process: SpawnedProcess;
  readonly #signal: AbortSignal;
  #lastId = 0;

  static async start(file: WorkerFile, cores: Cores, signal: AbortSignal, options: WorkerOptions = {}): Promise<Worker> {
    const words = [...(options.isPatient ? PATIENT : []), process.execPath, path.join(import.meta.dirname, file)];
    const [command, args] = pinned(cores.load, words[0]!, words.slice(1));
    return new Worker(await SpawnedProcess.start(...within(options.within ?? [], command, args)), signal);
  }

  private constructor(process: SpawnedProcess, signal: AbortSignal) {
    this.#process = process;
    this.#signal = signal;
  }

  async request<T extends object>(what: string, parameters: object = {}): Promise<T> {
    this.#signal.throwIfAborted();
    const id = ++this.#lastId;
    const { promise: interrupted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(this.#signal.reason);
    this.#signal.addEventListener("abort", onAbort, { once: true });
    try {
      this.#process.write(`${JSON.stringify({ id, do: what, ...parameters })}\n`);
      const line = await Promise.race([this.#process.when(() => this.#answerTo(id), `to ${what}`, ANSWER_MS), interrupted]);
      const answer = JSON.parse(line) as T & { readonly error?: string };
      if (answer.error !== undefined) throw new Error(`${what}: ${answer.error}`);
      return answer;
    } finally {
      this.#signal.removeEventListener("abort", onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.endInput();
    await this.#process[Symbol.asyncDispose]();
  }

  #answerTo(id: number): string | undefined {
    const lines = this.#process.stdout.split("\n").slice(0, -1); // after the last newline there is only half a line
    return lines.find((line) => line.startsWith(`{"id":${id},`) || line === `{"id":${id}}`);
  }
}
