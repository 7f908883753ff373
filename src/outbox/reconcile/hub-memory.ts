// Which hubs answered when their JetStream was asked, and which said nothing: a question costs a wait where nobody answers.

import type { JetStreamApi } from "./reconcile-api.ts";

/** Hubs remembered for their silence. */
const SILENT_MAX = 16;

export class HubMemory {
  readonly #silent = new Set<string>();
  #heard: string | null = null;

  /** It was the last that answered. */
  hasHeard(hub: string): boolean {
    return this.#heard === hub;
  }

  isSilent(hub: string): boolean {
    return this.#silent.has(hub);
  }

  /** What came of asking `hub` by `api`. A link that fell tells nothing. */
  learn(hub: string, api: Pick<JetStreamApi, "hasHeard" | "isSilent" | "isDown">): void {
    if (api.hasHeard) {
      this.#heard = hub;
      this.#silent.delete(hub);
    } else if (api.isSilent && !api.isDown) {
      if (this.#silent.size >= SILENT_MAX) this.#silent.clear();
      this.#silent.add(hub);
    }
  }
}
