// Changes that were not saved yet, kept while their author looks at another view. In the browser's memory alone: there may be secrets
// among them.

import type { Json } from "./json.ts";

export interface Draft {
  readonly user: string;
  /** What it was made from. */
  readonly base: Json;
  readonly revision: string;
  readonly document: Json;
}

class DraftKeeper {
  #draft: Draft | undefined;

  /** Nobody else gets it: two may share one phone. */
  of(user: string): Draft | undefined {
    if (this.#draft?.user !== user) this.#draft = undefined;
    return this.#draft;
  }

  keep(draft: Draft | undefined): void {
    this.#draft = draft;
  }
}

/** One page, one draft. */
export const drafts = new DraftKeeper();
