// Under which names the page answers. A web page elsewhere can let its own name resolve to our address (DNS rebinding); the browser then
// takes us for that page's server. So a request whose Host is not one of ours is refused.

import { isIP } from "node:net";
import type { Clock, Millis } from "#base/clock.ts";

/** What the machine says of itself. */
export interface HostFacts {
  hostname(): string;
  /** Of every interface. */
  addresses(): readonly string[];
}

const LOOK_AGAIN_MS: Millis = 5_000;
const HOST = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/;

export class HostNames {
  readonly #names: ReadonlySet<string>;
  readonly #facts: HostFacts;
  readonly #clock: Pick<Clock, "now">;
  #addresses: ReadonlySet<string> = new Set();
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(names: readonly string[], facts: HostFacts, clock: Pick<Clock, "now">) {
    const own = [facts.hostname(), ...names].filter((name) => name !== "").map((name) => name.toLowerCase());
    this.#names = new Set(["localhost", ...own, ...own.filter((name) => !name.includes(".")).map((name) => `${name}.local`)]);
    this.#facts = facts;
    this.#clock = clock;
  }

  /** Of a Host header. */
  isOurs(host: string | undefined): boolean {
    if (host === undefined || !HOST.test(host)) return false;
    const name = nameOf(host);
    return isIP(name) === 0 ? this.#names.has(name) : this.#ownAddresses().has(name);
  }

  /** For a certificate: the names, then the addresses. */
  all(): readonly string[] {
    return [...this.#names, ...this.#ownAddresses()];
  }

  /** Addresses come and go with cables and leases. */
  #ownAddresses(): ReadonlySet<string> {
    const now = this.#clock.now();
    if (now - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#lookedAt = now;
      this.#addresses = new Set(this.#facts.addresses().map((address) => canonical(address.split("%")[0]!)));
    }
    return this.#addresses;
  }
}

function nameOf(host: string): string {
  const name = host.startsWith("[") ? host.slice(1, host.indexOf("]")) : host.replace(/:\d+$/, "");
  return canonical(name.toLowerCase().replace(/\.$/, ""));
}

/** One spelling of an IPv6 address. */
function canonical(name: string): string {
  return isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name;
}
