// Which hub URL to try next, and how each has fared. Pure: no socket, no timer, `now` is handed in.
//
//   round   configured URLs, from the one behind the last used, all round ─▶ up to 4 gossiped ones, least failed first ─▶ next round
//
// Configured URLs come first and are never replaced. One that fails in a way that needs a person (login, certificate) sits out up to
// 7 rounds while another configured one has no such trouble. Whatever the hubs say, each configured URL is tried again within
// 8 rounds, and what is kept of gossip is bounded.

import { isIP } from "node:net";
import type { Millis } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Remedy } from "#base/errors.ts";
import type { Endpoint } from "#base/net.ts";
import {
  LEAF_AUTH_REJECTED,
  LEAF_CREDENTIALS,
  LEAF_MIN_VERSION,
  LEAF_NOT_NATS,
  LEAF_PERMISSION,
  LEAF_SAME_CLUSTER,
  LEAF_TLS_CLIENT,
  LEAF_TLS_FAILED,
  LEAF_TLS_PIN,
  LEAF_WRONG_PORT,
} from "./errors.ts";
import { tryGossipUrl } from "./gossip.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { ReturnToFirst } from "./return-to-first.ts";

export interface UrlListOptions {
  readonly urls: readonly RemoteUrl[];
  readonly noRandomize: boolean;
  readonly ignoreDiscoveredServers: boolean;
  readonly reconnect: { readonly returnToFirst: Millis | null };
}

export interface UrlChoice {
  readonly url: RemoteUrl;
  readonly isConfigured: boolean;
  /** The name its certificate must carry unless `tls.server_name` says so: its own host, or for a gossiped address the name it was heard on. */
  readonly tlsHost: string;
}

/** A PetioleError is one; its message is for people and holds no secret. */
export interface UrlFailure {
  readonly code: string;
  readonly message: string;
  readonly remedy?: Remedy;
}

export interface UrlHealth {
  readonly url: string;
  readonly isConfigured: boolean;
  /** Since the last time a link over it was ready. */
  readonly failuresInRow: number;
  readonly lastFailure: { readonly code: string; readonly message: string; readonly agoMs: Millis } | null;
  readonly lastUpAgoMs: Millis | null;
  readonly rttMs: Millis | null;
}

const GOSSIP_MAX = 64;
/** Entries of one INFO that are looked at. */
const GOSSIP_ENTRIES_MAX = 256;
const GOSSIP_PER_ROUND = 4;
const SIT_OUT_ROUNDS_MAX = 7;
const MESSAGE_CHARS_MAX = 500;
/** Failures that stay until somebody does something, there or here. */
const NEEDS_PERSON: ReadonlySet<string> = new Set([
  LEAF_AUTH_REJECTED,
  LEAF_CREDENTIALS,
  LEAF_MIN_VERSION,
  LEAF_NOT_NATS,
  LEAF_PERMISSION,
  LEAF_SAME_CLUSTER,
  LEAF_TLS_CLIENT,
  LEAF_TLS_FAILED,
  LEAF_TLS_PIN,
  LEAF_WRONG_PORT,
]);

interface Entry {
  readonly url: RemoteUrl;
  readonly isConfigured: boolean;
  /** Whose gossip it is: the hub's cluster, or the URL where there is none. Newer gossip of the same source replaces it. */
  readonly source: string | null;
  /** Name borrowed for TLS by a gossiped address; dropped and taken again in turn when TLS fails. */
  readonly borrowedName: string | null;
  usesBorrowedName: boolean;
  failures: number;
  /** Failures in a row that need a person, and the rounds still to sit out for them. */
  personFailures: number;
  sitsOut: number;
  /** Among equals the lower one comes first. */
  readonly rank: number;
  triedAt: Millis;
  lastUpAt: Millis | null;
  lastFailure: { readonly code: string; readonly message: string; readonly at: Millis } | null;
  rtt: Millis | null;
}

export class UrlList {
  readonly #configured: readonly Entry[];
  readonly #isOrdered: boolean;
  readonly #ignoresGossip: boolean;
  readonly #places: ReadonlySet<string>;
  readonly #return: ReturnToFirst;
  readonly #entropy: Pick<Entropy, "random">;
  /** By place. */
  #gossiped = new Map<string, Entry>();
  #round: Entry[] = [];
  /** What `next` gave last; gossip may have dropped it meanwhile. */
  #current: Entry | undefined;
  /** The configured URL that a new round begins with. */
  #cursor = 0;
  #roundSize: number;

