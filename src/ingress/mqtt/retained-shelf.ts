// The retained messages of all accounts: each its own, under one budget and in one store.
//
// An account's are there once somebody asks for the account. Tests: test/unit/ingress/mqtt/retained.test.ts

import { type RetainedDeps, type RetainedStatus, RetainedStore } from "./retained.ts";
import { type LastValues, lastValuesOf } from "./retained-answers.ts";
import { RetainedBudget, type RetainedLimits } from "./retained-budget.ts";

export class RetainedShelf implements Disposable {
  readonly #deps: RetainedDeps;
  readonly #stores = new Map<string, RetainedStore>();

  constructor(limits: RetainedLimits, deps: Omit<RetainedDeps, "budget">) {
    this.#deps = { ...deps, budget: new RetainedBudget(limits) };
  }

  /** To be asked for each account before the store's values are released. */
  of(account: string): RetainedStore {
    let store = this.#stores.get(account);
    if (store === undefined) {
      store = new RetainedStore(account, this.#deps);
      this.#stores.set(account, store);
    }
    return store;
  }

  /** As NATS clients of the account may ask for them. */
  lastValues(account: string): LastValues | undefined {
    const store = this.#stores.get(account);
    return store === undefined ? undefined : lastValuesOf(store, this.#deps.clock);
  }

  status(): RetainedStatus {
    const sum = { messages: 0, bytes: 0, refused: 0, expired: 0 };
    for (const store of this.#stores.values()) {
      const { messages, bytes, refused, expired } = store.status();
      sum.messages += messages;
      sum.bytes += bytes;
      sum.refused += refused;
      sum.expired += expired;
    }
    return sum;
  }

  [Symbol.dispose](): void {
    for (const store of this.#stores.values()) store[Symbol.dispose]();
    this.#stores.clear();
  }
}
