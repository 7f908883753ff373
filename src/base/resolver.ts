// Names to addresses as a seam, and the real one.
//
// getaddrinfo would take threads of the pool that fdatasync needs, and a dead DNS server would hold them for half a minute: commits
// would stall because a name does not resolve. So: literals and localhost at once, then /etc/hosts, then c-ares, which waits on sockets.
//
//   literal, localhost ─▶ /etc/hosts ─▶ c-ares: A and AAAA side by side, search domains one after the other
//                                       "….local" also getaddrinfo, one at a time (mDNS lives behind the C library)
//
// Every lookup opens a c-ares channel of its own and reads the files anew: a resolv.conf that DHCP rewrote counts from the next one on.

import { promises as dns } from "node:dns";
import { isIP } from "node:net";
import type { Clock, Millis } from "./clock.ts";
import { type Disk, readWhole } from "./disk.ts";
import { isFault, PetioleError, systemCode } from "./errors.ts";
import { addressesInHosts } from "./hosts-file.ts";
import { namesToAsk, parseResolvConf, type ResolvConf } from "./resolv-conf.ts";

export const DNS_NO_NAME = "DNS_NO_NAME";
export const DNS_NO_ANSWER = "DNS_NO_ANSWER";
export const DNS_NO_SERVER = "DNS_NO_SERVER";
export const DNS_FAILED = "DNS_FAILED";

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
  /** Seconds the answer may be kept, where the server said so. */
  readonly ttl?: number;
}

export interface Resolver {
  /** At least one address, 16 at most, or a fault in plain words (DNS_…). Aborting ends it with the signal's reason. */
  resolve(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]>;
}

export interface SystemResolverOptions {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly hostsPath?: string;
  readonly resolvConfPath?: string;
  /** Other than 53: for tests. */
  readonly dnsPort?: number;
  /** How long a server may take before the next one, or the same again, is asked; grows threefold. */
  readonly patience?: Millis;
  /** Instead of getaddrinfo: for tests. */
  readonly lookup?: (host: string) => Promise<readonly ResolvedAddress[]>;
}

const FILE_BYTES_MAX = 256 * 1024;
const ADDRESSES_PER_FAMILY_MAX = 8;
const PATIENCE_MS: Millis = 3_000;
const TRIES = 3;
/** The other family may come this much later than the first, or twice as long as the first took. */
const OTHER_FAMILY_MS: Millis = 500;
/** After this we no longer wait for getaddrinfo; its thread comes back when it likes. */
const NATIVE_LIMIT_MS: Millis = 10_000;
const LOOPBACK: readonly ResolvedAddress[] = [
  { address: "127.0.0.1", family: 4 },
  { address: "::1", family: 6 },
];
/** Answers that say "there is no such thing", as opposed to none. */
const NEGATIVE: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA", "EBADNAME"]);
const SILENT: ReadonlySet<string> = new Set(["ETIMEOUT", "ECONNREFUSED"]);

export function systemResolver(options: SystemResolverOptions): Resolver {
  return new SystemResolver(options);
}

/** What the two questions for one name brought: addresses, or c-ares' code for each family. */
type Outcome = readonly ResolvedAddress[] | { readonly codes: readonly string[] };

class SystemResolver implements Resolver {
  readonly #options: SystemResolverOptions;
  #isNativeBusy = false;

  constructor(options: SystemResolverOptions) {
    this.#options = options;
  }