  constructor(options: UrlListOptions, entropy: Pick<Entropy, "random">) {
    const urls = options.noRandomize ? options.urls : shuffled(options.urls, entropy);
    this.#configured = urls.map((url) => newEntry(url, null, null, 0));
    this.#entropy = entropy;
    this.#isOrdered = options.noRandomize;
    this.#ignoresGossip = options.ignoreDiscoveredServers;
    this.#places = new Set(urls.map(({ endpoint }) => placeOf(endpoint)));
    this.#roundSize = urls.length;
    const after = options.noRandomize && urls.length > 0 ? options.reconnect.returnToFirst : null;
    this.#return = new ReturnToFirst(after, entropy.random());
  }

  /** URLs in the round under way: the back-off grows after that many. */
  get roundSize(): number {
    return Math.max(1, this.#roundSize);
  }

  /** The URL to dial now. */
  next(now: Millis): UrlChoice {
    if (this.#round.length === 0) this.#beginRound();
    const entry = this.#round.shift()!;
    entry.triedAt = now;
    this.#current = entry;
    if (entry.isConfigured) this.#cursor = (this.#configured.indexOf(entry) + 1) % this.#configured.length;
    return choiceOf(entry);
  }

  /** A link over `url` is ready. When it ends, a new round begins behind it. */
  onUp(url: RemoteUrl, now: Millis): void {
    const entry = this.#find(url);
    this.#round = [];
    this.#return.onUp(entry === this.#configured[0], now);
    if (entry === undefined) return;
    entry.failures = 0;
    entry.personFailures = 0;
    entry.sitsOut = 0;
    entry.lastUpAt = now;
    if (this.#isOrdered && !entry.isConfigured) this.#cursor = 0;
  }

  /** A dial or a link over `url` failed, or a link that was ready ended. */
  onFailed(url: RemoteUrl, now: Millis, failure: UrlFailure): void {
    const entry = this.#find(url);
    this.#return.onDown(entry === this.#configured[0], now);
    if (entry === undefined) return;
    entry.failures += 1;
    entry.lastFailure = { code: failure.code, message: failure.message.slice(0, MESSAGE_CHARS_MAX), at: now };
    if (failure.code === LEAF_TLS_FAILED && entry.borrowedName !== null) entry.usesBorrowedName = !entry.usesBorrowedName;
    entry.personFailures = needsPerson(failure) ? entry.personFailures + 1 : 0;
    entry.sitsOut = Math.min(SIT_OUT_ROUNDS_MAX, 2 ** Math.min(entry.personFailures, 8) - 1);
  }

  onRoundTrip(url: RemoteUrl, rtt: Millis): void {
    const entry = this.#find(url);
    if (entry !== undefined) entry.rtt = rtt;
  }

  /**
   * The URLs an INFO names, heard on `heardOn`. They replace what the same cluster (or, outside a cluster, the same URL) said before.
   * No list and an empty one change nothing. Returns how many entries were refused.
   */
  onInfo(heardOn: RemoteUrl, entries: readonly string[] | null, cluster: string | null): number {
    if (this.#ignoresGossip || entries === null || entries.length === 0) return 0;
    const origin = this.#find(heardOn);
    if (origin === undefined) return entries.length;
    const source = cluster === null ? `url ${origin.source ?? heardOn.text}` : `cluster ${cluster.slice(0, 256)}`;
    const name = isIP(heardOn.endpoint.host) === 0 ? heardOn.endpoint.host : origin.borrowedName;
    const fresh = new Map<string, Entry>();
    let refused = Math.max(0, entries.length - GOSSIP_ENTRIES_MAX);
    for (const text of entries.slice(0, GOSSIP_ENTRIES_MAX)) {
      const url = tryGossipUrl(text, heardOn);
      const place = url === undefined ? "" : placeOf(url.endpoint);
      if (url === undefined || fresh.size === GOSSIP_MAX) refused += 1;
      else if (!this.#places.has(place))
        fresh.set(place, this.#gossipEntry(url, place, source, isIP(url.endpoint.host) === 0 ? null : name));
    }
    const kept = [...this.#gossiped].filter(([place, entry]) => entry.source !== source && !fresh.has(place));
    this.#gossiped = new Map([...fresh, ...kept].slice(0, GOSSIP_MAX));
    this.#round = this.#round.filter((entry) => entry.isConfigured || this.#gossiped.get(placeOf(entry.url.endpoint)) === entry);
    return refused;
  }

  // ── back to the first URL (README: no_randomize, return_to_first) ─────────────────────────────────────────────────────

  /** The first URL, if it is time to see whether it answers (open a connection, close it, tell `onProbe`). */
  returnDue(now: Millis): UrlChoice | undefined {
    return this.#return.isProbeDue(now) ? choiceOf(this.#configured[0]!) : undefined;
  }

  /** True: it has answered for long enough. The caller ends the link; `next` gives the first URL. */
  onProbe(now: Millis, hasAnswered: boolean): boolean {
    if (!this.#return.onProbe(now, hasAnswered)) return false;
    const first = this.#configured[0]!;
    first.sitsOut = 0;
    this.#cursor = 0;
    this.#round = [];
    return true;
  }

  // ── leaving a URL that still works (lame-duck.ts) ─────────────────────────────────────────────────────────────────────

  /** Where to go if the URL in use shall be left; undefined: nowhere. */
  other(): UrlChoice | undefined {
    const entry = this.#other;
    return entry === undefined ? undefined : choiceOf(entry);
  }

  /** The caller ends the link: `next` gives what `other` gave. */
  leave(): void {
    const other = this.#other;
    this.#beginRound();
    if (other !== undefined) this.#round = [other, ...this.#round.filter((entry) => entry !== other)];
    this.#roundSize = this.#round.length;
  }

  get #other(): Entry | undefined {
    const mayBe = (entry: Entry) => entry.url.text !== this.#current?.url.text && entry.personFailures === 0;
    return this.#turned.find(mayBe) ?? this.#leastFailed.find(mayBe);
  }

  /** Configured URLs in their order, then the gossiped ones. */
  health(now: Millis): readonly UrlHealth[] {
    return [...this.#configured, ...this.#gossiped.values()].map((entry) => ({
      url: entry.url.text,
      isConfigured: entry.isConfigured,
      failuresInRow: entry.failures,
      lastFailure:
        entry.lastFailure === null
          ? null
          : { code: entry.lastFailure.code, message: entry.lastFailure.message, agoMs: now - entry.lastFailure.at },
      lastUpAgoMs: entry.lastUpAt === null ? null : now - entry.lastUpAt,
      rttMs: entry.rtt,
    }));
  }

  #beginRound(): void {
    const all = this.#configured;
    const mayWait = all.some((entry) => entry.personFailures === 0);
    const trying = this.#turned.filter((entry) => !mayWait || entry.sitsOut === 0);
    for (const entry of all) if (entry.sitsOut > 0) entry.sitsOut -= 1;
    this.#round = [...trying, ...this.#leastFailed.slice(0, GOSSIP_PER_ROUND)];
    this.#roundSize = this.#round.length;
  }

  get #turned(): readonly Entry[] {
    return [...this.#configured.slice(this.#cursor), ...this.#configured.slice(0, this.#cursor)];
  }

  get #leastFailed(): readonly Entry[] {
    return [...this.#gossiped.values()].sort((a, b) => {
      if (a.failures !== b.failures) return a.failures - b.failures;
      return a.triedAt === b.triedAt ? a.rank - b.rank : a.triedAt - b.triedAt; // most have never been tried: -Infinity
    });
  }

  #find(url: RemoteUrl): Entry | undefined {
    const configured = this.#configured.find((entry) => entry.url.text === url.text);
    if (configured !== undefined) return configured;
    const gossiped = this.#gossiped.get(placeOf(url.endpoint));
    if (gossiped?.url.text === url.text) return gossiped;
    return this.#current?.url.text === url.text ? this.#current : undefined;
  }

  /** What is known of a place stays known when it is named again. */
  #gossipEntry(url: RemoteUrl, place: string, source: string, name: string | null): Entry {
    // A hub tells all its leaves the same order: left so, a whole fleet would run to the same node.
    const entry = newEntry(url, source, name, this.#isOrdered ? 0 : this.#entropy.random());
    const before = this.#gossiped.get(place);
    if (before === undefined || before.url.text !== url.text) return entry;
    const { failures, triedAt, rank, lastUpAt, lastFailure, rtt, usesBorrowedName } = before;
    return { ...entry, failures, triedAt, rank, lastUpAt, lastFailure, rtt, usesBorrowedName: usesBorrowedName && name !== null };
  }
}

function newEntry(url: RemoteUrl, source: string | null, borrowedName: string | null, rank: number): Entry {
  return {
    url,
    isConfigured: source === null,
    source,
    borrowedName,
    usesBorrowedName: borrowedName !== null,
    failures: 0,
    personFailures: 0,
    sitsOut: 0,
    rank,
    triedAt: Number.NEGATIVE_INFINITY,
    lastUpAt: null,
    lastFailure: null,
    rtt: null,
  };
}

/** A handshake that was cut off passes by itself; a certificate that is wrong does not. */
function needsPerson({ code, remedy }: UrlFailure): boolean {
  return NEEDS_PERSON.has(code) && !(code === LEAF_TLS_FAILED && remedy === "retry");
}

function choiceOf(entry: Entry): UrlChoice {
  const { url, isConfigured, borrowedName, usesBorrowedName } = entry;
  const tlsHost = usesBorrowedName && borrowedName !== null ? borrowedName : url.endpoint.host;
  return { url, isConfigured, tlsHost };
}

function placeOf({ host, port }: Endpoint): string {
  return `${host.toLowerCase()} ${port}`;
}

function shuffled<T>(items: readonly T[], entropy: Pick<Entropy, "random">): readonly T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(entropy.random() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
  }
  return mixed;
}
