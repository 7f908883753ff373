// A resolver that answers when the test says so.
//
//   const resolver = new FakeResolver();
//   resolver.answers("hub", "192.0.2.1", "2001:db8::1");   // at once, from now on
//   resolver.fails("hub", new PetioleError(DNS_NO_NAME, "…"));
//   resolver.waits("hub");                                  // until it is told, or the caller gives up

import { isIP } from "node:net";
import type { ResolvedAddress, Resolver } from "#base/resolver.ts";

type Plan = { readonly addresses: readonly ResolvedAddress[] } | { readonly error: Error } | "waits";

interface Waiting {
  readonly host: string;
  readonly resolve: (addresses: readonly ResolvedAddress[]) => void;
  readonly reject: (error: Error) => void;
}

export class FakeResolver implements Resolver {
  readonly asked: string[] = [];
  readonly #plans = new Map<string, Plan>();
  readonly #waiting = new Set<Waiting>();

  /** Questions under way. */
  get pending(): number {
    return this.#waiting.size;
  }

  answers(host: string, ...addresses: readonly string[]): void {
    const found = addresses.map((address) => ({ address, family: isIP(address) === 6 ? 6 : 4 }) as const);
    this.#plans.set(host, { addresses: found });
    for (const each of this.#waiting) if (each.host === host) each.resolve(found);
  }

  fails(host: string, error: Error): void {
    this.#plans.set(host, { error });
    for (const each of this.#waiting) if (each.host === host) each.reject(error);
  }

  waits(host: string): void {
    this.#plans.set(host, "waits");
  }

  async resolve(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    signal.throwIfAborted();
    this.asked.push(host);
    const plan = this.#plans.get(host);
    if (plan === undefined) throw new Error(`fake resolver: nobody said what becomes of ${host}`);
    if (plan !== "waits") {
      if ("error" in plan) throw plan.error;
      return plan.addresses;
    }
    const { promise, resolve, reject } = Promise.withResolvers<readonly ResolvedAddress[]>();
    const waiting: Waiting = { host, resolve, reject };
    this.#waiting.add(waiting);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(waiting);
    }
  }
}