  async resolve(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    signal.throwIfAborted();
    const literal = isIP(host);
    if (literal !== 0) return [{ address: host, family: literal === 4 ? 4 : 6 }];
    const name = host.toLowerCase().replace(/\.$/, "");
    if (name === "localhost" || name.endsWith(".localhost")) return LOOPBACK;
    const planted = addressesInHosts(await this.#file(this.#options.hostsPath ?? "/etc/hosts"), name);
    signal.throwIfAborted();
    if (planted.length > 0) return planted.map((address) => ({ address, family: isIP(address) === 4 ? 4 : 6 }));
    return usable(host, await (name.endsWith(".local") ? this.#askBothWays(host, signal) : this.#ask(host, signal)));
  }

  async #ask(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const conf = parseResolvConf(await this.#file(this.#options.resolvConfPath ?? "/etc/resolv.conf"));
    signal.throwIfAborted();
    const { dnsPort = 53, patience = PATIENCE_MS, clock } = this.#options;
    const channel = new dns.Resolver({ timeout: patience, tries: TRIES, maxTimeout: patience * 3 });
    // Left alone, c-ares reads resolv.conf itself and keeps the zone of a link-local server, which setServers would lose.
    if (dnsPort !== 53) channel.setServers(conf.nameservers.map((server) => `${server}:${dnsPort}`));
    const startedAt = clock.now();
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      let lastCodes: readonly string[] = [];
      for (const name of namesToAsk(host, conf)) {
        const outcome = await Promise.race([bothFamilies(channel, name, clock), aborted.promise]);
        if (!("codes" in outcome)) return outcome;
        // A domain that fails says more than one that does not know the name; silence will not get better with the next name.
        if (lastCodes.length === 0 || !outcome.codes.every(isNegative)) lastCodes = outcome.codes;
        if (outcome.codes.some((code) => SILENT.has(code))) break;
      }
      throw faultOf(host, conf, channel.getServers(), lastCodes, clock.now() - startedAt);
    } finally {
      signal.removeEventListener("abort", onAbort);
      channel.cancel(); // a question still under way would keep its socket
    }
  }

  /** `….local`: DNS, as offices use it, and the C library, which may know mDNS. Whoever has addresses first. */
  async #askBothWays(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const scope = new AbortController();
    const onAbort = () => scope.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const asked = this.#ask(host, scope.signal);
    try {
      return await Promise.any([asked, this.#askNative(host, scope.signal)]);
    } catch {
      signal.throwIfAborted();
      const cause = await asked.catch((error: unknown) => error);
      throw new PetioleError(
        DNS_NO_NAME,
        `neither DNS nor mDNS has an address for ${host}; mDNS names need Avahi and libnss-mdns here`,
        {
          remedy: "backoff",
          cause,
        },
      );
    } finally {
      signal.removeEventListener("abort", onAbort);
      scope.abort(new PetioleError(DNS_NO_NAME, "another way was faster"));
    }
  }

  /** One at a time for the whole process: a lookup that hangs holds one thread of the pool, never more. */
  async #askNative(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    if (this.#isNativeBusy) throw new PetioleError(DNS_NO_ANSWER, "another mDNS lookup is under way");
    const { clock, lookup = nativeLookup } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<readonly ResolvedAddress[]>();
    this.#isNativeBusy = true;
    void lookup(host)
      .then(resolve, reject)
      .finally(() => {
        this.#isNativeBusy = false;
      });
    using _limit = clock.after(NATIVE_LIMIT_MS, () =>
      reject(new PetioleError(DNS_NO_ANSWER, `mDNS does not answer for ${host}`)),
    );
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** "" for a file that is not there or cannot be read: a name may still be found elsewhere. */
  async #file(path: string): Promise<string> {
    try {
      return (await readWhole(this.#options.disk, path, FILE_BYTES_MAX))?.toString("utf8") ?? "";
    } catch (error) {
      if (!isFault(error)) throw error;
      return "";
    }
  }
}

/** Never rejects. When one family has answered, the other gets a little more time; one that failed delays nobody. */
function bothFamilies(channel: dns.Resolver, name: string, clock: Clock): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const startedAt = clock.now();
  const found: ResolvedAddress[] = [];
  const codes: string[] = [];
  let open = 2;
  let patience: Disposable | undefined;
  const settle = () => {
    open -= 1;
    if (open > 0 && found.length > 0) {
      patience = clock.after(Math.max(OTHER_FAMILY_MS, 2 * (clock.now() - startedAt)), () => resolve([...found]));
    } else if (open === 0) {
      patience?.[Symbol.dispose]();
      resolve(found.length > 0 ? found : { codes });
    }
  };
  const ask = (answer: Promise<{ address: string; ttl: number }[]>, family: 4 | 6) =>
    void answer
      .then((records) => found.push(...records.map(({ address, ttl }) => ({ address, family, ttl }))))
      .catch((error: unknown) => codes.push(systemCode(error) ?? "EUNKNOWN"))
      .finally(settle);
  ask(channel.resolve4(name, { ttl: true }), 4);
  ask(channel.resolve6(name, { ttl: true }), 6);
  return promise;
}

/** Each once, not too many, and none that means "this very device". */
function usable(host: string, addresses: readonly ResolvedAddress[]): readonly ResolvedAddress[] {
  const kept = new Map<string, ResolvedAddress>();
  const counts = { 4: 0, 6: 0 };
  for (const each of addresses) {
    if (isUnspecified(each.address) || kept.has(each.address) || counts[each.family] === ADDRESSES_PER_FAMILY_MAX) continue;
    kept.set(each.address, each);
    counts[each.family] += 1;
  }
  if (kept.size > 0) return [...kept.values()];
  const found = addresses.map(({ address }) => address).join(", ");
  throw new PetioleError(
    DNS_NO_NAME,
    `DNS answers ${found || "nothing"} for ${host}: the name is blocked there or not set up yet`,
    {
      remedy: "backoff",
    },
  );
}

/** 0.0.0.0 and :: are what filtering DNS servers answer; a connection there would reach this device itself. */
function isUnspecified(address: string): boolean {
  return address === "0.0.0.0" || address === "::" || address === "::ffff:0.0.0.0";
}

function isNegative(code: string): boolean {
  return NEGATIVE.has(code);
}

function faultOf(
  host: string,
  conf: ResolvConf,
  servers: readonly string[],
  codes: readonly string[],
  took: Millis,
): PetioleError {
  const asked = servers.join(", ");
  if (codes.length > 0 && codes.every(isNegative)) {
    const found = codes.includes("ENODATA") ? "knows the name but has no address for it" : "knows no such name";
    return new PetioleError(DNS_NO_NAME, `DNS ${found}: ${host} (asked ${asked}); check the spelling, and whether DNS has it`, {
      remedy: "backoff",
    });
  }
  if (conf.nameservers.length === 0) {
    const text = `no DNS server is configured, so ${host} has no address; the network has given none (DHCP), or /etc/resolv.conf lacks a nameserver line`;
    return new PetioleError(DNS_NO_SERVER, text);
  }
  if (codes.some((code) => SILENT.has(code))) {
    const how = codes.includes("ETIMEOUT") ? `does not answer (waited ${(took / 1000).toFixed(1)} s)` : "cannot be reached";
    return new PetioleError(DNS_NO_ANSWER, `DNS server ${asked}, asked for ${host}, ${how}; check the network`);
  }
  const answers = codes.filter((code) => !isNegative(code)).map((code) => code.replace(/^E/, ""));
  return new PetioleError(DNS_FAILED, `DNS server ${asked} could not look up ${host}: ${[...new Set(answers)].join(", ")}`);
}

async function nativeLookup(host: string): Promise<readonly ResolvedAddress[]> {
  const found = await dns.lookup(host, { all: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}
