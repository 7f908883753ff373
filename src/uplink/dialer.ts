// From an endpoint to a connected stream: DNS, the addresses remembered, and a race between addresses that is patient.
//
//   DNS ──answers──▶ addresses in order ─▶ attempt ─ 2 s ─▶ attempt ─ 2 s ─▶ attempt …     the first that connects wins
//    └─ silent for 3 s, or fails ─▶ addresses remembered ─▶ (join the same race)
//
// Node's own racing gives an address 250 ms, which an LTE modem needs to wake up. Here the next attempt starts beside the one under
// way after three usual connect times, and each has 20 s. The caller's signal is the limit of the whole.

import { isIP } from "node:net";
import type { Clock, Millis } from "#base/clock.ts";
import { explain, PetioleError, systemCode } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { type ByteStream, type Endpoint, formatEndpoint, type Net } from "#base/net.ts";
import type { Resolver } from "#base/resolver.ts";
import type { AddressBook, KnownAddress } from "./address-book.ts";
import { orderAddresses } from "./address-order.ts";

/** No address answered. The message names each address and its cause. */
export const DIAL_FAILED = "DIAL_FAILED";
/** The caller's signal ended it; its reason is the cause. The message says what was still waited for. */
export const DIAL_GIVEN_UP = "DIAL_GIVEN_UP";

export interface DialerEnv {
  readonly clock: Clock;
  readonly net: Pick<Net, "dial">;
  readonly resolver: Resolver;
  readonly log: Log;
}

export interface DialerLimits {
  /** One address may take this long. */
  readonly attempt: Millis;
  /** DNS may take this long before remembered addresses are tried. */
  readonly dns: Millis;
}

const LIMITS: DialerLimits = { attempt: 20_000, dns: 3_000 };
/** Between the starts of two attempts while nothing is known of the network, and the bounds of what is learnt. */
const RACE_DELAY_MS: Millis = 2_000;
const RACE_DELAY_MIN_MS: Millis = 1_000;
const RACE_DELAY_MAX_MS: Millis = 5_000;
/** Remembered addresses older than this are tried all the same, but the log says how old they are. */
const OLD_AFTER_MS: Millis = 30 * 24 * 3_600_000;
const HOSTS_MAX = 64;

export class Dialer {
  readonly #env: DialerEnv;
  readonly #book: Pick<AddressBook, "known" | "remember"> | null;
  readonly #limits: DialerLimits;
  readonly #races = new Set<Race>();
  /** By which address each host was connected last; good only once the caller says so. */
  readonly #connected = new Map<string, string>();
  #connectTook: Millis | null = null;
  #lastFamily: 4 | 6 | null = null;

