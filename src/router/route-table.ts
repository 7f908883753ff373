// Routes by subject, remembered until interest changes. Bounded twice: by subjects, and by the receivers in all routes together, since
// a subject that a thousand clients hear has a route of a thousand. To work one out anew costs about what delivering by it costs.

import { isValidSubject } from "#core/subject.ts";
import type { Route } from "./route.ts";

export interface RouteLimits {
  readonly routes: number;
  /** Subscriptions in all of them. */
  readonly receivers: number;
}

/** All are forgotten when it overflows. */
export class RouteTable {
  readonly #limits: RouteLimits;
  #routes = new Map<string, Route>();
  #receivers = 0;

  constructor(limits: RouteLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#routes.size;
  }

  get(subject: string): Route | undefined {
    return this.#routes.get(subject);
  }

  values(): Iterable<Route> {
    return this.#routes.values();
  }

  /** Only for a subject that has none. */
  set(subject: string, route: Route): void {
    if (this.#routes.size >= this.#limits.routes || this.#receivers + route.receivers > this.#limits.receivers) this.forget();
    this.#routes.set(subject, route);
    this.#receivers += route.receivers;
  }

  /** A literal filter touches one route only: request inboxes come and go without emptying the table. */
  forget(filter?: string): void {
    if (this.#routes.size === 0) return;
    if (filter !== undefined && isValidSubject(filter)) {
      this.#receivers -= this.#routes.get(filter)?.receivers ?? 0;
      this.#routes.delete(filter);
      return;
    }
    this.#routes = new Map();
    this.#receivers = 0;
  }
}
