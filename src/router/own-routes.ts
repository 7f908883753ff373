// The routes of an origin that is deaf to itself: each good as long as the shared one it was made from is. Bounded as route-table.ts is.

import type { Route } from "./route.ts";

const ROUTES_MAX = 512;
/** Receivers in all of them. */
const RECEIVERS_MAX = 4096;

export class OwnRoutes {
  readonly #routes = new Map<string, { readonly shared: Route; readonly own: Route }>();
  #receivers = 0;

  get(subject: string, shared: Route): Route | undefined {
    const known = this.#routes.get(subject);
    return known?.shared === shared ? known.own : undefined;
  }

  /** All are forgotten when it overflows; one that is replaced counts until then. */
  set(subject: string, shared: Route, own: Route): void {
    const receivers = shared.receivers + own.receivers;
    if (this.#routes.size >= ROUTES_MAX || this.#receivers + receivers > RECEIVERS_MAX) {
      this.#routes.clear();
      this.#receivers = 0;
    }
    this.#routes.set(subject, { shared, own });
    this.#receivers += receivers;
  }
}
