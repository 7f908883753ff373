// Who did what on the page, and who was refused: one JSON line each in <data>/audit/trail, synced before the answer goes out.
//
//   trail      appended to; at 256 KiB it becomes trail.1 and a new one begins: two files at most
//
// A power cut leaves a torn last line at worst, which the next start cuts off. Failures come from strangers and flash wears: beyond
// FAILURES_PER_HOUR they are counted, and the next line that is written says how many were left out.

import { TokenBucket } from "#access/token-bucket.ts";
import { type Clock, timestamp } from "#base/clock.ts";
import { type Disk, type DiskFile, ensureDirectory, readWhole } from "#base/disk.ts";
import { diskWords } from "#base/disk-words.ts";
import { explain, isFault, systemCode } from "#base/errors.ts";
import type { Log } from "#base/log.ts";

const FILE_BYTES_MAX = 256 * 1024;
const FAILURES_PER_HOUR = 60;
const TEXT_CHARS_MAX = 200;

export interface AuditEvent {
  /** What was done or tried: "login", "settings changed". */
  readonly action: string;
  readonly outcome: "done" | "refused";
  /** null: nobody was logged in. For a login: the name that was shown. */
  readonly user: string | null;
  readonly address: string;
  readonly detail?: string;
}

export interface AuditLine extends AuditEvent {
  readonly at: string;
  /** Failures before this line that were not written. */
  readonly left_out?: number;
}

export class Audit implements AsyncDisposable {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #failures: TokenBucket;
  #file: DiskFile | undefined;
  #bytes = 0;
  #leftOut = 0;
  #isClosed = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** Never fails: a page without a trail is worse than none, but the device must still be mended by it; the log tells. */
  static async open(dataDir: string, env: { readonly disk: Disk; readonly clock: Clock; readonly log: Log }): Promise<Audit> {
    const audit = new Audit(`${dataDir}/audit`, env);
    await audit.#inTurn(() => audit.#reopen());
    return audit;
  }

  private constructor(directory: string, env: { readonly disk: Disk; readonly clock: Clock; readonly log: Log }) {
    this.#directory = directory;
    this.#disk = env.disk;
    this.#clock = env.clock;
    this.#log = env.log;
    this.#failures = new TokenBucket({ perSecond: FAILURES_PER_HOUR / 3600, burst: FAILURES_PER_HOUR }, env.clock);
  }

  /** Resolves when it is on flash. What a request that outlived the page has done is kept, too. */
  async note(event: AuditEvent): Promise<void> {
    if (event.outcome === "refused" && !this.#failures.tryTake()) {
      this.#leftOut += 1;
      return;
    }
    const leftOut = this.#leftOut === 0 ? {} : { left_out: this.#leftOut };
    this.#leftOut = 0;
    const line: AuditLine = { at: timestamp(this.#clock.wall()), ...clipped(event), ...leftOut };
    await this.#inTurn(() => this.#append(Buffer.from(`${JSON.stringify(line)}\n`)));
  }

  /** The last lines, newest first. */
  async last(count: number): Promise<readonly AuditLine[]> {
    const texts: string[] = [];
    await this.#inTurn(async () => {
      for (const name of ["trail.1", "trail"]) {
        const bytes = await readWhole(this.#disk, `${this.#directory}/${name}`, 2 * FILE_BYTES_MAX);
        texts.push(...(bytes?.toString("utf8").split("\n") ?? []));
      }
    });
    const lines = texts.flatMap((text) => tryLine(text) ?? []);
    return lines.slice(-count).reverse();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#inTurn(() => this.#letGo());
  }

  async #letGo(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.[Symbol.asyncDispose]();
  }

  async #append(line: Buffer): Promise<void> {
    if (this.#file === undefined) await this.#reopen();
    else this.#bytes = await this.#file.size(); // a request that outlived the page before this one may have noted something
    if (this.#bytes > 0 && this.#bytes + line.length > FILE_BYTES_MAX) {
      await this.#letGo();
      await this.#disk.rename(`${this.#directory}/trail`, `${this.#directory}/trail.1`);
      await this.#reopen();
    }
    await this.#file!.write(line, this.#bytes);
    await this.#file!.datasync();
    this.#bytes += line.length;
    if (this.#isClosed) await this.#letGo();
  }

  async #reopen(): Promise<void> {
    await ensureDirectory(this.#disk, this.#directory);
    const path = `${this.#directory}/trail`;
    try {
      this.#file = await this.#disk.open(path, "update");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      this.#file = await this.#disk.open(path, "create");
      await this.#disk.syncDirectory(this.#directory);
    }
    const bytes = (await readWhole(this.#disk, path, 2 * FILE_BYTES_MAX)) ?? Buffer.alloc(0);
    this.#bytes = bytes.lastIndexOf("\n") + 1;
    if (this.#bytes < bytes.length) await this.#file.truncate(this.#bytes);
  }

  /** A disk that fails is told of and does not stop what is noted: whoever mends it does so by this page. */
  #inTurn(action: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(action).catch(async (error: unknown) => {
      if (!isFault(error)) throw error;
      const { remedy } = diskWords(error) ?? {};
      this.#log.error("the audit trail cannot be kept", { error: explain(error), remedy });
      await this.#letGo();
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** Names come from strangers. */
function clipped(event: AuditEvent): AuditEvent {
  const clip = (text: string) => (text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX)}…`);
  const { action, outcome, user, address, detail } = event;
  const rest = detail === undefined ? {} : { detail: clip(detail) };
  return { action, outcome, user: user === null ? null : clip(user), address, ...rest };
}

function tryLine(text: string): AuditLine | undefined {
  try {
    return text === "" ? undefined : (JSON.parse(text) as AuditLine); // we wrote it
  } catch {
    return undefined; // rot, or the blocks of a power cut
  }
}
