// The addresses at which each host name of a remote last led to a ready link, kept on flash beside its outbox: when DNS is away, they
// are tried. Written seldom: a link that comes and goes must not wear the card.
//
//   addresses.json   {"version":1,"hosts":{"hub1.example.com":[{"address":"192.0.2.1","good_at":1795314996123}]}}

import { isIP } from "node:net";
import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import { type Disk, ensureDirectory, readWhole, replaceWhole } from "#base/disk.ts";
import { diskWords } from "#base/disk-words.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";

export interface KnownAddress {
  readonly address: string;
  readonly family: 4 | 6;
  /** When a link over it was last ready, by a calendar that may have been wrong. */
  readonly goodAt: WallMillis;
}

export interface AddressBookEnv {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
}

const FILE_NAME = "addresses.json";
const FILE_BYTES_MAX = 128 * 1024;
const HOSTS_MAX = 64;
const ADDRESSES_PER_HOST_MAX = 8;
const HOST_CHARS_MAX = 253;
/** Writes are at least this far apart; what changed meanwhile waits. */
const WRITE_EVERY_MS: Millis = 10 * 60_000;
/** Being good again is worth a write only after this long. */
const REFRESH_AFTER_MS: Millis = 24 * 3_600_000;

export class AddressBook implements AsyncDisposable {
  readonly #directory: string;
  readonly #env: AddressBookEnv;
  /** Addresses per host, the last good one first. The host used last stands last. */
  readonly #hosts: Map<string, readonly KnownAddress[]>;
  #isDirty = false;
  #writing: Promise<void> | undefined;
  #timer: Disposable | undefined;
  #hasFailed = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  /** Reads `addresses.json` in `directory`. A damaged one is told to the log and passed over: the book is only a help. */
  static async open(directory: string, env: AddressBookEnv): Promise<AddressBook> {
    try {
      const bytes = await readWhole(env.disk, `${directory}/${FILE_NAME}`, FILE_BYTES_MAX + 1);
      const hosts = bytes === undefined ? new Map() : tryParse(bytes);
      if (hosts !== undefined) return new AddressBook(directory, env, hosts);
      env.log.warn(`${directory}/${FILE_NAME} is damaged: starting without remembered addresses`, { bytes: bytes?.length });
    } catch (error) {
      if (!isFault(error)) throw error;
      env.log.warn(
        `${directory}/${FILE_NAME} ${diskWords(error)?.found ?? "cannot be read"}: starting without remembered addresses: ${explain(error)}`,
      );
    }
    return new AddressBook(directory, env, new Map());
  }

  private constructor(directory: string, env: AddressBookEnv, hosts: Map<string, readonly KnownAddress[]>) {
    this.#directory = directory;
    this.#env = env;
    this.#hosts = hosts;
  }

  /** The last good one first; none for a host that was never reached. */
  known(host: string): readonly KnownAddress[] {
    return this.#hosts.get(host) ?? [];
  }

  /** A link to `host` over `address` became ready. */
  remember(host: string, address: string): void {
    const family = isIP(address);
    if (this.#isClosed || family === 0 || isIP(host) !== 0 || host.length > HOST_CHARS_MAX) return;
    const before = this.known(host);
    const goodAt = this.#env.clock.wall();
    const others = before.filter((each) => each.address !== address).slice(0, ADDRESSES_PER_HOST_MAX - 1);
    this.#hosts.delete(host);
    this.#hosts.set(host, [{ address, family: family === 4 ? 4 : 6, goodAt }, ...others]);
    if (this.#hosts.size > HOSTS_MAX) this.#hosts.delete(this.#hosts.keys().next().value!);
    const last = before[0];
    if (last?.address === address && Math.abs(goodAt - last.goodAt) < REFRESH_AFTER_MS) {
      this.#hosts.set(host, [last, ...others]); // as it stands on flash, so that the day's end is still seen
      return;
    }
    this.#isDirty = true;
    this.#writeSoon();
  }

  /** Writes what is not on flash yet. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    await this.#writing;
    if (this.#isDirty) await this.#write();
  }

  #writeSoon(): void {
    if (this.#writing !== undefined || this.#timer !== undefined) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#isClosed) return;
      this.#timer = this.#env.clock.after(WRITE_EVERY_MS, () => {
        this.#timer = undefined;
        if (this.#isDirty) this.#writeSoon();
      });
    });
  }

  /** A write that fails is told once and tried again later. */
  async #write(): Promise<void> {
    this.#isDirty = false;
    const text = format(this.#hosts);
    try {
      await ensureDirectory(this.#env.disk, this.#directory);
      await replaceWhole(this.#env.disk, this.#directory, FILE_NAME, Buffer.from(text));
      this.#hasFailed = false;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#isDirty = true;
      if (!this.#hasFailed) this.#env.log.warn(`cannot write ${this.#directory}/${FILE_NAME}: ${explain(error)}`);
      this.#hasFailed = true;
    }
  }
}

function format(hosts: ReadonlyMap<string, readonly KnownAddress[]>): string {
  const table = Object.fromEntries(
    Array.from(hosts, ([host, all]) => [host, all.map(({ address, goodAt }) => ({ address, good_at: goodAt }))]),
  );
  return `${JSON.stringify({ version: 1, hosts: table })}\n`;
}

/** undefined: not a book. Single entries that make no sense are dropped. */
function tryParse(bytes: Buffer): Map<string, readonly KnownAddress[]> | undefined {
  if (bytes.length > FILE_BYTES_MAX) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined; // the caller says that it is damaged
  }
  const { version, hosts } = recordOf(parsed);
  if (version !== 1 || typeof hosts !== "object" || hosts === null || Array.isArray(hosts)) return undefined;
  const book = new Map<string, readonly KnownAddress[]>();
  for (const [host, list] of Object.entries(hosts).slice(-HOSTS_MAX)) {
    if (host.length > HOST_CHARS_MAX || !Array.isArray(list)) continue;
    const known = list.slice(0, ADDRESSES_PER_HOST_MAX).flatMap(tryAddress);
    if (known.length > 0) book.set(host, known);
  }
  return book;
}

function tryAddress(value: unknown): KnownAddress[] {
  const { address, good_at: goodAt } = recordOf(value);
  if (typeof address !== "string" || typeof goodAt !== "number" || !Number.isFinite(goodAt)) return [];
  const family = isIP(address);
  return family === 0 ? [] : [{ address, family: family === 4 ? 4 : 6, goodAt }];
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