  constructor(env: DialerEnv, book: Pick<AddressBook, "known" | "remember"> | null, limits: Partial<DialerLimits> = {}) {
    this.#env = env;
    this.#book = book;
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * Connects to one of the addresses of `endpoint`. Throws DIAL_FAILED, or DIAL_GIVEN_UP if the signal is aborted first. The caller
   * owns the stream and listens for its errors at once; nothing else is left open.
   */
  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<ByteStream> {
    const race = new Race(endpoint, this.#env, this.#limits, {
      known: this.#book?.known(endpoint.host) ?? [],
      lastFamily: this.#lastFamily,
      delay: this.#raceDelay,
    });
    this.#races.add(race);
    try {
      const { stream, address, took } = await race.run(signal);
      this.#connectTook = this.#connectTook === null ? took : this.#connectTook * 0.75 + took * 0.25;
      this.#lastFamily = isIP(address) === 6 ? 6 : 4;
      this.#connected.delete(endpoint.host);
      this.#connected.set(endpoint.host, address);
      if (this.#connected.size > HOSTS_MAX) this.#connected.delete(this.#connected.keys().next().value!);
      return stream;
    } finally {
      this.#races.delete(race);
    }
  }

  /** The link over the stream last dialed to `endpoint` became ready: that address is worth remembering. */
  onUp(endpoint: Endpoint): void {
    const address = this.#connected.get(endpoint.host);
    if (address !== undefined) this.#book?.remember(endpoint.host, address);
  }

  /** What the dials under way wait for, for people: "hub1:7422: DNS not answered yet; 192.0.2.1: no answer for 4.0 s". */
  underWay(): readonly string[] {
    return Array.from(this.#races, (race) => race.describe());
  }

  get #raceDelay(): Millis {
    if (this.#connectTook === null) return RACE_DELAY_MS;
    return Math.min(RACE_DELAY_MAX_MS, Math.max(RACE_DELAY_MIN_MS, 3 * this.#connectTook));
  }
}

interface RaceHints {
  readonly known: readonly KnownAddress[];
  readonly lastFamily: 4 | 6 | null;
  readonly delay: Millis;
}

interface Won {
  readonly stream: ByteStream;
  readonly address: string;
  readonly took: Millis;
}

interface Attempt {
  readonly controller: AbortController;
  readonly startedAt: Millis;
}

/** One dial: it ends with the first connection, with the last failure, or with the caller's signal. */
class Race {
  readonly #endpoint: Endpoint;
  readonly #env: DialerEnv;
  readonly #limits: DialerLimits;
  readonly #hints: RaceHints;
  readonly #result = Promise.withResolvers<Won>();
  readonly #dnsScope = new AbortController();
  readonly #running = new Map<string, Attempt>();
  readonly #failures: string[] = [];
  /** Tried already, or being tried. */
  readonly #seen = new Set<string>();
  #queue: readonly string[] = [];
  #dns: "asking" | "answered" | "failed" = "asking";
  #usedMemory = false;
  #isOver = false;
  #startedLastAt: Millis = 0;
  #pace: Disposable | undefined;
  #dnsLimit: Disposable | undefined;

  constructor(endpoint: Endpoint, env: DialerEnv, limits: DialerLimits, hints: RaceHints) {
    this.#endpoint = endpoint;
    this.#env = env;
    this.#limits = limits;
    this.#hints = hints;
  }

  async run(signal: AbortSignal): Promise<Won> {
    const onAbort = () => {
      const text = `gave up on ${formatEndpoint(this.#endpoint)}: ${this.#account()}`;
      this.#result.reject(new PetioleError(DIAL_GIVEN_UP, text, { cause: signal.reason }));
      this.#end();
    };
    if (signal.aborted) onAbort();
    else this.#start();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await this.#result.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#end();
    }
  }

  describe(): string {
    return `${formatEndpoint(this.#endpoint)}: ${this.#account()}`;
  }

  // ── where addresses come from ───────────────────────────────────────────────────────────────────────────────────────

  #start(): void {
    const { host } = this.#endpoint;
    if (isIP(host) !== 0) {
      this.#dns = "answered";
      this.#enqueue([host]);
      return;
    }
    this.#dnsLimit = this.#env.clock.after(this.#limits.dns, () => {
      this.#useMemory(`DNS has not answered for ${host} within ${this.#limits.dns / 1000} s`);
    });
    this.#env.resolver.resolve(host, this.#dnsScope.signal).then(
      (answer) => {
        if (this.#isOver) return;
        this.#dns = "answered";
        this.#dnsLimit?.[Symbol.dispose]();
        const good = this.#hints.known.map(({ address }) => address);
        this.#enqueue(orderAddresses(answer, { good, lastFamily: this.#hints.lastFamily }).map(({ address }) => address));
      },
      (error: unknown) => {
        if (this.#isOver) return;
        this.#dns = "failed";
        this.#dnsLimit?.[Symbol.dispose]();
        this.#failures.push(explain(error));
        this.#useMemory(explain(error));
        this.#advance();
      },
    );
  }

  #useMemory(why: string): void {
    const { known } = this.#hints;
    if (this.#usedMemory || known.length === 0) return;
    this.#usedMemory = true;
    const age = this.#env.clock.wall() - known[0]!.goodAt;
    const days = Math.floor(age / 86_400_000);
    const oldness = age > OLD_AFTER_MS ? ` (the newest worked ${days} days ago)` : "";
    const text = `${why}; trying the addresses remembered for ${this.#endpoint.host}${oldness}`;
    if (age > OLD_AFTER_MS) this.#env.log.warn(text, { addresses: known.length });
    else this.#env.log.info(text, { addresses: known.length });
    const ordered = orderAddresses(known, { good: [known[0]!.address], lastFamily: this.#hints.lastFamily });
    this.#enqueue(ordered.map(({ address }) => address));
  }

  // ── the race ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** In front of what still waits: what DNS says counts more than what is remembered. */
  #enqueue(addresses: readonly string[]): void {
    const fresh = addresses.filter((address) => !this.#seen.has(address));
    this.#queue = [...fresh, ...this.#queue.filter((address) => !fresh.includes(address))];
    this.#advance();
  }

  /** Starts the next attempt if its time has come; tells the end when nothing is left to hope for. */
  #advance(): void {
    if (this.#isOver) return;
    const [address, ...rest] = this.#queue;
    if (address === undefined) {
      if (this.#running.size === 0 && this.#dns !== "asking") this.#lose();
      return;
    }
    const now = this.#env.clock.now();
    const wait = this.#running.size === 0 ? 0 : this.#startedLastAt + this.#hints.delay - now;
    this.#pace?.[Symbol.dispose]();
    if (wait > 0) {
      this.#pace = this.#env.clock.after(wait, () => this.#advance());
      return;
    }
    this.#queue = rest;
    this.#startedLastAt = now;
    void this.#attempt(address, now);
    if (rest.length > 0) this.#pace = this.#env.clock.after(this.#hints.delay, () => this.#advance());
  }

  async #attempt(address: string, startedAt: Millis): Promise<void> {
    const controller = new AbortController();
    this.#seen.add(address);
    this.#running.set(address, { controller, startedAt });
    using _limit = this.#env.clock.after(this.#limits.attempt, () => {
      controller.abort(new PetioleError(DIAL_FAILED, `no answer within ${this.#limits.attempt / 1000} s`));
    });
    try {
      const stream = await this.#env.net.dial({ host: address, port: this.#endpoint.port }, controller.signal);
      if (this.#isOver) discard(stream);
      else {
        this.#running.delete(address);
        this.#isOver = true; // whoever connects in the same turn is too late
        this.#result.resolve({ stream, address, took: this.#env.clock.now() - startedAt });
      }
    } catch (error) {
      this.#running.delete(address);
      if (this.#isOver) return;
      this.#failures.push(`${address}: ${plainCause(error)}`);
      // A refusal makes room at once: waiting out the delay would help nobody.
      this.#startedLastAt = Number.NEGATIVE_INFINITY;
      this.#advance();
    }
  }

  #lose(): void {
    this.#isOver = true;
    const text = `cannot connect to ${formatEndpoint(this.#endpoint)}: ${this.#failures.join("; ")}`;
    this.#result.reject(new PetioleError(DIAL_FAILED, text));
  }

  /** Idempotent: stops the timers, DNS and every attempt still under way. */
  #end(): void {
    this.#isOver = true;
    this.#pace?.[Symbol.dispose]();
    this.#dnsLimit?.[Symbol.dispose]();
    const reason = new PetioleError(DIAL_GIVEN_UP, "the race is over");
    this.#dnsScope.abort(reason);
    for (const { controller } of this.#running.values()) controller.abort(reason);
  }

  #account(): string {
    const now = this.#env.clock.now();
    const waiting = Array.from(
      this.#running,
      ([address, { startedAt }]) => `${address}: no answer for ${((now - startedAt) / 1000).toFixed(1)} s`,
    );
    const all = [...this.#failures, ...(this.#dns === "asking" ? ["DNS not answered yet"] : []), ...waiting];
    return all.length === 0 ? "not begun" : all.join("; ");
  }
}

function discard(stream: ByteStream): void {
  stream.on("error", () => undefined); // nobody owns it any more
  stream.destroy();
}

const PLAIN: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused: nothing listens on that port, or a firewall says no",
  ECONNRESET: "reset while connecting",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "no route: this device has no network of that kind",
  ENETDOWN: "the network is down",
  EADDRNOTAVAIL: "this device has no address of that kind",
  EACCES: "not allowed, perhaps by this device's firewall",
  EPERM: "not allowed, perhaps by this device's firewall",
};

function plainCause(error: unknown): string {
  const code = systemCode(error);
  const plain = code === undefined ? undefined : PLAIN[code];
  return plain === undefined ? explain(error) : `${plain} (${code})`;
}
